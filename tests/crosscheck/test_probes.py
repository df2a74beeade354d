"""What an instruction speaks of, and what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.crosscheck.demands import toggles
from autoif.crosscheck.probes import CHANGES, REPETITIONS, nudged, numbers, probes, quoted, unspoken

CASE, DIGITS, LINES, EMPHASIS, MARKS, BULLETS, QUOTES, SPACES = (changes for _, changes in CHANGES)


@pytest.mark.parametrize(
    ("instruction", "spoken_of"),
    [
        ("Write in capital letters.", [CASE, DIGITS]),
        ("Use no digits.", [DIGITS]),
        ("Write three paragraphs.", [LINES]),
        ("Put one word in bold.", [EMPHASIS]),
        ("End with a question mark.", [MARKS]),
        ('Mention the word "tea".', []),
        ("Use no hyphens.", [BULLETS]),
        ("Use at most 40 characters.", [CASE, DIGITS, LINES, EMPHASIS, MARKS, BULLETS, QUOTES, SPACES]),
    ],
)
def test_only_what_is_spoken_of_may_matter(instruction, spoken_of):
    left = unspoken(instruction)
    assert [changes for _, changes in CHANGES if not set(changes) & set(left)] == spoken_of


def test_repetition_does_not_matter_where_different_things_are_counted():
    assert not set(REPETITIONS) & set(unspoken("Give two different answers."))
    assert not set(REPETITIONS) & set(unspoken("Use at least 9 words."))
    twice, once = unspoken("Use at least 9 different words.")[-2:]
    assert twice("a b") == "a b\na b"
    assert once("a b\na b c") == "a b c"


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        (CASE, "Tea AND milk", ["tea and milk"]),
        (DIGITS, "In 2024", ["In cace"]),
        (LINES, "One. Two!\nthree", ["One. Two! three", "One.\nTwo!\nthree"]),
        (EMPHASIS, "* a **big** pot\n* _x_", ["* a big pot\n* _x_", "* a **big** pot\n* _x_"]),
        (EMPHASIS, "drink green tea", ["drink green tea", "**drink** green tea"]),
        (MARKS, "What?! Yes.", ["What. Yes."]),
        (BULLETS, "* a\n- b", ["- a\n- b", "* a\n* b"]),
        (QUOTES, "“it’s”", ['"it\'s"']),
        (SPACES, " a  \nb \n", ["a\nb"]),
    ],
)
def test_changes(changes, before, after):
    assert [change(before) for change in changes] == after


@given(st.text(max_size=300))
def test_changes_take_any_text(text):
    for _, changes in CHANGES:
        for change in changes:
            change(text).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("instruction", "found"),
    [
        ("Use at least 12 words and three lists.", {12, 3}),
        ("Use 5.0 words, once or twice.", {5, 2}),
        ("Write one line, as item 1.", set()),
        ("Highlight 2 parts, such as: * 7 *", {2}),
        ("Write 5 parts, such as:\nPart 1. a\nPart 7. b", {5}),
        ('Open with a word such as "Hi". Write at least 40 words.', {40}),
        ("Use 1,000 words, fifteen of them long.", {1000, 15}),
        ("Use v1.5 and 3rd.", set()),
    ],
)
def test_numbers(instruction, found):
    assert numbers(instruction) == found


def test_quoted():
    assert quoted('Don\'t say \'tea\' or “hot milk”, e.g. "cup"; say "it\'s". Then "end".') == [
        "tea",
        "hot milk",
        "end",
    ]


def test_quoted_words_are_left_out_one_at_a_time():
    found = toggles('Mention "tea" and "milk".', ["tea is hot", "a cup"])
    assert [(toggle.word, toggle.passes, toggle.fails) for toggle in found] == [
        ('"tea"', "a cup tea milk", "a cup milk"),
        ('"milk"', "a cup tea milk", "a cup tea"),
    ]
    (found,) = toggles('Do not say "tea".', ["a cup"])
    assert (found.passes, found.fails) == ("a cup", "a cup tea")
    assert toggles('Mention "tea" or "milk".', ["a cup"]) == []


@pytest.mark.parametrize(
    ("instruction", "source", "copies"),
    [
        ("at least 5 words", "len(words) >= 5", ["len(words) >= 4", "len(words) >= 6"]),
        ("at least 50 words", "n > 50 or x['50']", ["n > 45 or x['50']", "n > 55 or x['50']"]),
        ("at most four words", "n <= 4 and m != 14", ["n <= 3 and m != 14", "n <= 5 and m != 14"]),
        ("exactly 5 words", "n == 5", []),
        ("use 5 words", "n == 5", []),
        ("at least 5 words", "n > 4", []),
    ],
)
def test_nudged(instruction, source, copies):
    assert nudged(source, instruction) == copies


def test_probes_are_many_of_all_lengths_and_speak_of_the_instruction():
    found = probes('Mention "green tea" and no milk.')
    assert len(found) == len(set(found)) > 250
    assert min(map(len, found)) < 10
    assert max(map(len, found)) > 2000
    for word in ("green tea", "milk"):
        assert 4 <= sum(word in probe for probe in found) < 30
    assert probes("Be nice.")[:200] == found[:200]
