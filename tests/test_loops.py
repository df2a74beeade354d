"""What counts as saying the same again and again."""

import pytest

from autoif.loops import looping_part, loops


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", False),
        ("Two words", False),
        ("no no no no no no", True),
        ("You see a cat. You see a cat. You see a cat.", False),  # three times
        ("You see a cat. " * 4, True),
        ("First of all, one thing. " * 4 + " ".join(map(str, range(100))), False),  # less than a quarter
        (" ".join(map(str, range(100))) + " the end of it" * 30, True),
    ],
)
def test_loops(text, told):
    assert loops(text) is told


def test_the_looping_part_ends_with_the_word_that_makes_it_loop():
    text = "Cats purr. " + "You see a cat. " * 40
    part = looping_part(text)
    assert text.startswith(part)
    assert loops(part)
    assert not loops(part.rsplit(" ", 1)[0])
    assert looping_part("Nothing is said twice here.") == "Nothing is said twice here."
