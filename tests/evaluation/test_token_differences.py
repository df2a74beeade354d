import json
from functools import partial

import pytest

from autoif import chat
from autoif.config import EvaluateConfig
from autoif.evaluation.answers import SIDES
from autoif.evaluation.reader import read_all
from autoif.evaluation.token_differences import TokenDifferences
from autoif.prompts import user, user_prompt
from autoif.tokens import read_pictures
from autoif.training.load import load_policy

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

CONFIG = EvaluateConfig(token_pictures=2, token_prompts=4)


def sample(number, reference, policy, seed=None, query="Rain?", rates=(1.0, 0.0), truncated=False):
    sides = zip(("reference", "policy"), (reference, policy), rates, strict=True)
    answers = {side: {"text": text, "truncated": truncated, "pass_rate": rate} for side, text, rate in sides}
    return {"id": f"v{number}", "query": query, "instruction": "Shout.", "seed": seed, **answers}


SAMPLES = [
    sample(0, "Café 🙂!\n\n- yes", "No, <b>"),
    sample(0, "A second sample.", "Of both."),
    sample(1, "All right.", "All right, too.", seed="no_commas", rates=(1.0, 1.0)),
    sample(2, "Good.", "Bad.", seed="no_commas"),
    sample(3, "RAIN IS WA", "rain is", seed="shout", rates=(1.0, 0.0), truncated=True),
]


@pytest.fixture(scope="module")
def models(tiny_policy, tiny_llama):
    return {"reference": str(tiny_llama), "policy": str(tiny_policy)}


@pytest.fixture(scope="module")
def opened(models):
    return {side: partial(load_policy, path, "float32") for side, path in models.items()}


