"""Which verifiers to believe when the writer is weak: those of different source that agree on everything.

A weak writer's test cases are often wrong, so they decide little here. Verifiers sampled independently that give the
same verdicts on hundreds of varied texts are more likely right than alike wrong (dual execution agreement; Chen et al.,
"CodeT", 2022, section 2.2). Where several families of them stand, the larger one that minds what the instruction asks
for is kept, or none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from autoif.crosscheck.decision import BOOLEAN, Decision, dropped, right, uncontradicted, usable
from autoif.crosscheck.probes import numbers
from autoif.crosscheck.source import numbers_held, parts, simplified, words_held
from autoif.crosscheck.trial import Trial, Tried, steady

KAPPA = 0.8
"""Agreement beyond chance from which verifiers are of one family: "almost perfect" (Landis and Koch, 1977)."""
ERRORS = 0.02
"""Share of the texts on which a verifier may fail and still be used (an empty answer, say)."""
DECIDED = 3
"""Sources that agree from which no more are written (docs/experiments.md, "Verifiers in waves")."""
CLEAR = 0.5
"""Least share of the answers whose label does not hang on what the instruction does not speak of."""
MINDED = 0.5
"""Share of the instruction's numbers that the verifiers' code must hold."""

Outlook = Literal["decided", "open", "hopeless"]


def agreement(
    trial: Trial,
    tried: Sequence[Tried],
    follows: Sequence[bool],
    examples: Collection[str] = (),
    *,
    min_confidence: float = 0.9,
) -> Decision:
    """The family of verifiers to keep, if there is one whose labels are right with `min_confidence`.

    `tried`: one per verifier of the trial. `follows`: one per case. `examples` are the verifiers that the writer was
    shown: a copy of one of them is no evidence.
    """
    honest = _honest(tried)
    if isinstance(honest, Decision):
        return honest
    able = [v for v in honest if _tells_apart(tried[v])]
    if not able:
        return dropped("one_polarity", f"all of the {len(tried)} verifiers always say the same, or fail")
    candidates = _candidates(trial, tried, able, examples)
    agreed = [family for family in candidates if family.confidence >= min_confidence and family.clear >= CLEAR]
    texts = f"{len(trial.cases)} cases and {len(trial.answers)} answers"
    if not agreed:
        most = max((family.distinct for family in candidates), default=0)
        told = f"at most {most} of {len(tried)} verifiers" if most > 1 else f"no two of {len(tried)} verifiers"
        return dropped("below_threshold", f"{told} differ in source and agree on {texts}")
    minding = [family for family in agreed if not family.ignored]
    if not minding:
        return dropped("contradiction", f"the verifiers that agree ignore {agreed[0].ignored}")
    best = max(minding, key=lambda family: (family.distinct, family.clear, len(family.members)))
    return _kept(best, follows, texts)


def outlook(trial: Trial, tried: Sequence[Tried], examples: Collection[str] = ()) -> Outlook:
    """What can be foreseen before all verifiers and any test case are written.

    `hopeless`: each of them fails, says yes to everything, or repeats an example, so the writer does not know how. One
    that says no to all probes may still find a test case that follows. `decided`: so many agree that a further one
    would hardly change it; two are not enough yet, since test cases and real answers may part them.
    """
    honest = _honest(tried)
    if isinstance(honest, Decision) or not any(
        "FALSE" in tried[v].plain and not _copied(trial.sources[v], examples, trial.instruction) for v in honest
    ):
        return "hopeless"
    able = [v for v in honest if _tells_apart(tried[v])]
    candidates = _candidates(trial, tried, able, examples)
    decided = any(family.exact and family.distinct >= DECIDED and not family.ignored for family in candidates)
    return "decided" if decided else "open"


def labels(members: Sequence[Tried], sources: Sequence[str], min_confidence: float) -> list[str | None]:
    """The steady labels of real answers by kept verifiers, one None or verdict for each.

    Verifiers that agreed on all probes may part on real answers. They are a family that nearly agrees then, and without
    the confidence that this needs none of the answers gets a label.
    """
    exact = all(member.answers == members[0].answers for member in members)
    return list(steady(members)) if confidence(sources, exact) >= min_confidence else [None] * len(members[0].answers)


@dataclass(frozen=True)
class _Family:
    members: tuple[int, ...]
    trial: Trial
    tried: Sequence[Tried]

    @property
    def mine(self) -> list[Tried]:
        return [self.tried[v] for v in self.members]

    @property
    def distinct(self) -> int:
        return len({simplified(self.trial.sources[v]) for v in self.members})

    @property
    def exact(self) -> bool:
        return all(member.plain == self.mine[0].plain for member in self.mine)

    @property
    def confidence(self) -> float:
        return confidence([self.trial.sources[v] for v in self.members], self.exact)

    @cached_property
    def clear(self) -> float:
        """Share of the answers with a steady label."""
        labels = list(steady(self.mine))
        return sum(label is not None for label in labels) / len(labels)

    @property
    def ignored(self) -> str:
        """What the instruction asks for and the verifiers do not mind, empty when they mind everything."""
        for word in dict.fromkeys(toggle.word for toggle in self.trial.toggles):
            verdicts = [self._toggled(word, member) for member in self.mine]
            minding = sum(("TRUE", "FALSE") in mine for mine in verdicts)
            if 2 * minding < len(verdicts) and any(one == "TRUE" for mine in verdicts for one, _ in mine):
                return word
        asked = numbers(self.trial.instruction)
        minded = [len(asked & numbers_held(self.trial.sources[v])) for v in self.members]
        if asked and sum(minded) < MINDED * len(asked) * len(minded):
            return "the number " + ", ".join(map(str, sorted(asked)))
        if self._unbroken():
            return "how the writer broke test cases"
        return ""

    def _unbroken(self) -> bool:
        """Whether some test cases pass, the writer broke them, and all members pass what came of it."""
        broken = [new for new, old in self.trial.mutations.items() if all(m.cases[old] == "TRUE" for m in self.mine)]
        return bool(broken) and all(member.cases[new] == "TRUE" for new in broken for member in self.mine)

    def _toggled(self, word: str, member: Tried) -> list[tuple[str, str]]:
        """Its verdicts with the word as it should be and as it should not. Never TRUE says nothing about the word."""
        verdicts = zip(self.trial.toggles, member.passes, member.fails, strict=True)
        return [(one, other) for toggle, one, other in verdicts if toggle.word == word]


def _honest(tried: Sequence[Tried]) -> list[int] | Decision:
    """The verifiers that hardly ever fail, or why there is none."""
    honest = usable([verifier.plain for verifier in tried], [verifier.deterministic for verifier in tried])
    if isinstance(honest, Decision):
        return honest
    return [v for v in honest if _errors(tried[v]) <= ERRORS * len(tried[v].plain)]


def _tells_apart(verifier: Tried) -> bool:
    return set(verifier.plain) >= BOOLEAN


def _candidates(trial: Trial, tried: Sequence[Tried], able: list[int], examples: Collection[str]) -> list[_Family]:
    """The families of those that do not only repeat an example."""
    own = [v for v in able if not _copied(trial.sources[v], examples, trial.instruction)]
    return [_Family(members, trial, tried) for members in _families(tried, own)]


def _copied(source: str, examples: Collection[str], instruction: str) -> bool:
    """Whether the writer only repeats an example: all of it, or words of its code that the instruction has not."""
    asked = instruction.lower()
    foreign = {word for word in words_held(source) if word not in asked}
    return any(simplified(source) == simplified(shown) or foreign & words_held(shown) for shown in examples)


def _errors(verifier: Tried) -> int:
    return sum(verdict not in BOOLEAN for verdict in verifier.plain)


def _families(tried: Sequence[Tried], able: Sequence[int]) -> list[tuple[int, ...]]:
    """For each verifier those that agree with it on all texts, and those that nearly do."""
    found: dict[tuple[int, ...], None] = {}
    for center in able:
        mine = tried[center].plain
        found[tuple(v for v in able if tried[v].plain == mine)] = None
        found[tuple(v for v in able if kappa(mine, tried[v].plain) >= KAPPA)] = None
    return list(found)


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's kappa (1960): agreement beyond chance, 1 at most, and 0 where one of them is constant."""
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    chance = sum(one.count(verdict) * other.count(verdict) for verdict in set(one)) / len(one) ** 2
    return (same - chance) / (1 - chance) if chance < 1 else 0.0


def _kept(family: _Family, follows: Sequence[bool], texts: str) -> Decision:
    clear = uncontradicted(family.trial.cases, follows)
    cases = tuple(c for c in clear if all(right(member.cases[c], follows[c]) for member in family.mine))
    explanation = (
        f"kept: {len(family.members)} of {len(family.tried)} verifiers, {family.distinct} of different source, "
        f"{'agree' if family.exact else 'nearly agree'} on {texts}, "
        f"of which {family.clear:.0%} keep their label whatever the instruction does not speak of"
    )
    return Decision(None, family.members, cases, explanation, family.confidence)


def confidence(sources: Sequence[str], exact: bool) -> float:
    """How likely a steady label of verifiers that agree (or nearly agree) is right.

    Measured where the truth is known, by kind of agreement (docs/experiments.md, "Confidence"): the mean share of right
    labels over the instructions seen, with one more whose labels are right by half. A source alone is no evidence, and
    two of the same parts are less than two that differ in them.
    """
    spelled, built = len({simplified(source) for source in sources}), len({parts(source) for source in sources})
    if spelled < 2:
        return 0.0
    if exact:
        return 0.97 if built > 1 else 0.91
    return 0.93 if spelled > 2 else 0.76
