"""Which family of verifiers is believed, with the real sandbox giving the verdicts."""

import pytest

from autoif.crosscheck import Decision, Trial, agreement, labels, probes
from autoif.crosscheck.agreement import confidence, kappa
from autoif.sandbox import Sandbox

CASES = [("", True), ("one two", False)]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as box:
        yield box


def functions(*bodies: str) -> list[str]:
    return [f"def evaluate(response):\n    return {body}\n" for body in bodies]


def decide(sandbox, instruction, sources, min_confidence=0.9, examples=(), cases=CASES) -> Decision:
    trial = Trial(instruction, sources, [text for text, _ in cases], probes(instruction))
    follows = [label for _, label in cases]
    return agreement(trial, trial.run(sandbox), follows, examples, min_confidence=min_confidence)


LONG = functions("len(response.split()) >= 10", "sum(1 for w in response.split()) >= 10", "len(response) > 60")


def test_sources_that_differ_and_agree_are_kept(sandbox):
    decision = decide(sandbox, "Use at least 10 words.", LONG)
    assert decision.reason is None
    assert decision.verifiers == (0, 1)
    assert decision.cases == (1,)  # the writer was wrong about the other one
    assert decision.explanation.startswith("kept: 2 of 3 verifiers, 2 of different source, agree on 2 cases and ")


def test_copies_count_once(sandbox):
    copies = [LONG[0], LONG[0].replace("    return", "    # words\n    return")]
    decision = decide(sandbox, "Use at least 10 words.", copies)
    count = len(probes("Use at least 10 words."))
    assert decision.reason == "below_threshold"
    assert decision.explanation == (
        f"dropped: no two of 2 verifiers differ in source and agree on 2 cases and {count} answers"
    )
    assert decide(sandbox, "Use at least 10 words.", LONG, examples=[LONG[0]]).reason == "below_threshold"


def test_words_of_an_example_that_nobody_asked_about_are_no_evidence(sandbox):
    each = "response.split()"
    words = functions(f"not {{'the', 'an'}} & set({each})", f"all(w not in ['the', 'an'] for w in {each})")
    assert decide(sandbox, "Be long.", words).verifiers == (0, 1)
    shown = functions("'the' in response")
    assert decide(sandbox, "Be long.", words, examples=shown).reason == "below_threshold"
    assert decide(sandbox, "Avoid the articles the and an.", words, examples=shown).reason is None


def test_near_agreement_needs_more_sources(sandbox):
    near = functions("len(response) > 40", "len(response) > 42", "len(response) > 44")
    assert decide(sandbox, "Be long.", near[:2]).reason == "below_threshold"
    assert decide(sandbox, "Be long.", near).verifiers == (0, 1, 2)
    assert decide(sandbox, "Be long.", near[:2], min_confidence=0.75).verifiers == (0, 1)


def test_the_number_has_to_be_minded(sandbox):
    sources = functions("'[' in response", "response.count('[') > 0")
    assert decide(sandbox, "Use at least 3 brackets.", sources).explanation == (
        "dropped: the verifiers that agree ignore the number 3"
    )
    sources = functions("response.count('[') > 2", "len(response.split('[')) > 3")
    assert decide(sandbox, "Use at least 3 brackets.", sources, cases=[("[[[", True)]).cases == (0,)


def test_every_quoted_word_has_to_be_minded(sandbox):
    one = functions("any(w in response for w in ['tea', 'milk'])", "'tea' in response or 'milk' in response")
    both = functions("all(w in response for w in ['tea', 'milk'])", "'tea' in response and 'milk' in response")
    cases = [("tea and milk", True), ("x", False)]
    decision = decide(sandbox, 'Mention "tea" and "milk".', one, cases=cases)
    assert (decision.reason, decision.explanation) == (
        "contradiction",
        'dropped: the verifiers that agree ignore "tea"',
    )
    assert decide(sandbox, 'Mention "tea" and "milk".', one + one[:1] + both, cases=cases).verifiers == (3, 4)
    assert decide(sandbox, 'Mention "tea" or "milk".', one, cases=cases).verifiers == (0, 1)


@pytest.mark.parametrize(
    "instruction",
    [
        'Use the word "sun" at least 3 times.',
        'Say "sun" and use no more than 3 words.',
        'Mention "sun" or say it 3 times.',
    ],
)
def test_a_word_that_the_texts_cannot_decide_accuses_nobody(sandbox, instruction):
    sources = functions("response.count('sun') >= 3", "len(response.split('sun')) > 3")
    assert decide(sandbox, instruction, sources, cases=[("sun sun sun", True)]).verifiers == (0, 1)


@pytest.mark.parametrize(
    ("reason", "sources"),
    [
        ("does_not_compile", ["def evaluate(", "x ="]),
        ("one_polarity", functions("True", "1 == 1")),
        ("one_polarity", functions("False", "response[10**6] == 'a'")),
        ("not_boolean", functions("1", "'yes'")),
        (
            "nondeterministic",
            ["import random\n" + s for s in functions("random.random() > .5", "random.random() > .4")],
        ),
    ],
)
def test_reasons(sandbox, reason, sources):
    assert decide(sandbox, "Be nice.", sources).reason == reason


WORDS = "response.split()"


