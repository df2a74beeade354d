"""Chooses what the browser of instructions shows, and the choices of its filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from autoif.report.entries import Entry, dropped_entry, kept_entry
from autoif.report.fates import KEPT, Thresholds, outcome
from autoif.report.folder import STAGES, Count, Example, RunFolder
from autoif.report.tally import Tally
from autoif.report.text import page_json
from autoif.report.words import BANDS, LOWEST_BAND

PER_REASON = 24
"""Most examples of one reason to drop."""
DROPS = 0.3
"""Share of the room that examples of drops may take."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter: how many entries have it, of how many in the run (None where that is not counted)."""

    value: str
    shown: int
    total: int | None = None


def choose_entries(run: RunFolder, found: Tally, room: int) -> list[Entry]:
    """Kept instructions, then drops, in the order of the stages: as many as fit into `room` bytes of JSON."""
    drops = _fitting(map(dropped_entry, _examples(run)), int(room * DROPS))
    paired = run.has("pairs")
    thresholds = Thresholds.of(run) if paired else None
    kept = (kept_entry(s, outcome(s, paired), thresholds) for s in found.subjects.values())
    entries = [*_fitting(kept, room - sum(map(_size, drops))), *drops]
    return sorted(entries, key=lambda entry: _place(entry["outcome"]))


def _place(outcome: str) -> tuple[int, int]:
    stage = outcome.partition("/")[0]
    return (-1, KEPT.index(outcome)) if stage == "kept" else (list(STAGES).index(stage), 0)


def _examples(run: RunFolder) -> Iterator[Example]:
    """One of each reason, then a second of each, and so on, so that no reason crowds out another."""
    reasons = chain.from_iterable(run.examples(name, PER_REASON).values() for name in STAGES)
    return (example for row in zip_longest(*reasons) for example in row if example)


def _fitting(entries: Iterable[Entry], room: int) -> list[Entry]:
    chosen = []
    for entry in entries:
        room -= _size(entry)
        if room < 0:
            break
        chosen.append(entry)
    return chosen


def _size(entry: Entry) -> int:
    return len(page_json(entry).encode("utf-8", "replace"))


def outcome_choices(entries: Sequence[Entry], counts: Iterable[Count]) -> list[tuple[str, list[Choice]]]:
    """The outcomes by stage, beginning with `kept`; every reason that dropped something is there."""
    shown = Counter(entry["outcome"] for entry in entries)
    kept = [Choice(value, shown[value]) for value in KEPT if shown[value]]
    dropped = [
        (count.name, [_choice(f"{count.name}/{reason}", shown, total) for reason, total in count.dropped])
        for count in counts
    ]
    return [group for group in (("kept", kept), *dropped) if group[1]]


def _choice(value: str, shown: Counter[str], total: int) -> Choice:
    return Choice(value, shown[value], total)


def confidence_choices(entries: Iterable[Entry]) -> list[Choice]:
    """The bands of confidence that entries have, the surest first."""
    found = Counter(entry["sure"] for entry in entries if "sure" in entry)
    return [Choice(band, found[band]) for band in (*(name for _, name in BANDS), LOWEST_BAND) if found[band]]


def choices(entries: Iterable[Entry], key: str) -> list[Choice]:
    """The values that entries have for `key`, by name."""
    return [Choice(value, n) for value, n in sorted(Counter(e[key] for e in entries if e.get(key)).items())]
