"""Verifiers put into words: what contradicts the instruction goes, whoever judges."""

import json

import pytest

from autoif.config_file import parse_config
from autoif.engines.base import Reply
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import EngineUnavailableError, InputError
from autoif.nli import load_nli
from autoif.records import Instruction, Outcome, Query, VerifiedInstruction, Verifier
from autoif.stages.back_translation import back_translation

QUERY = Query.make(text="What is tea?", source="test")
CONFIG = parse_config({"crosscheck": {"back_translation": "writer"}}, "test")


def outcome(*sources: str, origin: str = "model") -> Outcome[VerifiedInstruction]:
    instruction = Instruction.make(parent=QUERY.id, text="Use no commas.", origin=origin, queries=(QUERY,))
    verified = VerifiedInstruction.make(
        parent="c",
        instruction=instruction,
        verifiers=tuple(Verifier.make(source=source, origin=origin) for source in sources),
        cases=(),
        case_verdicts=((),) * len(sources),
        explanation="kept: they agree",
    )
    return Outcome(0, (verified,))


def writer(request) -> str:
    """Puts RIGHT and WRONG into words, and judges by them."""
    text = request.messages[-1]["content"]
    if "Verdict" in text:
        return "They differ.\nVerdict: " + ("contradiction" if "many commas" in text else "compatible")
    return "\nUse many commas." if "WRONG" in text else "Use no comma."


def run(given, engine=None, nli=None):
    (found,) = back_translation([given], CONFIG, engine or ScriptedEngine(writer), nli)
    return found


@pytest.mark.parametrize("nli", [None, lambda instruction, back: "many" in back])
def test_what_contradicts_is_left_out(nli):
    found = run(outcome("RIGHT", "WRONG", "RIGHT too"), nli=nli)
    (verified,) = found.kept
    assert [verifier.source for verifier in verified.verifiers] == ["RIGHT", "RIGHT too"]
    assert len(verified.case_verdicts) == 2
    assert verified.confidence == pytest.approx(2 / 3)
    assert verified.explanation == (
        "kept: they agree; 1 of 3 kept verifiers contradict the instruction when put into words and are left out"
    )
    assert verified.id != outcome("RIGHT", "WRONG", "RIGHT too").kept[0].id
    assert found.usage.completion_tokens > 0


def test_an_instruction_without_a_verifier_left_is_dropped_with_the_evidence():
    found = run(outcome("WRONG", "WRONG 2", "RIGHT"))
    assert found.kept == ()
    assert found.dropped[0].reason == "contradiction"
    assert found.dropped[0].what["back_translations"] == ["Use many commas."] * 2
    json.dumps(found.dropped[0].what)


def test_what_agrees_and_what_people_wrote_passes_untouched():
    given = outcome("RIGHT")
    assert run(given).kept == given.kept
    asked = []
    given = outcome("WRONG", origin="seed")
    assert run(given, ScriptedEngine(lambda request: asked.append(request) or "x")) == given
    assert asked == []
    dropped = Outcome(0)
    assert run(dropped) == dropped


def test_a_lost_or_senseless_reply_accuses_nobody():
    class Broken(ScriptedEngine):
        def generate(self, requests):
            for request in requests:
                yield Reply(request.id, "", "error", error="lost")

    given = outcome("WRONG")
    assert run(given, Broken([""])).kept == given.kept
    asked = []
    silent = ScriptedEngine(lambda request: asked.append(request) or "")
    assert run(given, silent).kept == given.kept
    assert len(asked) == 1  # there is nothing to judge
    assert run(given, ScriptedEngine(lambda request: "🍵")).kept == given.kept
    assert run(given, Broken([""]), nli=lambda *texts: True).kept == given.kept


@pytest.fixture(scope="module")
def tiny_nli(tmp_path_factory):
    """A random sequence classifier of three labels, saved as users would have one."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("nli")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    labels = {0: "Entailment", 1: "neutral", 2: "CONTRADICTION"}
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=13, id2label=labels, num_labels=3, **sizes)
    model = transformers.BertForSequenceClassification(config)
    model.save_pretrained(folder)
    return folder, model


@pytest.mark.parametrize("label", [0, 1, 2])
def test_the_nli_model_decides_by_its_contradiction_label(tiny_nli, label):
    folder, model = tiny_nli
    model.classifier.bias.data = 1000.0 * (model.classifier.bias.data.new_tensor(range(3)) == label)
    model.save_pretrained(folder)
    assert load_nli(str(folder))("a b", "c d " * 2000) is (label == 2)


def test_a_model_that_is_none_is_refused(tiny_nli, tmp_path):
    folder, _ = tiny_nli
    with pytest.raises(EngineUnavailableError, match="cannot be loaded"):
        load_nli(str(tmp_path))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"id2label": {0: "a", 1: "b", 2: "c"}}))
    with pytest.raises(InputError, match="has the labels a, b, c; expected one called contradiction"):
        load_nli(str(folder))
