"""Verdicts, order, determinism, lost processes, laziness: what `Sandbox.run` promises for every job."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoif.errors import SandboxError, SandboxUnavailableError
from autoif.sandbox import Job, Sandbox, Verdict, capabilities
from autoif.sandbox.jobs import decode_verdicts, encode_job
from autoif.sandbox.worker import AHEAD_TASKS

NLTK_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nltk_data"
LENGTH = "def evaluate(response):\n    return len(response) > 3\n"
SLEEPER = "import time\ndef evaluate(response):\n    time.sleep(float(response))\n    return True\n"
STATEFUL = "calls = 0\ndef evaluate(response):\n    global calls\n    calls += 1\n    return calls < 3\n"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(workers=2, call_seconds=1.0, function_seconds=3.0) as box:
        yield box


def names(box: Sandbox, source: str, *inputs: str) -> list[str]:
    [result] = box.run([Job("x", source, inputs)])
    return [verdict.name for verdict in result.verdicts]


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("def evaluate(response): return True", "TRUE"),
        ("def evaluate(response): return False", "FALSE"),
        ("evaluate = str.isalpha", "TRUE"),
        ("def evaluate(response): return 1", "NOT_BOOL"),
        ("def evaluate(response): return 'True'", "NOT_BOOL"),
        ("def evaluate(response): ...", "NOT_BOOL"),
        ("def evaluate(response): return 1 / 0", "ERROR"),
        ("def evaluate(): return True", "ERROR"),
        ("def evaluate(response): raise SystemExit", "ERROR"),
        ("def evaluate(response):\n    while True: pass", "TIMEOUT"),
        ("import os\ndef evaluate(response): os._exit(0)", "CRASH"),
        ("def evaluate(response) return True", "NO_COMPILE"),
        ("def check(response): return True", "NO_COMPILE"),
        ("evaluate = 3", "NO_COMPILE"),
        ("import no_such_library\ndef evaluate(response): return True", "NO_COMPILE"),
        ("1 / 0\ndef evaluate(response): return True", "NO_COMPILE"),
        ("", "NO_COMPILE"),
        ("def evaluate(response): return '\0'", "NO_COMPILE"),
        ("def evaluate(response): return '\ud800'", "NO_COMPILE"),
        ("\ufeffdef evaluate(response): return True", "NO_COMPILE"),
    ],
)
def test_each_verdict(box: Sandbox, source: str, verdict: str) -> None:
    assert names(box, source, "word") == [verdict]


def test_imports_and_helpers_share_one_namespace(box: Sandbox) -> None:
    source = (
        "import re\nfrom collections import Counter\nWORD = re.compile(r'\\w+')\n\n"
        "def words(text):\n    return WORD.findall(text)\n\n"
        "def evaluate(response):\n    return Counter(words(response)).most_common(1)[0][1] >= 2\n"
    )
    assert names(box, source, "a b a", "a b c", "") == ["TRUE", "FALSE", "ERROR"]


def test_modules_that_are_not_preloaded_can_be_imported(box: Sandbox) -> None:
    source = "import sqlite3, hashlib, zoneinfo, statistics\ndef evaluate(response): return bool(hashlib.sha256())"
    assert names(box, source, "x") == ["TRUE"]


def test_dataclasses_and_typing_find_their_module(box: Sandbox) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import NamedTuple\n"
        "@dataclass\nclass A:\n    n: int = 1\nclass B(NamedTuple):\n    n: int\n"
        "def evaluate(response: str) -> bool:\n    return A().n == B(1).n\n"
    )
    assert names(box, source, "x") == ["TRUE"]


def test_texts_arrive_as_they_were_sent(box: Sandbox) -> None:
    texts = ["", "\0", "\ud800", "é\u2028\r\n", "x" * 300_000, "\U0010ffff"]
    checks = "[" + ", ".join(f"({len(text)}, {text[:5]!a})" for text in texts) + "]"
    source = f"known = {checks}\ndef evaluate(response): return (len(response), response[:5]) in known"
    assert names(box, source, *texts) == ["TRUE"] * len(texts)


def test_two_faults_and_the_rest_is_skipped(box: Sandbox) -> None:
    source = "import os\ndef evaluate(response):\n    if response == 'x': os._exit(1)\n    return response == 't'\n"
    assert names(box, source, *"txffxtf") == ["TRUE", "CRASH", "FALSE", "FALSE", "CRASH", "SKIPPED", "SKIPPED"]


def test_time_limit_of_a_call(box: Sandbox) -> None:
    assert names(box, SLEEPER, "0", "5", "0.1", "0") == ["TRUE", "TIMEOUT", "TRUE", "TRUE"]


def test_time_limit_of_a_function(box: Sandbox) -> None:
    verdicts = names(box, SLEEPER, *["0.8"] * 6)
    assert verdicts[:3] == ["TRUE"] * 3
    assert verdicts[3:] == ["TIMEOUT", "SKIPPED", "SKIPPED"]


def test_a_plain_function_that_hangs_costs_its_neighbours_nothing(box: Sandbox) -> None:
    hang = "def evaluate(response):\n    while response == 'h':\n        pass\n    return response == 't'\n"
    jobs = [Job(str(i), hang if i == 20 else LENGTH, "tht" if i == 20 else ("word", "no")) for i in range(40)]
    found = {result.id: [v.name for v in result.verdicts] for result in box.run(jobs)}
    assert found.pop("20") == ["TRUE", "TIMEOUT", "TRUE"]
    assert len(found) == 39
    assert all(verdicts == ["TRUE", "FALSE"] for verdicts in found.values())


def test_memory_that_a_plain_function_fills_is_free_for_the_next() -> None:
    hoard = "kept = []\ndef evaluate(response):\n    kept.append((kept, 'x' * 100_000_000))\n    return True\n"
    with Sandbox(workers=1, memory_mb=200) as box:
        assert [r.verdicts for r in box.run(Job(f"{i}", hoard, ["a"]) for i in range(4))] == [(Verdict.TRUE,)] * 4


def test_no_inputs_and_no_jobs(box: Sandbox) -> None:
    assert names(box, LENGTH) == []
    assert list(box.run([])) == []


def test_many_inputs(box: Sandbox) -> None:
    assert names(box, LENGTH, *(["word", "no"] * 20_000)) == ["TRUE", "FALSE"] * 20_000


def test_same_verdicts_with_any_number_of_workers_and_without_sharing() -> None:
    sources = [LENGTH, STATEFUL, SLEEPER, "import random\ndef evaluate(response): return random.random() < 0.5", "x"]
    jobs = [Job(f"{i}", sources[i % 5], ["0", "0.01", "word"]) for i in range(60)]
    runs = []
    for workers, without in ((1, ()), (3, ()), (2, ("sharing",))):
        with Sandbox(workers=workers, _without=without) as box:
            runs.append(sorted((r.id, r.verdicts) for r in box.run(jobs if workers == 1 else jobs[::-1])))
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize(
    ("source", "deterministic"),
    [
        (LENGTH, True),
        ("def evaluate(response) return", True),
        ("import os\ndef evaluate(response): os._exit(1)", True),
        ("import random\ndef evaluate(response): return random.random() < 0.5", False),
        ("import uuid\ndef evaluate(response): return uuid.uuid4().int % 2 == 0", False),
        ("def evaluate(response): return hash(response) % 2 == 0", False),
        ("def evaluate(response): return [*{*response.split()}][0] == 'text'", False),
        ("import time\ndef evaluate(response): return time.perf_counter_ns() % 2 == 0", False),
        (STATEFUL, False),
    ],
)
def test_determinism(box: Sandbox, source: str, deterministic: bool) -> None:
    inputs = [f"text {i}" for i in range(30)]
    [result] = box.run([Job("x", source, inputs)], check_determinism=True)
    assert result.deterministic is deterministic
    [alone] = box.run([Job("x", source, inputs)])
    if deterministic:
        assert alone.verdicts == result.verdicts


def test_determinism_leaves_order_and_verdicts_alone(box: Sandbox) -> None:
    jobs = [Job(f"{i}", LENGTH, ["word"] * i + ["no"]) for i in range(50)]
    results = {result.id: result for result in box.run(jobs, check_determinism=True)}
    assert all(results[f"{i}"].verdicts == (Verdict.TRUE,) * i + (Verdict.FALSE,) for i in range(50))
    assert all(result.deterministic for result in results.values())


def test_jobs_are_pulled_as_there_is_room(box: Sandbox) -> None:
    pulled = 0

    def endless() -> Iterator[Job]:
        nonlocal pulled
        while True:
            pulled += 1
            yield Job(f"{pulled}", LENGTH, ["word"])

    results = box.run(endless())
    for _ in range(300):
        next(results)
    results.close()
    assert pulled <= 300 + 3 * AHEAD_TASKS
    assert names(box, LENGTH, "word") == ["TRUE"]


def test_big_jobs_do_not_pile_up(box: Sandbox) -> None:
    jobs = (Job(f"{i}", LENGTH, ["x" * 5_000_000]) for i in range(30))
    assert all(result.verdicts == (Verdict.TRUE,) for result in box.run(jobs))


def test_one_run_at_a_time(box: Sandbox) -> None:
    first = box.run(Job(f"{i}", LENGTH, ["word"]) for i in range(500))
    next(first)
    with pytest.raises(SandboxError, match="busy"):
        next(box.run([]))
    first.close()


def test_an_error_in_the_source_of_jobs_is_passed_on(box: Sandbox) -> None:
    def broken() -> Iterator[Job]:
        yield Job("1", LENGTH, ["word"])
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(box.run(broken()))
    assert names(box, LENGTH, "word") == ["TRUE"]


def test_a_closed_sandbox_says_so() -> None:
    with pytest.raises(SandboxError, match="closed"):
        list(Sandbox().run([Job("x", LENGTH, ["word"])]))


def test_without_any_mechanism_strict_mode_refuses() -> None:
    with pytest.raises(SandboxUnavailableError, match="sandbox weak"), Sandbox(_without=("seccomp", "landlock")):
        pass


def test_weak_mode_runs_without_any_mechanism() -> None:
    nothing = ("seccomp", "landlock", "user", "mnt", "net", "ipc", "uts", "pid")
    with Sandbox(workers=1, mode="weak", _without=nothing) as box:
        assert names(box, LENGTH, "word", "no") == ["TRUE", "FALSE"]
        assert names(box, "import os\ndef evaluate(r): os._exit(0)", "x") == ["CRASH"]


def test_libraries_only_when_asked_for() -> None:
    source = "import yaml\ndef evaluate(response): return yaml.safe_load(response) == [1]"
    with Sandbox(workers=1) as box:
        assert names(box, source, "[1]") == ["NO_COMPILE"]
    with Sandbox(workers=1, preload=("yaml",)) as box:
        assert names(box, source, "[1]", "[2]") == ["TRUE", "FALSE"]


def test_nltk_and_langdetect(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langdetect")
    nltk = pytest.importorskip("nltk")
    if NLTK_DATA.exists():
        monkeypatch.setenv("NLTK_DATA", str(NLTK_DATA))
    elif not any((Path(folder) / "tokenizers" / "punkt_tab").exists() for folder in nltk.data.path):
        pytest.skip("nltk's punkt_tab is not here")
    source = (
        "import langdetect, nltk\ndef evaluate(response):\n"
        "    return langdetect.detect(response) == 'en' and len(nltk.word_tokenize(response)) > 5\n"
    )
    texts = ["This is an English sentence, and a long one.", "Ceci est une phrase en français, assez longue."]
    for without in ((), ("landlock",)):
        with Sandbox(workers=1, call_seconds=10, preload=("nltk", "langdetect"), _without=without) as box:
            [result] = box.run([Job("x", source, texts)], check_determinism=True)
        assert result.verdicts == (Verdict.TRUE, Verdict.FALSE)
        assert result.deterministic


def test_a_library_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SandboxError, match="no_such_library"), Sandbox(workers=1, preload=("no_such_library",)):
        pass


def test_capabilities_of_this_machine() -> None:
    found = capabilities()
    assert found.contains_hostile_code == (found.seccomp or {"mnt", "ipc", "pid"} <= set(found.namespaces))
    assert all(found.contained().values()) == found.seccomp


def test_a_frame_holds_no_more_than_source_and_inputs() -> None:
    frame = encode_job(Job("an id that stays here", "source", ["b", "a"]), [1, 0])
    assert frame == b"\x14\0\0\0\0\0\0\0\x02\0\0\0" + b"\x06\0\0\0\x01\0\0\0\x01\0\0\0" + b"sourceab"


@pytest.mark.parametrize("codes", [b"\0\1", b"\1\x09", b"\1", b"\1\1\1"])
def test_bytes_that_are_no_verdicts_are_refused(codes: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_verdicts(codes, [0, 1])
