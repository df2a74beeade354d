"""Makes text that a model wrote fit to be shown: cut to a length, and nothing in it invisible or misleading."""

from __future__ import annotations

import json
from functools import cache
from itertools import groupby
from typing import Any

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

from autoif.records import clean

_BIDI = {0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO"}
_BIDI |= {0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI"}
_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"}
_VISIBLE = (
    _PICTURES
    | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
    | {0x7F: "␡"}
    | {code: f"⟦{name}⟧" for code, name in _BIDI.items()}
)

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "n"),
    (Keyword.Constant, "n"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Builtin, "b"),
)
_LEXER = PythonLexer()


def shown(text: str, limit: int) -> str:
    """At most `limit` characters, with control characters (and those that reorder text) made visible."""
    cut = clean(text[:limit]).replace("\r\n", "\n").translate(_VISIBLE)
    return cut if len(text) <= limit else f"{cut} … [{len(text) - limit:,} more characters]"


def page_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, whatever its texts are."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def highlight(source: str) -> str:
    """Which class each run of characters has: `3k1t8f` is 3 of a keyword, 1 plain, 8 of a function's name.

    Lengths count UTF-16 units, as JavaScript's strings do.
    """
    return "".join(f"{len(run.encode('utf-16-le')) // 2}{name}" for run, name in marked(source))


def marked(source: str) -> list[tuple[str, str]]:
    """Python source as runs of characters, each with its class; `t` is plain text."""
    tokens = ((value, _class(kind)) for _, kind, value in _LEXER.get_tokens_unprocessed(source))
    return [("".join(value for value, _ in run), name) for name, run in groupby(tokens, key=lambda token: token[1])]


@cache
def _class(kind: _TokenType) -> str:
    return next((name for family, name in _CLASSES if kind[: len(family)] == family), "t")
