"""Pages of a stage's records or drops, and the search through them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from autoif.report.folder import Count, json_object
from autoif.viewer.cards import Card, drop_card, excerpt, has_all, record_card
from autoif.viewer.lines import PATIENCE, Lines, Numbered, Values
from autoif.viewer.shelf import Shelf

PAGE = 50
"""Cards on a page."""
BLOCK = 1_000
"""Lines that a search takes at once."""
AHEAD = 0.2
"""Seconds spent on a total that nobody has counted yet."""


@dataclass(frozen=True, slots=True)
class View:
    """What a reader asked to see: the records of a stage or its drops, with these values."""

    stage: str
    dropped: bool
    wanted: Values

    def lines(self, shelf: Shelf) -> Lines:
        return (shelf.drops if self.dropped else shelf.records)[self.stage]

    def card(self, number: int, line: bytes) -> Card:
        content = json_object(line)
        return drop_card(self.stage, number, line) if self.dropped else record_card(self.stage, content)

    def total(self, shelf: Shelf, count: Count) -> int | None:
        """How many there are; None when nobody has counted them yet."""
        if count.state == "done" and not self.wanted:
            return count.all_dropped if self.dropped else count.kept
        if count.state == "done" and self.dropped:
            return dict(count.dropped).get(self.wanted["reason"], 0)
        lines = self.lines(shelf)
        return lines.count(self.wanted) if lines.whole else None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `total` is None as long as nobody has counted, and `known` were found until then.

    A page far down a file is not `reached` at once: a request reads on for a moment, and the next one goes on.
    """

    cards: list[Card]
    page: int
    total: int | None
    known: int
    version: int
    reached: bool

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE + 1

    @property
    def pages(self) -> int:
        return max(1, -(-self.known // PAGE))


def listing(shelf: Shelf, view: View, page: int) -> Listing:
    """A page of fifty, counted from 1; empty beyond the last."""
    lines, stop = view.lines(shelf), page * PAGE
    lines.extend(stop, view.wanted)
    count = shelf.count(view.stage)
    if view.total(shelf, count) is None:
        lines.extend(seconds=AHEAD)
    found = lines.page(view.wanted, stop - PAGE, stop)
    total = view.total(shelf, count)
    known = max(lines.count(view.wanted), total or 0)
    reached = len(found) == PAGE or lines.whole
    return Listing([view.card(*item) for item in found], page, total, known, lines.version, reached)


@dataclass(frozen=True, slots=True)
class Search:
    """Cards found among the lines from `start` to before `stop`, of `known`; `left` when there is more to look at."""

    cards: list[Card]
    start: int
    stop: int
    known: int
    left: bool


def search(shelf: Shelf, view: View, words: str, start: int) -> Search:
    """Looks for texts that have all the words, in any case, until a page is full or a moment has passed."""
    looked, lines = words.lower().split(), view.lines(shelf)
    until = time.monotonic() + PATIENCE
    cards: list[Card] = []
    at = start
    while True:
        lines.extend(at + BLOCK, view.wanted)
        block = lines.page(view.wanted, at, at + BLOCK)
        hits = list(islice(_hits(view, block, looked), PAGE - len(cards)))
        cards += [card for _, card in hits]
        at += hits[-1][0] + 1 if len(cards) == PAGE else len(block)
        if not block or len(cards) == PAGE or time.monotonic() > until:
            break
    known = lines.count(view.wanted)
    return Search(cards, start, at, known, at < known or not lines.whole)


def _hits(view: View, block: Numbered, looked: Sequence[str]) -> Iterator[tuple[int, Card]]:
    """The cards of the lines that have all the words, each with its place in the block."""
    plain = [word.encode() for word in looked if word.isascii() and not set(word) & {'"', "\\"}]
    if not _may_have(b"".join(line for _, line in block), plain):
        return
    for place, (number, line) in enumerate(block):
        value = json_object(line) if _may_have(line, plain) else {}
        if value and has_all(value, looked):
            yield place, replace(view.card(number, line), excerpt=excerpt(value, looked))


def _may_have(text: bytes, plain: Sequence[bytes]) -> bool:
    """Whether plain words stand in JSON lines: far sooner told than by parsing them."""
    low = text.lower()
    return all(word in low for word in plain)
