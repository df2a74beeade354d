"""What the text of a verifier tells without being parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.crosscheck.source import numbers_held, parts, simplified


@pytest.mark.parametrize(
    "copy",
    [
        "def f(r):  # why\n    return 'a' in r",
        "def f(r):\n\n  return   'a'  in r\n",
        'def f(r):\n    """Looks for a."""\n    return "a" in r',
    ],
)
def test_copies_are_recognised(copy):
    assert simplified(copy) == simplified("def f(r):\n    return 'a' in r")


def test_two_spellings_of_one_idea_have_the_same_parts():
    plain = "def f(r):\n    return len(r.split()) > 9"
    assert parts(plain) == parts("def f(text):\n    words = text.split()\n    # count\n    return 9 < len(words)")
    assert parts(plain) != parts("def f(r):\n    return len(set(r.split())) > 9")
    assert parts(plain) != parts("def f(r):\n    return len(r.split()) > 10")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("r.count('#') > 0", "r.count('# Title') > 0"),
        ("r.count('a b') > 0", "r.count('ab') > 0"),
        ("'a' in r", "a in r"),
        ("len(r) > 10", "len(r) > 1 0"),
    ],
)
def test_others_are_not(one, other):
    assert simplified(one) != simplified(other)


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("n > 9", {9}),
        ("n >= 4.0  # or 7", {4}),
        ("'******' in r", {6}),
        ("r.split('\\n\\n')", {2}),
        ("r in ['a', 'b', 'c']", {3}),
        ("f(g(1), (2, 3))", {1, 2, 3}),
        ("a == b ** c", set()),
        ("r.count('#') == 5", {5}),
        ("x12 + '7'", set()),
    ],
)
def test_numbers_held(source, numbers):
    assert numbers_held(source) == {number + by for number in numbers for by in (-1, 0, 1)}


@given(st.text(alphabet="'\"\\#()[],\nab1.", max_size=200))
def test_any_text_can_be_read(text):
    numbers_held(text)
    simplified(text)
