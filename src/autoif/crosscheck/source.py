"""What the text of a verifier tells, read as a row of tokens: nothing is parsed or executed here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

TOKEN = re.compile(
    r"(?P<long>[A-Za-z]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''))"
    r"|(?P<string>[A-Za-z]{0,2}(?:\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'))"
    r"|(?P<comment>#[^\n]*)|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<sign>\S)",
    re.DOTALL,
)


def tokens(source: str) -> Iterator[tuple[str, str]]:
    """(kind, text) of each token, without comments and docstrings; of a string what stands between the quotes."""
    for match in TOKEN.finditer(source):
        kind = str(match.lastgroup)
        if kind not in ("comment", "long"):
            yield kind, match.group().lstrip("rRbBfFuU")[1:-1] if kind == "string" else match.group()


def simplified(source: str) -> tuple[tuple[str, str], ...]:
    """The source without comments, docstrings, layout and kinds of quote: what differs in these alone is a copy."""
    return tuple(tokens(source))


def parts(source: str) -> tuple[tuple[str, str], ...]:
    """What the source is built of, in sorted order: strings, numbers, and the names of what it calls.

    `words = response.split()` and `len(words) > 9` are the parts of `len(response.split()) > 9`: one idea, spelled in
    two ways.
    """
    row = list(tokens(source))
    calls = [("call", text) for (kind, text), (_, sign) in pairwise(row) if kind == "name" and sign == "("]
    return tuple(sorted(calls + [token for token in row if token[0] in ("string", "number")]))


def words_held(source: str) -> set[str]:
    """The strings in the code that are words, of two letters or more."""
    return {text.lower() for kind, text in tokens(source) if kind == "string" and re.fullmatch(r"[^\W\d_]{2,}", text)}


def numbers_held(source: str) -> set[int]:
    """The numbers in the code, give or take 1 (`> 9` is "at least 10"): literals, lengths of lists, repeated signs."""
    found, open_brackets = set(), [0]
    for kind, text in tokens(source):
        if kind == "number" and re.fullmatch(r"\d{1,6}(\.0*)?", text):
            found.add(int(text.split(".")[0]))
        elif kind == "string":
            found |= {len(run.group()) for run in re.finditer(r"([^\w\s\\])\1+", text)}
            found |= {len(run) // 2 for run in re.findall(r"(?:\\n)+", text)}
        elif text in "([{":
            open_brackets.append(0)
        elif text == ",":
            open_brackets[-1] += 1
        elif text in ")]}" and len(open_brackets) > 1:
            commas = open_brackets.pop()
            found |= {commas + 1} if commas else set()
    return {number + by for number in found for by in (-1, 0, 1)}
