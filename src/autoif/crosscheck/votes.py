"""The paper's cross-validation (section 3.2): verifiers and test cases judge one another."""

from __future__ import annotations

from collections.abc import Sequence

from autoif.crosscheck.decision import Decision, Verdicts, dropped, right, uncontradicted, usable

VOTED = 0.86
"""Share of right labels by these thresholds with a 1.5B writer (docs/experiments.md, "Labels that are right")."""


def crosscheck(
    verdicts: Verdicts,
    follows: Sequence[bool],
    deterministic: Sequence[bool],
    responses: Sequence[str] | None = None,
    *,
    case_threshold: float = 0.5,
    function_threshold: float = 0.8,
    min_verifiers: int = 2,
    min_cases: int = 2,
    both_polarities: bool = True,
) -> Decision:
    """The paper's cross-validation (section 3.2) over real booleans, with three further demands.

    A case is kept when at least `case_threshold` of the usable functions agree with it (0.5 in the paper); a function
    when it is right on at least `function_threshold` of the kept cases (0.8). Beyond the paper, a function must
    always return a bool and the same one when run again, kept cases must be of both polarities, and a response that
    is labelled both ways counts for nothing. `verdicts`: V x C names; `follows`, `responses`: C; `deterministic`: V.
    """
    if verdicts and not follows:
        return dropped("no_test_case", "no test case was written")
    able = usable(verdicts, deterministic)
    if isinstance(able, Decision):
        return able
    clear = uncontradicted(responses, follows) if responses is not None else list(range(len(follows)))
    if not clear:
        return dropped("contradiction", "every test case is labelled both ways")
    agreed = [c for c in clear if _agreement(verdicts, able, c, follows) >= case_threshold]
    if not agreed:
        return dropped("below_threshold", f"of {len(clear)} test cases, the functions agree with none")
    kept = [v for v in able if _accuracy(verdicts[v], agreed, follows) >= function_threshold]
    if len(kept) < min_verifiers or len(agreed) < min_cases:
        return dropped("below_threshold", _tally(len(kept), len(verdicts), agreed, follows) + ", which is too few")
    if both_polarities and len({follows[c] for c in agreed}) < 2:
        return dropped("one_polarity", _tally(len(kept), len(verdicts), agreed, follows) + ", all of one polarity")
    explanation = "kept: " + _tally(len(kept), len(verdicts), agreed, follows)
    return Decision(None, tuple(kept), tuple(agreed), explanation, VOTED)


def _agreement(verdicts: Verdicts, able: Sequence[int], case: int, follows: Sequence[bool]) -> float:
    return sum(right(verdicts[v][case], follows[case]) for v in able) / len(able)


def _accuracy(row: Sequence[str], cases: Sequence[int], follows: Sequence[bool]) -> float:
    return sum(right(row[c], follows[c]) for c in cases) / len(cases)


def _tally(kept: int, total: int, cases: Sequence[int], follows: Sequence[bool]) -> str:
    positive = sum(follows[c] for c in cases)
    plural = "s" if total != 1 else ""
    return (
        f"{kept} of {total} verifier{plural} agree{'' if kept != 1 else 's'} with {len(cases)} test cases "
        f"({positive} that follow, {len(cases) - positive} that do not)"
    )
