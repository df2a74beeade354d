"""Shows a comparison: green where the policy puts more probability than the reference, red where it puts less."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING

from autoif.tokens import Comparison, Reading, Span
from autoif.tokens.shades import CLIP, LEVELS, css_class, level, shade, show, spans_html, visible

if TYPE_CHECKING:
    from rich.text import Text


def render_terminal(comparison: Comparison) -> Text:
    """The prompt uncoloured, the completion coloured token by token, then the sum and the mean."""
    from rich.text import Text

    text = Text(visible(comparison.prompt))
    for span in comparison.spans:
        colour = level(span.difference)
        text.append(show(span.text), style=f"black on {shade(colour)}" if colour else "")
    return text.append(f"\n\n{_summary(comparison)}\n")


def render_html(comparison: Comparison) -> str:
    """One self-contained page without scripts: hovering over a token shows its numbers, a table below all of them."""
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;"
        "background:#fff;color:#111}table{border-collapse:collapse;font-size:14px}"
        "th,td{text-align:left;padding:.1rem 1rem .1rem 0;border-bottom:1px solid #ddd;white-space:pre-wrap}"
        f".wide{{overflow-x:auto}}{token_style()}"
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Policy against reference, token by token</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{token_box(comparison)}\n"
        "<p>Green: the policy puts more probability on the token than the reference; red: less; full colour at a "
        f"difference of {CLIP:g} nat. Hover over a token for its numbers.</p>\n"
        f"<details><summary>All tokens in numbers</summary>\n{_table(comparison)}</details>\n</body>\n</html>\n"
    )


def _table(comparison: Comparison) -> str:
    """What hovering tells, for a phone and a keyboard."""
    heads = ("token", "difference", "policy", "rank", "likeliest", "reference", "rank", "likeliest")
    rows = [
        (repr(token.text), f"{token.difference:+.4f}", *_cells(token.policy), *_cells(token.reference))
        for token in comparison.tokens
    ]
    lines = ("".join(f"<td>{escape(visible(cell))}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return f'<div class="wide" tabindex="0"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def token_box(comparison: Comparison) -> str:
    """The prompt and the coloured tokens, then sum and mean, as escaped HTML for a page that has `token_style`."""
    text = escape(visible(comparison.prompt)) + spans_html(comparison.spans, _title)
    return f'<pre class="tokens">{text}</pre>\n<p>{escape(_summary(comparison))}</p>'


def token_style() -> str:
    """Shades as classes, since a page under a strict policy allows no style but its own."""
    levels = [level for level in range(-LEVELS, LEVELS + 1) if level]
    return (
        ".tokens{white-space:pre-wrap;overflow-wrap:anywhere;font:15px/1.7 ui-monospace,monospace;"
        "background:#fff;color:#111}.tokens span:hover{outline:1px solid #111}"
        + "".join(f".{css_class(level)}{{background:{shade(level)}}}" for level in levels)
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
    logprob, rank, best = _cells(reading)
    return f"{logprob}, rank {rank}; likeliest {best}"


def _cells(reading: Reading) -> tuple[str, str, str]:
    best = ", ".join(f"{text!r} {logprob:.2f}" for text, logprob in reading.alternatives)
    return f"{reading.logprob:.4f}", str(reading.rank), best
