import json

import pytest

from autoif.config import EvaluateConfig, SamplingConfig
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import EngineError, NothingToDoError
from autoif.evaluation.answers import sit
from autoif.evaluation.heldout import Heldout
from autoif.records import Instruction, Query, VerifiedInstruction, Verifier
from autoif.sandbox import Sandbox
from autoif.seeds import SEEDS

NO_COMMAS = "def evaluate(response: str) -> bool:\n    return ',' not in response\n"
UPPER = "def evaluate(response: str) -> bool:\n    return response.isupper()\n"
BROKEN = "def evaluate(response: str) -> bool:\n    return 1 / 0\n"
FORMAT = next(seed for seed in SEEDS if seed.kind == "format")


def verified(name, *sources, split="heldout_query", seed=None, queries=("What is rain?",)):
    asked = tuple(Query.make(text=text, source="test") for text in queries)
    instruction = Instruction.make(text=name, origin="seed" if seed else "model", queries=asked, seed=seed)
    verifiers = tuple(Verifier.make(source=source, origin="model") for source in sources)
    return VerifiedInstruction.make(instruction=instruction, verifiers=verifiers, cases=(), explanation="", split=split)


RECORDS = [
    verified("Use no commas.", NO_COMMAS),
    verified("Shout.", UPPER, split="heldout_instruction"),
    verified("Use a list.", NO_COMMAS, UPPER, BROKEN, seed=FORMAT.name, split="heldout_instruction"),
    verified("Train on this.", NO_COMMAS, split="train"),
]


def answers(request):
    """The policy shouts without commas; asked about snow it does not."""
    return "Snow, again." if "snow" in request.messages[0]["content"] else "WATER FROM CLOUDS"


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as box:
        yield box


@pytest.fixture
def run(sandbox, tmp_path):
    def run(policy=answers, reference="Water, from clouds.", records=RECORDS, config=None, **faults):
        engines = {
            side: lambda s=script: ScriptedEngine(s if callable(s) else [s], **faults)
            for side, script in (("policy", policy), ("reference", reference))
        }
        exam = Heldout(records, sandbox, config or EvaluateConfig(), 0)
        return sit([exam], engines, tmp_path)["heldout"]

    return run


def samples(folder):
    return [json.loads(line) for line in (folder / "samples/heldout.jsonl").open(encoding="utf-8")]


