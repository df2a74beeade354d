from __future__ import annotations

import json
import re

import pytest
from fake_text import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from autoif.report.text import highlight, page_json, shown


def spans(source: str) -> list[tuple[str, str]]:
    """The runs of characters that `highlight` marks, read as the page's script reads them."""
    units, at, found = source.encode("utf-16-le"), 0, []
    for size, name in re.findall(r"(\d+)([a-z])", highlight(source)):
        found.append((units[at : at + 2 * int(size)].decode("utf-16-le"), name))
        at += 2 * int(size)
    assert at == len(units)
    return found


def test_python_is_marked_by_what_it_is() -> None:
    marked = spans('def evaluate(r):\n    # why\n    return len(r) > 3 and "é🙂" not in r\n')
    assert [(text.strip(), name) for text, name in marked if name != "t"] == [
        ("def", "k"),
        ("evaluate", "f"),
        ("# why", "c"),
        ("return", "k"),
        ("len", "b"),
        ("3", "n"),
        ("and", "k"),
        ('"é🙂"', "s"),
        ("not", "k"),
        ("in", "k"),
    ]


@given(st.text(max_size=300))
def test_marking_loses_no_character(source: str) -> None:
    source = shown(source, 300)
    assert "".join(text for text, _ in spans(source)) == source


@pytest.mark.parametrize("text", HOSTILE)
def test_json_on_the_page_is_the_same_value_and_cannot_end_its_element(text: str) -> None:
    written = page_json({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not set(written) & set("<>&\u2028\u2029")


def test_what_is_invisible_is_shown() -> None:
    assert shown("a\x00b\r\nc\td\x7f\u202ee\u2069", 100) == "a␀b\nc\td␡⟦RLO⟧e⟦PDI⟧"
    assert shown("\ud800 lone", 100) == "? lone"


def test_what_is_long_is_cut_and_says_so() -> None:
    assert shown("x" * 5, 5) == "xxxxx"
    assert shown("x" * 1_205, 5) == "xxxxx … [1,200 more characters]"
