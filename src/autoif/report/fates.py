"""What became of a completion, and why, in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from autoif.report.folder import RunFolder, number_or, section
from autoif.report.tally import Answer, Subject

KEPT = ("kept/pairs", "kept/no_pairs", "kept/heldout", "kept/waiting")
"""What can become of an instruction that was kept, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The run's settings that decide which completions are chosen and rejected."""

    chosen_at: float
    rejected_at: float
    min_quality: float

    @classmethod
    def of(cls, run: RunFolder) -> Thresholds:
        pairs = section(run.config, "pairs")
        return cls(
            number_or(pairs.get("chosen_at"), 0.5),
            number_or(pairs.get("rejected_at"), 0.0),
            number_or(pairs.get("min_quality"), 8),
        )


def fate(answer: Answer, subject: Subject, thresholds: Thresholds | None) -> tuple[str, str]:
    """`chosen`, `rejected`, `unused`, or `waiting` for a stage that has not run; and one sentence."""
    if answer.pass_rate is None:
        return "waiting", "Not scored yet."
    rate = f"{answer.pass_rate:.0%} of the verifiers say yes"
    if times := subject.chosen[answer.completion.id]:
        return "chosen", f"In {_pairs(times)}: {rate}."
    if times := subject.rejected[answer.completion.id]:
        return "rejected", f"In {_pairs(times)}: {rate}."
    if thresholds is None:
        return "waiting", f"{rate}. Not paired yet."
    return "unused", _why_unused(answer, answer.pass_rate, thresholds)


def outcome(subject: Subject, paired: bool) -> str:
    """Which group of the browser a kept instruction belongs to."""
    if getattr(subject.record, "split", "train") != "train":
        return "kept/heldout"
    if subject.chosen:
        return "kept/pairs"
    return "kept/no_pairs" if paired else "kept/waiting"


def _why_unused(answer: Answer, rate: float, thresholds: Thresholds) -> str:
    if rate >= thresholds.chosen_at:
        if answer.quality is not None and answer.quality < thresholds.min_quality:
            needed = f"{thresholds.min_quality:.0f} is needed"
            return f"It passes, but is rated {answer.quality} of 10 for its query; {needed}."
        return "It passes, but there was nothing left to pair it with."
    if rate <= thresholds.rejected_at:
        return "It fails, but there was nothing left to pair it with."
    return (
        f"{rate:.0%} is in between: chosen needs at least {thresholds.chosen_at:.0%}, "
        f"rejected at most {thresholds.rejected_at:.0%}."
    )


def _pairs(count: int) -> str:
    return f"{count} pair{'s' if count != 1 else ''}"