def test_compares_policy_and_reference_on_what_was_held_out(run, tmp_path):
    scores = run()
    assert (scores["policy"], scores["reference"], scores["n"], scores["lost"]) == (1.0, 0.0, 3, 0)
    assert scores["difference"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert scores["policy_interval"]["mean"] == 1.0
    assert {split: part["n"] for split, part in scores["by_split"].items()} == {
        "heldout_instruction": 2,
        "heldout_query": 1,
    }
    assert scores["by_kind"] == {
        "format": {"policy": 1.0, "reference": 0.0, "n": 1},
        "model": {"policy": 1.0, "reference": 0.0, "n": 2},
    }
    assert scores["mean_words"] == {"reference": 3.0, "policy": 3.0}
    assert scores["truncated"] == {"reference": 0.0, "policy": 0.0}
    json.dumps(scores)


def test_keeps_every_answer_with_its_pass_rate(run, tmp_path):
    run()
    lines = {line["instruction"]: line for line in samples(tmp_path)}
    assert lines.keys() == {"Use no commas.", "Shout.", "Use a list."}
    line = lines["Use a list."]
    assert line["policy"] == {"text": "WATER FROM CLOUDS", "truncated": False, "pass_rate": pytest.approx(2 / 3)}
    assert line["reference"] == {"text": "Water, from clouds.", "truncated": False, "pass_rate": 0.0}
    assert (line["query"], line["kind"], line["split"]) == ("What is rain?", "format", "heldout_instruction")


def test_what_got_worse_comes_first(run):
    records = [
        verified("Use a list.", UPPER, seed=FORMAT.name),
        verified("Use no commas.", NO_COMMAS),
    ]
    scores = run(policy="BIG, BIG", reference="small", records=records)
    assert [(kind, row["policy"], row["reference"]) for kind, row in scores["by_kind"].items()] == [
        ("model", 0.0, 1.0),
        ("format", 1.0, 0.0),
    ]
    assert scores["difference"]["low"] < scores["difference"]["mean"] == 0.0 < scores["difference"]["high"]


def test_an_instruction_scores_the_mean_over_its_queries_and_samples(run, tmp_path):
    records = [verified("Shout.", UPPER, queries=("Rain?", "snow?", "Hail?", "Sleet?"))]
    scores = run(records=records, config=EvaluateConfig(samples=2))
    assert (scores["policy"], scores["n"]) == (0.75, 1)
    assert len(samples(tmp_path)) == 8


def test_both_models_get_the_same_prompts_and_seeds(run):
    seen = {"policy": [], "reference": []}

    def record(side):
        def answer(request):
            seen[side].append(request)
            return "A"

        return answer

    run(policy=record("policy"), reference=record("reference"), config=EvaluateConfig(samples=2))
    assert seen["policy"] == seen["reference"]
    assert {request.messages[0]["content"] for request in seen["policy"]} == {
        f"What is rain?\n{text}" for text in ("Use no commas.", "Shout.", "Use a list.")
    }
    assert len({request.sampling.seed for request in seen["policy"]}) == 6


def test_the_limit_draws_the_same_instructions_whatever_their_order(run, tmp_path):
    records = [verified(f"Shout {number}.", UPPER) for number in range(20)]
    config = EvaluateConfig(heldout_limit=5)
    run(records=records, config=config)
    first = samples(tmp_path)
    run(records=records[::-1], config=config)
    assert samples(tmp_path) == first
    assert len(first) == 5


def test_counts_truncated_and_lost_answers(run):
    records = [verified(f"Shout {number}.", UPPER) for number in range(8)]
    config = EvaluateConfig(sampling=SamplingConfig(max_tokens=2))
    scores = run(policy="LOUD", reference="far too long for it", records=records, config=config)
    assert scores["truncated"] == {"reference": 1.0, "policy": 0.0}
    scores = run(policy="LOUDER", reference="quiet", records=records, error_every=4)
    assert (scores["n"], scores["lost"], scores["policy"]) == (6, 2, 1.0)


def test_answers_out_of_order_change_nothing(run, tmp_path):
    first = run()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    for path in files:
        path.unlink()
    assert run(window=3, seed=5) == first
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == files


def test_goes_on_where_it_stopped_and_ends_the_same(run, tmp_path):
    records = [verified(f"Shout {number}.", UPPER) for number in range(12)]
    whole = run(records=records)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    for path in files:
        path.unlink()
    with pytest.raises(EngineError):
        run(records=records, fail_after=5)
    log = tmp_path / "answers/heldout.reference.jsonl"
    assert len(log.read_bytes().splitlines()) == 5
    log.write_bytes(log.read_bytes()[:-7])  # killed while it wrote
    asked = []
    assert run(reference=lambda request: asked.append(request) or "Water, from clouds.", records=records) == whole
    assert len(asked) == 8
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")} == files
    assert run(policy=pytest.fail, reference=pytest.fail, records=records) == whole


def test_answers_to_another_prompt_or_sampling_are_not_used_again(run, tmp_path):
    run(policy="LOUD")
    run(policy="quiet", config=EvaluateConfig(sampling=SamplingConfig(max_tokens=99)))
    assert {line["policy"]["text"] for line in samples(tmp_path)} == {"quiet"}


def test_nothing_held_out_and_nothing_answered_are_said(run):
    with pytest.raises(NothingToDoError, match="no verified instruction was held out"):
        run(records=RECORDS[3:])
    with pytest.raises(NothingToDoError, match="answered by both"):
        run(error_every=1)
