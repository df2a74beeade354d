"""Which verifiers and test cases of an instruction to believe: a pure decision over executed verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Verdicts = Sequence[Sequence[str]]
"""Names of sandbox verdicts, one row per verifier and one column per test case."""

BOOLEAN = {"TRUE", "FALSE"}


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is None when the instruction is kept; then `verifiers` and `cases` are the indices of those to keep."""

    reason: str | None
    verifiers: tuple[int, ...]
    cases: tuple[int, ...]
    explanation: str


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
    total = len(verdicts)
    compiled = [v for v in range(total) if "NO_COMPILE" not in verdicts[v]]
    if not compiled:
        return _dropped("does_not_compile", f"of {total} functions written, none compiles")
    if not follows:
        return _dropped("no_test_case", "no test case was written")
    steady = [v for v in compiled if deterministic[v]]
    if not steady:
        return _dropped("nondeterministic", f"of {len(compiled)} functions that compile, all change their verdicts")
    usable = [v for v in steady if any(verdict in BOOLEAN for verdict in verdicts[v])]
    usable = [v for v in usable if "NOT_BOOL" not in verdicts[v]]
    if not usable:
        return _dropped("not_boolean", f"of {len(steady)} functions that compile, none returns booleans")
    clear = _uncontradicted(follows, responses)
    if not clear:
        return _dropped("contradiction", "every test case is labelled both ways")
    agreed = [c for c in clear if _agreement(verdicts, usable, c, follows) >= case_threshold]
    if not agreed:
        return _dropped("below_threshold", f"of {len(clear)} test cases, the functions agree with none")
    right = [v for v in usable if _accuracy(verdicts[v], agreed, follows) >= function_threshold]
    if len(right) < min_verifiers or len(agreed) < min_cases:
        return _dropped("below_threshold", _tally(len(right), total, agreed, follows) + ", which is too few")
    if both_polarities and len({follows[c] for c in agreed}) < 2:
        return _dropped("one_polarity", _tally(len(right), total, agreed, follows) + ", all of one polarity")
    return Decision(None, tuple(right), tuple(agreed), "kept: " + _tally(len(right), total, agreed, follows))


def _dropped(reason: str, explanation: str) -> Decision:
    return Decision(reason, (), (), f"dropped: {explanation}")


def _uncontradicted(follows: Sequence[bool], responses: Sequence[str] | None) -> list[int]:
    if responses is None:
        return list(range(len(follows)))
    labels: dict[str, set[bool]] = {}
    for response, label in zip(responses, follows, strict=True):
        labels.setdefault(response, set()).add(label)
    return [c for c, response in enumerate(responses) if len(labels[response]) == 1]


def _agreement(verdicts: Verdicts, usable: Sequence[int], case: int, follows: Sequence[bool]) -> float:
    return sum(_right(verdicts[v][case], follows[case]) for v in usable) / len(usable)


def _accuracy(row: Sequence[str], cases: Sequence[int], follows: Sequence[bool]) -> float:
    return sum(_right(row[c], follows[c]) for c in cases) / len(cases)


def _right(verdict: str, follows: bool) -> bool:
    return verdict == ("TRUE" if follows else "FALSE")


def _tally(right: int, total: int, cases: Sequence[int], follows: Sequence[bool]) -> str:
    positive = sum(follows[c] for c in cases)
    plural = "s" if total != 1 else ""
    return (
        f"{right} of {total} verifier{plural} agree{'' if right != 1 else 's'} with {len(cases)} test cases "
        f"({positive} that follow, {len(cases) - positive} that do not)"
    )
