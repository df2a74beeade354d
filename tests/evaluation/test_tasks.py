import json
import random

import pytest

from autoif.errors import InputError
from autoif.evaluation.ifbench import loose_readings
from autoif.evaluation.tasks import score_responses

pytestmark = pytest.mark.usefixtures("shared_nltk")

COMMA = {
    "prompt": "Say hello without commas.",
    "instruction_id_list": ["punctuation:no_comma"],
    "kwargs": [{}],
    "key": 1,
}


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def answer(text, prompt=COMMA["prompt"]):
    return {"prompt": prompt, "response": text}


@pytest.fixture
def run(tmp_path):
    def run(prompts, responses, task="ifeval"):
        return score_responses(
            task, write(tmp_path / "data.jsonl", prompts), write(tmp_path / "answers.jsonl", responses)
        )

    return run


def recorded_answers(prompts):
    """Varied answers that follow some of the instructions: echoes, case changes, bullets, JSON, German."""
    rng = random.Random(0)
    forms = [
        lambda p: p,
        lambda p: p.upper(),
        lambda p: p.lower().replace(",", ""),
        lambda p: "* one\n* two\n* three\n" + p.replace(",", ";"),
        lambda p: f"<<A title>>\n\n{p}\n***\nP.S. *more* of [this] and [that]",
        lambda p: json.dumps({"answer": p}),
        lambda p: f'"{p}"',
        lambda p: "Der Hund läuft schnell durch den Wald und bellt die Katze an.",
        lambda p: "word " * rng.randrange(1, 600),
        lambda p: "  \n",
        lambda p: f"Sure!\n{p}\nIs there anything else I can help with?",
        lambda p: "\n\n".join(p.split(". ")),
    ]
    return [answer(rng.choice(forms)(p["prompt"]), p["prompt"]) for p in prompts]


def test_equals_lm_eval_to_the_last_digit(ifeval_data, tmp_path):
    from langdetect import DetectorFactory
    from lm_eval.api.metrics import mean
    from lm_eval.tasks.ifeval.utils import agg_inst_level_acc, process_results

    prompts = [json.loads(line) for line in ifeval_data.open()]
    responses = recorded_answers(prompts)
    theirs = []
    for prompt, response in zip(prompts, responses, strict=True):
        random.seed(0)
        DetectorFactory.seed = 0
        theirs.append(process_results(prompt, [response["response"]]))
    ours = score_responses("ifeval", ifeval_data, write(tmp_path / "answers.jsonl", responses))
    for reading in ("strict", "loose"):
        whole, each = f"prompt_level_{reading}", f"inst_level_{reading}"
        assert ours[whole] == mean([row[f"{whole}_acc"] for row in theirs])
        assert ours[each] == agg_inst_level_acc([row[f"{each}_acc"] for row in theirs])
        assert 0.02 < ours[whole] < ours[each] < 0.98
    assert ours["average"] == pytest.approx(sum(v for k, v in ours.items() if "_level_" in k) / 4)
    assert (ours["n"], ours["instructions"], ours["missing"], ours["extra"]) == (541, 834, 0, 0)
    assert ours["broken_checkers"] == {}
    assert sum(row["n"] for row in ours["by_instruction"].values()) == 834
    rates = [row["strict"] for row in ours["by_instruction"].values()]
    assert rates == sorted(rates)
    for name, interval in ours["intervals"].items():
        assert interval["low"] < interval["mean"] == ours[name] < interval["high"]


def test_scoring_twice_gives_the_same_and_leaves_random_alone(ifeval_data, tmp_path):
    prompts = [json.loads(line) for line in ifeval_data.open()][:40]
    data, answers = write(tmp_path / "data.jsonl", prompts), write(tmp_path / "a.jsonl", recorded_answers(prompts))
    random.seed(5)
    before = random.getstate()
    first = score_responses("ifeval", data, answers)
    assert random.getstate() == before
    random.seed(6)
    assert score_responses("ifeval", data, answers) == first


