"""Stage 7: which completions meet, and which prompts give no pair."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.config_file import parse_config
from autoif.contamination import Contamination
from autoif.errors import InputError
from autoif.records import Completion, Instruction, ScoredCompletion, TestCase, VerifiedInstruction
from autoif.stages.pairs import pairs, scored_cases


def scored(text: str, rate: float, quality: int | None = None, query: str = "q", cut: bool = False) -> ScoredCompletion:
    completion = Completion.make(
        parent="v", query=query, instruction="i", prompt=f"{query}\ni", text=text, sample=0, tokens=1, cut=cut
    )
    return ScoredCompletion.make(
        parent=completion.id, completion=completion, verdicts=("TRUE",), pass_rate=rate, quality=quality
    )


def run(completions, contaminated=lambda prompt: [], **sections):
    (outcome,) = pairs(enumerate([completions]), parse_config(sections, "test"), contaminated)
    return outcome


def texts(outcome):
    return [(pair.chosen[0]["content"], pair.rejected[0]["content"]) for pair in outcome.kept]


GOOD = [scored("g1", 1.0), scored("g2", 0.5)]
BAD = [scored("b1", 0.0), scored("b2", 0.0), scored("b3", 0.0)]


def test_a_rejected_answer_that_was_cut_ends_where_its_loop_is_plain():
    loop = "You see a cat. " * 50
    (pair,) = run([scored("good", 1.0), scored(loop, 0.0, cut=True)]).kept
    assert pair.rejected[0]["content"] == ("You see a cat. " * 4)[: len(pair.rejected[0]["content"])]
    assert pair.rejected_cut


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("cycle", [("g1", "b1"), ("g2", "b2"), ("g1", "b3")]),
        ("product", [(g, b) for g in ("g1", "g2") for b in ("b1", "b2", "b3")]),
        ("best_worst", [("g1", "b1")]),
        ("max_reuse", [("g1", "b1"), ("g2", "b2")]),
    ],
)
def test_pairing(pairing, expected):
    assert texts(run(GOOD + BAD, pairs={"pairing": pairing, "max_reuse": 1})) == expected


def test_cycle_repeats_whichever_list_is_shorter():
    assert texts(run(BAD[:1] + GOOD)) == [("g1", "b1"), ("g2", "b1")]


def test_closest_goes_by_length():
    good = [scored("g" * length, 1.0) for length in (9, 30, 2)]
    bad = [scored("b" * length, 0.0) for length in (200, 28, 8, 29)]
    found = texts(run(good + bad, pairs={"pairing": "closest", "max_reuse": 1}))
    assert [(len(chosen), len(rejected)) for chosen, rejected in found] == [(9, 8), (30, 29), (2, 28)]


def test_closest_matches_answers_that_were_cut_apart():
    cut = scored("b" * 3, 0.0, cut=True)
    found = run([scored("gg", 1.0), cut, scored("b" * 99, 0.0)], pairs={"pairing": "closest", "max_reuse": 1}).kept
    assert [(len(pair.rejected[0]["content"]), pair.rejected_cut) for pair in found] == [(99, False), (3, True)]


def test_an_answer_that_loops_is_not_chosen():
    outcome = run([scored("You see a cat. " * 9, 1.0), *BAD])
    assert [drop.reason for drop in outcome.dropped] == ["loop", "no_contrast"]


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.sampled_from(["max_reuse", "closest"]))
def test_max_reuse_is_a_limit(chosen, rejected, uses, pairing):
    scores = [scored(f"g{n}", 1.0) for n in range(chosen)] + [scored(f"b{n}", 0.0) for n in range(rejected)]
    found = texts(run(scores, pairs={"pairing": pairing, "max_reuse": uses}))
    assert max(Counter(text for pair in found for text in pair).values()) <= uses
    assert len(set(found)) == len(found) >= min(chosen, rejected)


def test_the_format_is_trls_and_names_its_parents():
    pair = run(GOOD[:1] + BAD[:1]).kept[0]
    assert pair.prompt == [{"role": "user", "content": "q\ni"}]
    assert pair.chosen == [{"role": "assistant", "content": "g1"}]
    assert (pair.chosen_id, pair.rejected_id) == (GOOD[0].completion.id, BAD[0].completion.id)
    assert (pair.chosen_score, pair.rejected_score, pair.parent) == (1.0, 0.0, "v")


def test_no_contrast_between_is_told_with_the_pass_rates():
    outcome = run([scored("a", 0.25), scored("b", 1.0)])
    assert [(drop.reason, drop.what["pass_rates"]) for drop in outcome.dropped] == [("no_contrast", [0.25, 1.0])]


def test_prompts_of_one_instruction_do_not_mix():
    outcome = run([scored("g", 1.0, query="q1"), scored("b", 0.0, query="q2")])
    assert [drop.reason for drop in outcome.dropped] == ["no_contrast", "no_contrast"]


def test_answers_that_pass_but_serve_nobody_are_off_topic():
    scores = [scored("g1", 1.0, quality=3), scored("g2", 1.0, quality=9), scored("g3", 1.0), *BAD]
    outcome = run(scores, scores={"quality": True}, pairs={"pairing": "best_worst"})
    assert texts(outcome) == [("g2", "b1")]
    assert [drop.reason for drop in outcome.dropped] == ["off_topic", "off_topic"]


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ('The word "people" should appear exactly once; other forms do not count.', True),
        ("PEOPLE should appear exactly once - other things I leave out.", True),
        ("As a rule of thumb, people are kind.", False),  # quoted, for the answer to use
        ("How do people behave in large crowds? They follow.", False),  # the query's words
        ("It should appear exactly once.", True),  # every word but one
        ("The word is exactly what people follow in crowds, large ones too.", False),
        ("...", False),
    ],
)
def test_an_answer_that_passes_by_repeating_the_instruction_is_not_chosen(text, echo):
    query = "How do people behave in large crowds?"
    instruction = (
        'The word "people" should appear exactly once; other forms do not count. Say "as a rule of thumb, people", '
        "and how do people behave in large crowds."
    )
    fields = {"query": query, "instruction": instruction, "prompt": f"{query}\n{instruction}", "sample": 0, "tokens": 1}
    passed, failed = (
        ScoredCompletion.make(
            parent=text, completion=Completion.make(parent="v", text=text, **fields), verdicts=(), pass_rate=rate
        )
        for rate in (1.0, 0.0)
    )
    assert [drop.reason for drop in run([passed, failed]).dropped] == (["echo", "no_contrast"] if echo else [])


def test_cases_on_which_writer_and_verifiers_agree_make_pairs_for_the_bare_instruction():
    def verified(split, *cases):
        return VerifiedInstruction.make(
            instruction=Instruction.make(text="Be brief.", origin="seed", queries=()),
            verifiers=(),
            cases=tuple(TestCase.make(response=text, follows=follows, origin="seed") for text, follows, _ in cases),
            case_verdicts=(tuple(verdict for *_, verdict in cases),),
            explanation="kept",
            confidence=0.9,
            split=split,
        )

    good, bad, wrong = ("ok", True, "TRUE"), ("so long", False, "FALSE"), ("eh", True, "FALSE")
    groups = list(scored_cases([verified("heldout_query", good), verified("train", good, bad, wrong)] * 2))
    assert [[score.completion.text for score in group] for group in groups] == [["ok", "so long"]]
    (pair,) = run(groups[0], scores={"quality": True}).kept
    assert (pair.prompt[0]["content"], pair.confidence) == ("Be brief.", 0.9)
    assert (pair.chosen[0]["content"], pair.rejected[0]["content"]) == ("ok", "so long")


def test_contaminated_prompts(tmp_path):
    words = " ".join(f"word{n}" for n in range(14))
    (tmp_path / "bench.jsonl").write_text('{"prompt": "' + words + '", "n": [1, {"x": "y"}]}\nplain line\n')
    contaminated = Contamination.of_files([str(tmp_path / "bench.jsonl")])
    assert contaminated(f"Please: {words.upper()}!") == [str(tmp_path / "bench.jsonl")]
    assert contaminated(" ".join(words.split()[:12])) == []
    (drop,) = run(GOOD + BAD, lambda prompt: ["bench"]).dropped
    assert (drop.reason, drop.what["benchmarks"]) == ("contaminated", ["bench"])
    with pytest.raises(InputError, match="cannot be read"):
        Contamination.of_files(["/nonexistent"])
