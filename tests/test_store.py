"""The store loses nothing and doubles nothing, wherever a write is cut short."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoif import store
from autoif.errors import AutoIFError, BusyRunError, InputError
from autoif.records import Drop, Outcome, Query, Usage
from autoif.store import Stage, locked, open_journal

TEXTS = st.lists(
    st.text(max_size=30).filter(lambda t: t.isascii() or t.encode("utf-8", "ignore").decode() == t), max_size=3
)


class Killed(BaseException):
    """Stands for the process dying: nothing after it runs."""


def outcome(unit: int, kept: list[str], dropped: list[str]) -> Outcome[Query]:
    records = tuple(Query.make(text=text, source=f"{unit}.{n}") for n, text in enumerate(kept))
    return Outcome(unit, records, tuple(Drop("too_short", text) for text in dropped), Usage(1, 2))


def produce(folder: Path, outcomes: list[Outcome[Query]], sift=None) -> dict[str, bytes]:
    journal = open_journal(Stage(folder, Query))
    if journal is not None:
        for one in outcomes:
            if one.unit not in journal:
                journal.append(one)
        journal.seal(sift)
    return {name: (folder / name).read_bytes() for name in ("records.jsonl", "dropped.jsonl", "done")}


def no_doubles():
    seen: set[str] = set()

    def sift(query: Query) -> str | None:
        return "duplicate" if query.text in seen else seen.add(query.text)

    return sift


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    units=st.lists(st.tuples(TEXTS, TEXTS), max_size=8),
    order=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 3000), max_size=4),
    sifted=st.booleans(),
)
def test_any_interruption_ends_in_the_same_files(tmp_path_factory, monkeypatch, units, order, cuts, sifted):
    base = tmp_path_factory.mktemp("store")
    outcomes = [outcome(n, kept, dropped) for n, (kept, dropped) in enumerate(units)]
    whole = produce(base / "whole", outcomes, no_doubles() if sifted else None)
    for cut in cuts:
        with monkeypatch.context() as patch:
            patch.setattr(store.os, "write", _dying_after(cut, store.os.write))
            try:
                produce(base / "cut", order.sample(outcomes, len(outcomes)), no_doubles() if sifted else None)
            except Killed:
                continue
    assert produce(base / "cut", order.sample(outcomes, len(outcomes)), no_doubles() if sifted else None) == whole
    stats = json.loads((base / "cut" / "stats.json").read_text())
    assert stats["in"] == len(units)
    assert stats["completion_tokens"] == 2 * len(units)


def _dying_after(budget: int, write):
    """An os.write that writes `budget` bytes in all, the last of them in the middle of a line, and then dies."""
    left = [budget]

    def dying(handle, data):
        done = write(handle, bytes(data)[: left[0]])
        left[0] -= done
        if left[0] <= 0:
            raise Killed
        return done

    return dying


@pytest.mark.parametrize("step", ["touch", "replace", "unlink"])
@pytest.mark.parametrize("count", range(1, 8))
def test_dying_at_any_step_of_sealing(tmp_path, monkeypatch, step, count):
    outcomes = [outcome(n, ["same"], ["x"]) for n in (2, 0, 1)]
    whole = produce(tmp_path / "whole", outcomes, no_doubles())
    calls = [0]
    real = getattr(Path, step)

    def dying(self, *args, **kwargs):
        calls[0] += 1
        if calls[0] == count:
            raise Killed
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, dying)
        with contextlib.suppress(Killed):
            produce(tmp_path / "cut", outcomes, no_doubles())
    assert produce(tmp_path / "cut", outcomes, no_doubles()) == whole
    assert json.loads((tmp_path / "cut" / "stats.json").read_text())["dropped"] == {"too_short": 3, "duplicate": 2}


def test_files_shorter_than_the_journal_says(tmp_path):
    """A power cut, or an editor: units whose data is gone are done again."""
    outcomes = [outcome(n, [f"text {n}"], []) for n in range(5)]
    whole = produce(tmp_path / "whole", outcomes)
    journal = open_journal(Stage(tmp_path / "cut", Query))
    for one in outcomes[:4]:
        journal.append(one)
    path = tmp_path / "cut" / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = open_journal(Stage(tmp_path / "cut", Query))
    assert [unit in again for unit in range(5)] == [True, True, True, False, False]
    assert produce(tmp_path / "cut", outcomes) == whole


def test_a_done_stage_is_left_alone(tmp_path):
    produce(tmp_path / "s", [outcome(0, ["a"], [])])
    assert open_journal(Stage(tmp_path / "s", Query)) is None


def test_two_writers_are_refused(tmp_path):
    with locked(tmp_path / "run"), pytest.raises(BusyRunError, match="another process"), locked(tmp_path / "run"):
        pass


def test_a_line_that_is_not_a_record_names_its_place(tmp_path):
    produce(tmp_path / "s", [outcome(0, ["a"], [])])
    with open(tmp_path / "s" / "records.jsonl", "ab") as file:
        file.write(b'{"id": 3}\n')
    with pytest.raises(InputError, match=r"records.jsonl:2: not a Query"):
        list(Stage(tmp_path / "s", Query))


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path, monkeypatch):
    journal = open_journal(Stage(tmp_path / "s", Query))
    journal.append(outcome(0, ["a"], []))

    def full(handle, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.os, "write", full)
        with pytest.raises(AutoIFError, match=r"No space left on device.*run the same again"):
            journal.append(outcome(1, ["b"], []))
    assert 0 in open_journal(Stage(tmp_path / "s", Query))


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AutoIFError, match="cannot be written"), locked(tmp_path / "file" / "run"):
        pass