def test_counts_missing_extra_and_empty_answers_as_what_they_are(run):
    other = {**COMMA, "prompt": "Say goodbye without commas."}
    third = {**COMMA, "prompt": "Say nothing."}
    scores = run([COMMA, other, third], [answer("Hello"), answer(" \n", third["prompt"]), answer("Hi", "Who?")])
    assert (scores["missing"], scores["extra"], scores["empty"], scores["n"]) == (1, 1, 1, 3)
    assert scores["prompt_level_strict"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("task", ["ifeval", "ifbench"])
def test_an_unknown_instruction_fails(run, task):
    known = {"ifeval": "punctuation:no_comma", "ifbench": "format:no_whitespace"}[task]
    prompt = {**COMMA, "instruction_id_list": ["made:up", known], "kwargs": [{}, {}]}
    scores = run([prompt], [answer("Hello")], task)
    assert (scores["prompt_level_loose"], scores["inst_level_loose"]) == (0, 0.5)
    assert scores["unknown_instructions"] == {"made:up": 1}
    only = run([{**COMMA, "instruction_id_list": ["made:up"]}], [answer("Hello")], task)
    assert only["prompt_level_strict"] == only["inst_level_loose"] == 0


@pytest.mark.parametrize("task", ["ifeval", "ifbench"])
def test_the_same_instruction_twice_in_a_prompt_counts_twice(run, task):
    id, yes, no = {
        "ifeval": ("keywords:existence", {"keywords": ["alpha"]}, {"keywords": ["beta"]}),
        "ifbench": ("count:numbers", {"N": 2}, {"N": 5}),
    }[task]
    for kwargs in ([yes, no], [no, yes]):
        scores = run([{**COMMA, "instruction_id_list": [id, id], "kwargs": kwargs}], [answer("alpha 1 2")], task)
        assert (scores["prompt_level_strict"], scores["inst_level_strict"]) == (0, 0.5)
        assert scores["by_instruction"] == {id: {"strict": 0.5, "loose": 0.5, "n": 2}}


def test_a_checker_that_breaks_fails_alone_and_is_counted(run):
    prompt = {**COMMA, "instruction_id_list": ["punctuation:no_comma"] * 2, "kwargs": [{}, {"surprise": 1}]}
    scores = run([prompt], [answer("Hello")])
    assert scores["inst_level_strict"] == 0.5
    assert scores["broken_checkers"] == {"punctuation:no_comma": 1}


def test_loose_forgives_first_and_last_lines(run):
    scores = run([COMMA], [answer("Sure, here it is:\nHello *you*")])
    assert (scores["prompt_level_strict"], scores["prompt_level_loose"]) == (0, 1)


def test_prompts_match_without_the_space_around_them(run):
    scores = run([{**COMMA, "prompt": " Padded \n"}], [answer("Hello", "Padded")])
    assert (scores["prompt_level_strict"], scores["extra"]) == (1, 0)


def test_odd_text_is_scored_not_refused(run):
    scores = run([COMMA], [answer("NUL \0, surrogate \ud800, emoji 🙂")])
    assert scores["prompt_level_strict"] == 0


def test_an_answer_in_no_language_is_not_logged(run, caplog):
    english = {"instruction_id_list": ["language:response_language"], "kwargs": [{"language": "en"}]}
    scores = run([COMMA | english], [answer("***\n" * 50)])
    assert scores["prompt_level_strict"] == 1  # as lm-eval has it
    assert not caplog.records


def test_ifbench_scores_its_own_prompts(ifbench_data, tmp_path):
    prompts = [json.loads(line) for line in ifbench_data.open()]
    words = ["kaleidoscope"] + ["nebula"] * 2 + ["whisper"] * 3 + ["labyrinth"] * 5 + ["paradox"] * 7
    good = [answer(" ".join(words), p["prompt"]) for p in prompts[:1]]
    bad = [answer("A plain reply.", p["prompt"]) for p in prompts[1:]]
    scores = score_responses("ifbench", ifbench_data, write(tmp_path / "a.jsonl", [*good, *bad]))
    assert scores["prompt_level_strict"] == scores["inst_level_strict"] == 1 / 20
    assert scores["by_instruction"]["count:keywords_multiple"] == {"strict": 0.2, "loose": 0.2, "n": 5}
    assert scores["scorer"].startswith(("ifbench ", "if-verifiable "))


def test_the_loose_readings_are_the_eight_of_ifeval():
    assert loose_readings("a\n*b*\nc") == ["a\n*b*\nc", "*b*\nc", "a\n*b*", "*b*", "a\nb\nc", "b\nc", "a\nb", "b"]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (b'{"prompt": "p"}\n', ":1: expected"),
        (b'{"prompt": "p", "response": null}\n', ":1: expected"),
        (b'{"prompt": "p", "response": "a"}\n\n{"prompt": "p", "response": "b"}\n', ":3: a second answer"),
        (b'{"prompt": "p", "response": "a"}\n{"prompt": \n', ":2: is not JSON"),
        (b'\xff\xfe{"prompt": "p"}\n', ":1: is not JSON in UTF-8"),
        (b"[1, 2]\n", ":1: expected a JSON object, found list"),
        (b"[" * 100_000 + b"\n", ":1: is not JSON"),
        (b'{"prompt": "unasked", "response": "a"}\n', "none of its prompts"),
        (b"", "none of its prompts"),
    ],
)
def test_malformed_responses_are_refused_with_their_line(tmp_path, lines, what):
    (tmp_path / "answers.jsonl").write_bytes(lines)
    with pytest.raises(InputError, match=what):
        score_responses("ifeval", write(tmp_path / "data.jsonl", [COMMA]), tmp_path / "answers.jsonl")


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": 3},
        {"kwargs": []},
        {"kwargs": [None]},
        {"instruction_id_list": "punctuation:no_comma"},
        {"instruction_id_list": [], "kwargs": []},
    ],
)
def test_malformed_prompts_are_refused_with_their_line(tmp_path, change):
    data = write(tmp_path / "data.jsonl", [COMMA, {**COMMA, **change}])
    with pytest.raises(InputError, match=r"data.jsonl:2: expected"):
        score_responses("ifeval", data, write(tmp_path / "a.jsonl", [answer("Hello")]))


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.jsonl: cannot be read"):
        score_responses("ifeval", tmp_path / "nowhere.jsonl", tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="holds no prompts"):
        score_responses("ifeval", write(tmp_path / "d.jsonl", []), write(tmp_path / "a.jsonl", []))


def test_missing_nltk_data_is_said_before_anything_is_scored(run, monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setattr(nltk, "download", lambda *_, **__: pytest.fail("downloaded"))
    with pytest.raises(InputError, match=r"IFEval needs the NLTK data tokenizers/punkt_tab: run .* or set NLTK_DATA"):
        run([COMMA], [answer("Hello")])
    verb = {**COMMA, "instruction_id_list": ["words:start_verb"]}
    with pytest.raises(InputError, match=r"nltk.downloader punkt_tab averaged_perceptron_tagger_eng"):
        run([verb], [answer("Hello")], "ifbench")
