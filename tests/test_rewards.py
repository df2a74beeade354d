"""The reward function, in the real sandbox: what passes, what does not, and who shares what."""

import functools
import json
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoif import rewards
from autoif.errors import InputError
from autoif.rewards import compute_score, verifier_reward


def verifier(body: str) -> str:
    return f"def evaluate(response: str) -> bool:\n    {body}\n"


NO_COMMA = verifier("return ',' not in response")
SHORT = verifier("return len(response) < 10")
HANG = verifier("while True: pass")


def said(content: object, role: str = "assistant") -> list[dict[str, object]]:
    return [{"role": role, "content": content}]


def test_the_share_of_verifiers_passed_by_each_completion():
    both = [NO_COMMA, SHORT]
    completions = ["short", "one, two", "long, and with a comma", "long and without one"]
    assert verifier_reward(completions, [both] * 4) == [1.0, 0.5, 0.0, 0.5]


def test_conversations_count_by_their_last_message():
    last = [*said("a, b"), *said("tool", "tool"), *said("ab")]
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": ", b"}]
    rows = [said("ab"), said("a, b"), last, said(parts)]
    assert verifier_reward(rows, [[NO_COMMA]] * 4) == [1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "completion",
    ["", " \n", [], said(None), said(""), said([]), said("late", "tool"), [{"role": "assistant"}], ["text"], said(7)],
)
def test_no_text_passes_nothing(completion):
    assert verifier_reward([completion], [[NO_COMMA]]) == [0.0]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(verifier("return 1"), id="one"),
        pytest.param(verifier("return 'True'"), id="text"),
        pytest.param(
            "class Yes:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
            "def evaluate(response): return Yes()\n",
            id="equal to everything",
        ),
        pytest.param(verifier("raise SystemExit(0)"), id="exit"),
        pytest.param(verifier("import os; os._exit(0)"), id="hard exit"),
        pytest.param(verifier("import os; os.kill(os.getppid(), 9)"), id="kill"),
        pytest.param(verifier("return bool(open('/etc/passwd').read())"), id="read a secret"),
        pytest.param(verifier("return [0] * 10**12 != []"), id="memory"),
        pytest.param(HANG, id="hang"),
        pytest.param("def evaluate(:", id="syntax"),
        pytest.param("", id="empty"),
        pytest.param("evaluate = True", id="no function"),
    ],
)
def test_a_verifier_that_fails_is_not_passed_and_harms_no_other(source):
    assert verifier_reward(["fine", "a, b"], [[source, NO_COMMA], [NO_COMMA]]) == [0.5, 0.0]


def test_a_verifier_cannot_reach_into_the_trainer(tmp_path):
    target = tmp_path / "written"
    source = verifier(f"open({str(target)!r}, 'w').write(response); return True")
    assert verifier_reward(["text"], [[source]]) == [0.0]
    assert not target.exists()


def test_one_job_for_a_verifier_however_often_it_is_asked(monkeypatch):
    jobs = []
    run = rewards._shared.run
    monkeypatch.setattr(rewards._shared, "run", lambda wanted: jobs.extend(wanted) or run(wanted))
    verifiers = [[NO_COMMA, SHORT], [NO_COMMA, SHORT], [NO_COMMA], [NO_COMMA, NO_COMMA]]
    assert verifier_reward(["a", "a, b", "a", ""], verifiers) == [1.0, 0.5, 1.0, 0.0]
    assert {job.source: list(job.inputs) for job in jobs} == {NO_COMMA: ["a", "a, b"], SHORT: ["a", "a, b"]}
    assert len(jobs) == 2


def test_the_sandbox_is_kept():
    verifier_reward(["a"], [[NO_COMMA]])
    box = rewards._shared._box
    verifier_reward(["b"], [[NO_COMMA]])
    assert rewards._shared._box is box


def test_rows_without_verifiers():
    """None, as a mixture of data sets has it, is left out by TRL; an empty list is no reason for a reward."""
    assert verifier_reward(["a", "a", "a"], [None, [], [NO_COMMA]]) == [None, 0.0, 1.0]
    assert verifier_reward([], []) == []


def test_other_columns_are_ignored():
    others = {"prompts": ["p"], "completion_ids": [[1]], "trainer_state": object(), "log_metric": print, "id": ["x"]}
    assert verifier_reward(completions=["a"], verifiers=[[NO_COMMA]], **others) == [1.0]


def test_any_text_may_come():
    assert verifier_reward(["\ud800", "\x00,", "é" * 100_000], [[NO_COMMA]] * 3) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("completions", "columns", "message"),
    [
        (["a"], {}, "no column `verifiers`"),
        (["a"], {"verifiers": []}, "1 completions, but verifiers for 0"),
        (["a", "b"], {"verifiers": [[], NO_COMMA]}, "verifiers of completion 1 must be a list"),
        (["a"], {"verifiers": [[1]]}, "verifiers of completion 0 must be a list"),
        (["a", 7], {"verifiers": [[], []]}, "completion 1 is neither text nor a list of messages but int"),
    ],
)
def test_wrong_columns_are_named(completions, columns, message):
    with pytest.raises(InputError, match=message):
        verifier_reward(completions, **columns)


def test_threads_take_turns():
    """As under TRL's asynchronous trainer, verl and open-instruct, which call from a pool of threads."""
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(verifier_reward, ["a" * n, "a, b"], [[NO_COMMA, SHORT]] * 2) for n in range(1, 17)]
        assert [call.result()[0] for call in calls] == [1.0 if n < 10 else 0.5 for n in range(1, 17)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_gets_a_sandbox_of_its_own():
    assert verifier_reward(["a"], [[NO_COMMA]]) == [1.0]
    child = os.fork()
    if not child:
        signal.alarm(60)
        own = rewards._shared._box is None and verifier_reward(["a", "a, b"], [[NO_COMMA]] * 2) == [1.0, 0.0]
        rewards._shared.close()
        os._exit(0 if own else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert verifier_reward(["b"], [[NO_COMMA]]) == [1.0]


def test_a_process_ends_cleanly_and_leaves_nothing_behind():
    code = (
        f"from autoif import rewards\nprint(rewards.verifier_reward(['a'], [[{NO_COMMA!r}]]))\n"
        "workers = rewards._shared._box._groups[0]\nprint(*[worker._process.pid for worker in workers])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    reward, pids = done.stdout.splitlines()
    assert reward == "[1.0]"
    for pid in map(int, pids.split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_trainers_may_pickle_it_and_log_its_name():
    assert pickle.loads(pickle.dumps(verifier_reward)) is verifier_reward
    assert verifier_reward.__name__ == "verifier_reward"
    assert functools.partial(verifier_reward, verifiers=[[NO_COMMA]])(["a"]) == [1.0]


def test_it_imports_nothing_heavy():
    heavy = "[m for m in ('torch', 'transformers', 'trl', 'datasets', 'pydantic', 'numpy') if m in sys.modules]"
    code = f"import sys, autoif.rewards; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_verls_score_of_one_answer():
    truth = json.dumps([NO_COMMA, SHORT])
    assert compute_score("autoif", "one, two", truth, {"index": 0}) == 0.5
    asked = {"data_source": "autoif", "solution_str": "fine", "ground_truth": truth, "extra_info": {}}
    assert compute_score(**asked, reward_router_address=None) == 1.0


@pytest.mark.parametrize("truth", ["not JSON", "null", "7", '["a", 1]', "[" * 100_000, None, [NO_COMMA]])
def test_a_wrong_ground_truth_is_named(truth):
    with pytest.raises(InputError, match="verifiers"):
        compute_score("autoif", "a", truth)
