"""What is decided about an instruction, and the first sieve that every way of deciding shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Verdicts = Sequence[Sequence[str]]
"""Names of sandbox verdicts, one row per verifier and one column per text."""

BOOLEAN = {"TRUE", "FALSE"}


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is None when the instruction is kept; then `verifiers` and `cases` are the indices of those to keep."""

    reason: str | None
    verifiers: tuple[int, ...]
    cases: tuple[int, ...]
    explanation: str
    confidence: float
    """How likely a label that the kept verifiers give is right, from 0 to 1."""


def dropped(reason: str, explanation: str) -> Decision:
    return Decision(reason, (), (), f"dropped: {explanation}", 0.0)


def usable(verdicts: Verdicts, deterministic: Sequence[bool]) -> list[int] | Decision:
    """The verifiers that compile, repeat themselves and return booleans, or why there is none."""
    total = len(verdicts)
    compiled = [v for v in range(total) if "NO_COMPILE" not in verdicts[v]]
    if not compiled:
        return dropped("does_not_compile", f"of {total} functions written, none compiles")
    steady = [v for v in compiled if deterministic[v]]
    if not steady:
        return dropped("nondeterministic", f"of {len(compiled)} functions that compile, all change their verdicts")
    honest = [v for v in steady if "NOT_BOOL" not in verdicts[v] and not BOOLEAN.isdisjoint(verdicts[v])]
    return honest or dropped("not_boolean", f"of {len(steady)} functions that compile, none returns booleans")


def uncontradicted(responses: Sequence[str], follows: Sequence[bool]) -> list[int]:
    """The test cases whose response is not labelled both ways."""
    labels: dict[str, set[bool]] = {}
    for response, label in zip(responses, follows, strict=True):
        labels.setdefault(response, set()).add(label)
    return [c for c, response in enumerate(responses) if len(labels[response]) == 1]


def right(verdict: str, follows: bool) -> bool:
    return verdict == ("TRUE" if follows else "FALSE")
