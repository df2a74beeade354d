"""Shows a comparison: green where the policy puts more probability than the reference, red where it puts less."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from autoif.evaluation.compare import Comparison, Reading, Span

if TYPE_CHECKING:
    from rich.text import Text

CLIP = 1.0  # nats at which the colour is full
LEVELS = 10
GREEN, RED = (64, 180, 99), (229, 83, 75)
_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
_CONTROLS |= dict.fromkeys(range(127, 160), "\ufffd")


def render_terminal(comparison: Comparison) -> Text:
    """The prompt uncoloured, the completion coloured token by token, then the sum and the mean."""
    from rich.text import Text

    text = Text(_visible(comparison.prompt))
    for span in comparison.spans:
        level = _level(span.difference)
        text.append(_show(span.text), style=f"black on {_shade(level)}" if level else "")
    return text.append(f"\n\n{_summary(comparison)}\n")


def render_html(comparison: Comparison) -> str:
    """One self-contained page without scripts; hovering over a token shows both log-probabilities."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    tokens = "".join(
        f'<span class="{_class(_level(span.difference))}" title="{_attribute(_title(span))}">'
        f"{escape(_show(span.text))}</span>"
        for span in comparison.spans
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Policy against reference, token by token</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"<pre>{escape(_visible(comparison.prompt))}{tokens}</pre>\n"
        f"<p>{escape(_summary(comparison))}</p>\n"
        "<p>Green: the policy puts more probability on the token than the reference; red: less; full colour at a "
        f"difference of {CLIP:g} nat. Hover over a token for both log-probabilities.</p>\n</body>\n</html>\n"
    )


def _summary(comparison: Comparison) -> str:
    return (
        f"policy - reference: sum {comparison.total:+.3f} nats over {len(comparison.tokens)} tokens, "
        f"mean {comparison.mean:+.4f} a token"
    )


def _title(span: Span) -> str:
    lines = []
    for token in span.tokens:
        lines.append(f"{token.text!r}  difference {token.difference:+.4f}")
        lines += [f"policy: {_reading(token.policy)}", f"reference: {_reading(token.reference)}"]
    return "\n".join(lines)


def _reading(reading: Reading) -> str:
    best = ", ".join(f"{text!r} {logprob:.2f}" for text, logprob in reading.alternatives)
    return f"{reading.logprob:.4f}, rank {reading.rank}; likeliest {best}"


def _level(difference: float) -> int:
    """-LEVELS to LEVELS, clipped at CLIP nats."""
    return round(max(-1.0, min(1.0, difference / CLIP)) * LEVELS)


def _shade(level: int) -> str:
    """From white at 0 to full green or red, as both rich and CSS write it."""
    full = GREEN if level > 0 else RED
    return "rgb({},{},{})".format(*(round(255 + (part - 255) * abs(level) / LEVELS) for part in full))


def _class(level: int) -> str:
    return f"{'m' if level < 0 else 'p'}{abs(level)}"


def _style() -> str:
    """Shades as classes, since the page allows no style but this one."""
    levels = [level for level in range(-LEVELS, LEVELS + 1) if level]
    shades = (f".{_class(level)}{{background:{_shade(level)}}}" for level in levels)
    return (
        "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
        "background:#fff;color:#111}"
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:15px/1.7 ui-monospace,monospace}"
        "pre span:hover{outline:1px solid #111}" + "".join(shades)
    )


def _show(text: str) -> str:
    """Line ends made visible, since they are tokens too."""
    return _visible(text).replace("\n", "\u21b5\n")


def _visible(text: str) -> str:
    """Control characters as pictures: a terminal must not obey them."""
    return text.translate(_CONTROLS)


def _attribute(text: str) -> str:
    return escape(text.translate(_CONTROLS), quote=True).replace("\n", "&#10;")
