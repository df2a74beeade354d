import json

import pytest

from autoif.config import EvaluateConfig, TaskConfig
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import InputError, NothingToDoError
from autoif.evaluation.run import Opened, evaluate
from autoif.evaluation.tasks import score_responses
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.sandbox import Sandbox

UPPER = "def evaluate(response: str) -> bool:\n    return response.isupper()\n"
PROMPTS = [
    {"key": 1, "prompt": "One, please.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {
        "key": 2,
        "prompt": "Two, please.",
        "instruction_id_list": ["punctuation:no_comma", "change_case:english_lowercase"],
        "kwargs": [{}, {}],
    },
    {"key": 3, "prompt": "Three, please.", "instruction_id_list": ["startend:quotation"], "kwargs": [{}]},
]

pytestmark = pytest.mark.usefixtures("shared_nltk")


def verified(split):
    query = Query.make(text="What is rain?", source="test")
    return VerifiedInstruction.make(
        instruction=Instruction.make(text="Shout.", origin="model", queries=(query,)),
        verifiers=(Verifier.make(source=UPPER, origin="model"),),
        cases=(),
        explanation="",
        split=split,
    )


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(prompt) + "\n" for prompt in PROMPTS))
    return path


@pytest.fixture
def run(tmp_path, data):
    opened = []

    def model(side, text):
        def engine():
            opened.append(side)
            return ScriptedEngine([text])

        return Opened(engine, pytest.fail)

    config = EvaluateConfig(token_pictures=0)

    def run(*tasks, policy="WITHOUT A COMMA", reference='"with, a comma"', split="heldout_query"):
        models = {"policy": model("policy", policy), "reference": model("reference", reference)}
        with Sandbox(workers=1) as sandbox:
            return evaluate([verified(split)], models, sandbox, config, tasks, 0, tmp_path / "09_evaluate")

    run.opened = opened
    return run


def ifeval(data, **fields):
    return TaskConfig(task="ifeval", data=str(data), **fields)


def test_held_out_and_benchmark_in_one_go(run, data, tmp_path):
    scores = run(ifeval(data))
    assert scores.keys() == {"heldout", "ifeval"}
    assert scores["heldout"]["difference"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert run.opened == ["reference", "policy"]
    part = scores["ifeval"]
    assert (part["metric"], part["policy"], part["reference"], part["n"]) == (
        "prompt_level_strict",
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
        3,
    )
    assert part["metrics"]["inst_level_strict"]["policy"] == 2 / 4
    assert part["metrics"]["inst_level_strict"]["reference"] == 2 / 4
    assert part["difference"]["low"] < 0 < part["difference"]["high"]
    assert [(kind, row["policy"] - row["reference"]) for kind, row in part["by_kind"].items()] == [
        ("change_case:english_lowercase", -1.0),
        ("startend:quotation", -1.0),
        ("punctuation:no_comma", 1.0),
    ]
    json.dumps(scores)


def test_scores_are_those_of_the_same_answers_given_in_a_file(run, data, tmp_path):
    part = run(ifeval(data))["ifeval"]
    samples = [json.loads(line) for line in (tmp_path / "09_evaluate/samples/ifeval.jsonl").open()]
    assert [sample["id"] for sample in samples] == [1, 2, 3]
    for side in ("policy", "reference"):
        answers = tmp_path / f"{side}.jsonl"
        lines = ({"prompt": sample["prompt"], "response": sample[side]["text"]} for sample in samples)
        answers.write_text("".join(json.dumps(line) + "\n" for line in lines))
        given = score_responses("ifeval", data, answers)
        assert {name: metric[side] for name, metric in part["metrics"].items()} == {
            name: given[name] for name in part["metrics"]
        }
    average = part["metrics"]["average"]
    difference = average["difference"]
    assert difference["mean"] == pytest.approx(average["policy"] - average["reference"])
    assert difference["low"] <= difference["mean"] <= difference["high"]


def test_the_limit_takes_the_first_prompts(run, data):
    assert run(ifeval(data, limit=2))["ifeval"]["n"] == 2


def test_a_second_run_opens_no_model(run, data):
    first = run(ifeval(data))
    assert run(ifeval(data)) == first
    assert run.opened == ["reference", "policy"]


def test_without_held_out_instructions_the_tasks_are_evaluated_alone(run, data):
    assert run(ifeval(data), split="train").keys() == {"ifeval"}
    with pytest.raises(NothingToDoError, match="held out"):
        run(split="train")


def test_a_task_listed_twice_and_missing_data_are_refused_before_a_model_is_opened(run, data, tmp_path):
    with pytest.raises(InputError, match="ifeval is listed 2 times"):
        run(ifeval(data), ifeval(data))
    with pytest.raises(InputError, match="cannot be read"):
        run(ifeval(tmp_path / "nowhere.jsonl"))
    assert run.opened == []