@pytest.fixture(scope="module")
def folder(opened, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    assert read_all([TokenDifferences(SAMPLES, CONFIG, 0)], opened, folder) == {}
    return folder


def everything(opened, folder, samples=SAMPLES, **fields):
    config = EvaluateConfig(token_pictures=len(samples), token_prompts=len(samples)).model_copy(update=fields)
    read_all([TokenDifferences(samples, config, 0)], opened, folder)
    return {picture.id: picture for picture in read_pictures(folder / "tokens/pictures.jsonl")}


def plain_logprobs(folder, prompt, completion):
    """The plain computation: all logits, log-softmax, the tokens' own entries."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([chat.encode(tokenizer, prompt + completion)])
    with torch.no_grad():
        logprobs = model(ids).logits.log_softmax(-1)
    count = len(chat.encode(tokenizer, completion))
    return logprobs[0, :-1].gather(1, ids[0, 1:, None])[-count:, 0].tolist()


def test_equals_a_plain_computation(opened, models, tokenizer, tmp_path):
    pictures = everything(opened, tmp_path)
    for number, side, text in ((0, 0, "Café 🙂!\n\n- yes<|eot_id|>"), (2, 1, "Bad.<|eot_id|>"), (3, 0, "RAIN IS WA")):
        answer = pictures[f"v{number}"].answers[side]
        assert "".join(span.text for span in answer.comparison.spans) == text
        assert answer.comparison.prompt == chat.render(tokenizer, [user(user_prompt("Rain?", "Shout."))])
        for name, path in models.items():
            found = [getattr(token, name).logprob for token in answer.comparison.tokens]
            assert found == pytest.approx(plain_logprobs(path, answer.comparison.prompt, text), abs=1e-4)
        assert answer.total == pytest.approx(answer.comparison.total, abs=1e-4)
        assert answer.count == len(answer.comparison.tokens)


def test_characters_of_several_tokens_are_whole_and_their_bytes_spelled(opened, tmp_path):
    spans = {span.text: span for span in everything(opened, tmp_path)["v0"].answers[0].comparison.spans}
    assert [token.text for token in spans["🙂"].tokens] == ["⟨F0⟩", "⟨9F⟩", "⟨99⟩", "⟨82⟩"]
    assert {"é", " ", "\n", "<|eot_id|>"} <= spans.keys()


def test_pictures_put_a_passing_beside_a_failing_answer_of_several_types_first(folder):
    pictures = list(read_pictures(folder / "tokens/pictures.jsonl"))
    assert len(pictures) == 2
    assert len({picture.type for picture in pictures}) == 2
    for picture in pictures:
        assert [answer.pass_rate for answer in picture.answers] == [1.0, 0.0]
        assert [answer.side for answer in picture.answers] == ["reference", "policy"]


def test_without_a_contrast_both_models_are_shown_and_equal_answers_once(opened, tmp_path):
    same = sample(1, "The same.", "The same.", rates=(0.0, 0.0))
    pictures = everything(opened, tmp_path, [same, sample(2, "One.", "Two.", rates=(0.0, 0.0))])
    assert [answer.side for answer in pictures["v2"].answers] == ["reference", "policy"]
    assert len(pictures["v1"].answers) == 1


def test_a_long_answer_is_cut_but_counted_whole(opened, tmp_path, monkeypatch):
    whole = everything(opened, tmp_path / "whole")["v0"].answers[0]
    monkeypatch.setattr("autoif.evaluation.token_differences.SHOWN", 5)
    cut = everything(opened, tmp_path / "cut")["v0"].answers[0]
    assert cut.comparison.spans == whole.comparison.spans[: len(cut.comparison.spans)]
    assert len(cut.comparison.spans) == 5 < len(whole.comparison.spans)
    assert cut.count == whole.count > len(cut.comparison.tokens)
    assert cut.total == whole.total


def test_what_moved_is_counted_over_one_answer_of_each_model(folder):
    moved = json.loads((folder / "tokens/moved.json").read_text())
    assert moved["all"]["answers"] == 2 * CONFIG.token_prompts
    assert {type: row["answers"] for type, row in moved["types"].items()} == {"no_commas": 4, "model": 2, "shout": 2}
    letters = sum(len(f"{s[side]['text']}".encode()) for s in SAMPLES if s is not SAMPLES[1] for side in SIDES)
    many = sum(len(span) - 1 for span in ("é".encode(), "🙂".encode()))
    ends = 2 * 3  # the answers of the last sample were cut
    assert moved["all"]["count"] == letters - many + ends


def test_each_model_is_opened_once_one_after_the_other_and_never_again(opened, folder, tmp_path):
    said = []

    def saying(side):
        said.append(side)
        return opened[side]()

    sides = {side: partial(saying, side) for side in ("policy", "reference")}
    read_all([TokenDifferences(SAMPLES, CONFIG, 0), TokenDifferences(SAMPLES, CONFIG, 1)], sides, tmp_path)
    assert said == ["reference", "policy"]
    before = (tmp_path / "tokens/moved.json").read_bytes()
    read_all([TokenDifferences(SAMPLES, CONFIG, 1)], dict.fromkeys(sides, pytest.fail), tmp_path)
    assert (tmp_path / "tokens/moved.json").read_bytes() == before


def test_goes_on_after_a_kill(opened, folder, tmp_path):
    read_all([TokenDifferences(SAMPLES, CONFIG, 0)], opened, tmp_path)
    log = tmp_path / "answers/tokens.policy.jsonl"
    complete = log.read_bytes()
    log.write_bytes(complete[: len(complete) // 2])
    read_all([TokenDifferences(SAMPLES, CONFIG, 0)], {**opened, "reference": pytest.fail}, tmp_path)
    assert log.read_bytes() == complete
    for name in ("tokens/pictures.jsonl", "tokens/moved.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_log_keeps_alternatives_of_pictures_only(folder):
    lines = [json.loads(line)["value"] for line in (folder / "answers/tokens.policy.jsonl").open()]
    sizes = [{len(reading[2]) for _, tokens in value[2] for _, reading in tokens} for value in lines]
    assert sizes.count({4}) == 4
    assert sizes.count({0}) == len(sizes) - 4 > 0
