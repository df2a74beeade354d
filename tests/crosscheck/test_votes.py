"""The decision over the verdict matrix, case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.crosscheck import crosscheck

T, F = "TRUE", "FALSE"


def decide(verdicts, follows, deterministic=None, responses=None, **thresholds):
    return crosscheck(verdicts, follows, deterministic or [True] * len(verdicts), responses, **thresholds)


def test_functions_and_cases_that_agree_are_kept():
    decision = decide([[T, F, T], [T, F, F], [F, T, F]], [True, False, True])
    assert decision.reason is None
    assert decision.cases == (0, 1)
    assert decision.verifiers == (0, 1)
    assert decision.explanation == ("kept: 2 of 3 verifiers agree with 2 test cases (1 that follow, 1 that do not)")


@pytest.mark.parametrize(
    ("reason", "verdicts", "follows"),
    [
        ("does_not_compile", [["NO_COMPILE", "NO_COMPILE"]] * 3, [True, False]),
        ("does_not_compile", [], [True]),
        ("no_test_case", [[], []], []),
        ("not_boolean", [["NOT_BOOL", T]] * 2, [True, False]),
        ("not_boolean", [["ERROR", "ERROR"]] * 2, [True, False]),
        ("below_threshold", [[F, T]] * 2, [True, False]),
        ("below_threshold", [[T, F], [F, T]], [True, False]),
        ("one_polarity", [[T, T]] * 2, [True, True]),
    ],
)
def test_reasons(reason, verdicts, follows):
    assert decide(verdicts, follows).reason == reason


def test_one_true_that_is_not_a_bool_spoils_the_function():
    decision = decide([[T, F], [T, F], [T, "NOT_BOOL"]], [True, False])
    assert decision.verifiers == (0, 1)


def test_functions_that_change_their_mind_are_left_out():
    assert decide([[T, F]] * 3, [True, False], [True, True, False]).verifiers == (0, 1)
    assert decide([[T, F]] * 2, [True, False], [False, False]).reason == "nondeterministic"


def test_a_response_labelled_both_ways_counts_for_nothing():
    decision = decide([[T, T, F]] * 2, [True, False, False], responses=["same", "same", "other"], min_cases=1)
    assert decision.reason == "one_polarity"
    assert decide([[T, T]] * 2, [True, False], responses=["same", "same"]).reason == "contradiction"


def test_a_hand_written_seed_needs_one_function():
    assert decide([[T, F]], [True, False]).reason == "below_threshold"
    assert decide([[T, F]], [True, False], min_verifiers=1).reason is None


VERDICT = st.sampled_from(["TRUE", "FALSE", "NOT_BOOL", "ERROR", "TIMEOUT", "CRASH", "SKIPPED"])


@given(st.data(), st.integers(0, 5), st.integers(0, 5))
def test_what_is_kept_meets_every_demand(data, functions, cases):
    verdicts = data.draw(
        st.lists(st.lists(VERDICT, min_size=cases, max_size=cases), min_size=functions, max_size=functions)
    )
    follows = data.draw(st.lists(st.booleans(), min_size=cases, max_size=cases))
    decision = decide(verdicts, follows)
    if decision.reason:
        assert (decision.verifiers, decision.cases) == ((), ())
        return
    assert len(decision.verifiers) >= 2
    assert {follows[c] for c in decision.cases} == {True, False}
    for v in decision.verifiers:
        assert "NOT_BOOL" not in verdicts[v]
        right = sum(verdicts[v][c] == (T if follows[c] else F) for c in decision.cases)
        assert right >= 0.8 * len(decision.cases)
