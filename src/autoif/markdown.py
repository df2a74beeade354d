"""Text of a run inside Markdown that others will read: always code, so that none of it can become a link or HTML."""

from __future__ import annotations

import re

from autoif.records import clean

LONGEST = 200
"""Characters of a name that are shown."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
"""Line breaks, control characters, and those without a shape or that reorder text."""


def code(text: object) -> str:
    """`text` as an inline code span, safe in a table too: on one line, of at most LONGEST characters."""
    shown = _UNSEEN.sub(" ", clean(str(text))).replace("|", "¦").strip()
    shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"
    ticks = "`" * (_longest_run(shown) + 1)
    edge = " " if shown[:1] == "`" or shown[-1:] == "`" or not shown else ""
    return f"{ticks}{edge}{shown}{edge}{ticks}"


def block(text: str, language: str = "") -> str:
    """`text` as a code block that nothing in it can close."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