@pytest.mark.parametrize(
    ("instruction", "ignored", "wrong", "right"),
    [
        (
            'Use "baby" in lowercase.',
            '"lowercase" (case)',
            ("'baby' in response.lower()", "response.lower().find('baby') >= 0"),
            ("'baby' in response", "response.find('baby') >= 0"),
        ),
        (
            "Start with a word whose first letter is m, small or capital.",
            '"Start" (place)',
            ("any(w[0] in 'mM' for w in response.split())", "bool({w[0] for w in response.split()} & set('mM'))"),
            ("response.strip()[:1] in tuple('mM')", "response.strip().startswith(('m', 'M'))"),
        ),
        (
            "Name the rivers in alphabetical order.",
            '"alphabetical" (order)',
            (f"len({WORDS}) >= 4", f"not len({WORDS}) < 4"),
            (f"sorted({WORDS}) == {WORDS}", f"{WORDS} == sorted({WORDS})"),
        ),
        (
            'Use "temperature" as the only word.',
            '"only" (nothing else)',
            ("'temperature' in response", "response.find('temperature') >= 0"),
            (f"{WORDS} == ['temperature']", "response.strip() == 'temperature'"),
        ),
        (
            "Write a single sentence.",
            '"sentence" (sentences)',
            (f"len({WORDS}) <= 25", f"not len({WORDS}) > 25"),
            ("sum(mark in '.!?' for mark in response) == 1", "sum(response.count(mark) for mark in '.!?') == 1"),
        ),
        (
            "Use no commas.",
            '"commas" (marks)',
            (f"len({WORDS}) <= 25", f"not len({WORDS}) > 25"),
            ("',' not in response", "response.count(',') == 0"),
        ),
        (
            "Put the word to in the first line.",
            '"line" (lines)',
            ("response.startswith('to')", "response[:2] == 'to'"),
            ("'to' in response.split('\\n')[0]", "'to' in response.partition('\\n')[0]"),
        ),
        (
            "Use around 20 words.",
            '"around 20" (no more)',
            (f"len({WORDS}) >= 20", f"not len({WORDS}) < 20"),
            (f"15 <= len({WORDS}) <= 20", f"len({WORDS}) in range(15, 21)"),
        ),
        (
            "Use around 20 words.",
            '"around 20" (no fewer)',
            (f"len({WORDS}) <= 20", f"not len({WORDS}) > 20"),
            (f"15 <= len({WORDS}) <= 20", f"len({WORDS}) in range(15, 21)"),
        ),
    ],
)
def test_what_the_instruction_asks_for_must_matter(sandbox, instruction, ignored, wrong, right):
    """Most of the wrong checks were written twice by a 1.5B writer (docs/experiments.md)."""
    cases = [("to temperature", True), ("temperature", True), ("m one", True), ("a", False)]
    decision = decide(sandbox, instruction, functions(*wrong), cases=cases)
    assert decision.explanation == f"dropped: the verifiers that agree ignore {ignored}"
    assert decide(sandbox, instruction, functions(*right), cases=cases).reason is None


def test_an_instruction_without_test_cases_can_be_kept(sandbox):
    assert decide(sandbox, "Use at least 10 words.", LONG, cases=[]).verifiers == (0, 1)


def test_labels_are_silent_where_members_differ(sandbox):
    sources = functions("len(response) > 2", "len(response) > 3", "len(response) > 4 or response == 'abcd'")
    trial = Trial("Be long.", sources, [], ["a", "abc", "abcd"], toggled=False)
    tried = trial.run(sandbox)
    assert labels(tried, sources, 0.9) == ["FALSE", None, "TRUE"]
    assert labels(tried[:2], sources[:2], 0.9) == [None] * 3  # two that part on real answers are too few
    assert labels(tried[1:], sources[1:], 0.9) == ["FALSE", "FALSE", "TRUE"]


def test_confidence_grows_with_what_agrees_and_how_far():
    other, spelled = functions("not re.search(',', response)", "',' not in response and True")
    one = functions("',' not in response")[0]
    near = functions(*(f"len(response) > {n}" for n in (1, 2, 3)))
    ranks = [confidence([one], True), confidence(near[:2], False), confidence([one, spelled], True)]
    ranks += [confidence(near, False), confidence([one, other], True)]
    assert ranks == sorted(set(ranks))
    assert ranks[0] == 0


def test_a_family_whose_labels_hang_on_other_things_is_not_believed(sandbox):
    capitals = functions("response != response.lower()", "not response == response.lower()")
    assert decide(sandbox, "Use at least one capital letter.", capitals).reason is None
    assert decide(sandbox, "Be kind.", capitals).reason == "below_threshold"


def test_kappa():
    assert kappa("TTFF", "TTFF") == 1
    assert kappa("TTFF", "FFTT") == -1
    assert kappa("TTTT", "TTTT") == 0
    assert kappa("TTFF", "TFTF") == 0


def test_what_the_writer_broke_must_be_noticed(sandbox):
    cases = [("one two three four five six seven eight nine ten", True), ("one two", False), ("up to ten " * 9, False)]

    def reason(mutations):
        instruction = "Use at least 10 words."
        trial = Trial(instruction, LONG, [text for text, _ in cases], probes(instruction), mutations)
        return agreement(trial, trial.run(sandbox), [label for _, label in cases])

    assert reason({}).reason is None
    assert reason({1: 0, 2: 0}).reason is None  # one of two is enough
    assert reason({2: 1}).reason is None  # the broken one does not pass
    assert reason({2: 0}).explanation == "dropped: the verifiers that agree ignore how the writer broke test cases"
