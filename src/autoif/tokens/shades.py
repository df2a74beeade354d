"""Green where the policy puts more probability on a token than the reference, red where it puts less."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from autoif.tokens.nouns import Span

CLIP = 1.0  # nats at which the colour is full
LEVELS = 10
GREEN, RED = (64, 180, 99), (229, 83, 75)
_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_CONTROLS |= dict.fromkeys(range(127, 160), "\ufffd")
_CONTROLS |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")  # they reorder text
_BLANKS = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})


def level(difference: float) -> int:
    """-LEVELS to LEVELS, clipped at CLIP nats."""
    return round(max(-1.0, min(1.0, difference / CLIP)) * LEVELS)


def shade(level: int) -> str:
    """From white at 0 to full green or red, as both rich and CSS write it."""
    full = GREEN if level > 0 else RED
    return "rgb({},{},{})".format(*(round(255 + (part - 255) * abs(level) / LEVELS) for part in full))


def css_class(level: int) -> str:
    return f"{'m' if level < 0 else 'p'}{abs(level)}"


def spans_html(spans: Iterable[Span], title: Callable[[Span], str] | None = None) -> str:
    """The tokens as escaped text in elements whose classes are their shades; `title` is what hovering tells."""
    return "".join(
        f'<span class="{css_class(level(span.difference))}"{_hover(title(span)) if title else ""}>'
        f"{escape(show(span.text))}</span>"
        for span in spans
    )


def _hover(text: str) -> str:
    lines = escape(visible(text)).replace("\n", "&#10;")
    return f' title="{lines}"'


def show(text: str) -> str:
    """Line ends made visible, since they are tokens too."""
    return visible(text).replace("\n", "\u21b5\n")


def visible(text: str) -> str:
    """Control characters as pictures: a terminal must not obey them."""
    return text.translate(_CONTROLS)


def named(text: str) -> str:
    """A token by itself, where its blanks must be seen too."""
    return visible(text).translate(_BLANKS)


def signed(value: float, digits: int = 2) -> str:
    """+0.31, −1.20, 0.00."""
    return f"{round(value, digits) or 0.0:+.{digits}f}".replace("-", "−").replace(f"+{0:.{digits}f}", f"{0:.{digits}f}")
