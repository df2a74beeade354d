import pytest

from autoif.tokens import Comparison, Reading, Span, Token
from autoif.tokens.classes import class_of, classified


def span(text, difference=0.0):
    return Span(text, (Token(text, Reading(difference - 1.0, 1, ()), Reading(-1.0, 1, ())),))


@pytest.mark.parametrize(
    ("text", "before", "name"),
    [
        ("Rain", "\n", "capitalised"),
        (" I", "and", "capitalised"),
        (" RAIN", "the", "upper case"),
        ("N", " RAI", "upper case"),
        (" N", " RAI", "capitalised"),
        ("ing", " rain", "lower case"),
        ("雨", "", "lower case"),
        (" 12", "", "digit"),
        ("½", "", "digit"),
        (",", "a", "comma"),
        ('",', "a", "comma"),
        ("!", "a", "sentence end"),
        ("…", "a", "sentence end"),
        ('"', "a", "other mark"),
        ("-", "a\n", "bullet"),
        (" *", "a\n  ", "bullet"),
        ("-", "well", "other mark"),
        ("**", "\n", "other mark"),
        ("\n\n", "a", "line break"),
        (".\n", "a", "line break"),
        (" ", "a", "space"),
        ("\t", "a", "space"),
        ("", "a", "space"),
        ("🙂", "a", "other mark"),
    ],
)
def test_the_class_of_a_token(text, before, name):
    assert class_of(text, before) == name


def test_the_last_token_ends_the_turn_unless_the_answer_was_cut():
    spans = (span("Yes"), span("<|eot_id|>"))
    assert list(classified(Comparison("", spans))) == ["capitalised", "end of turn"]
    assert list(classified(Comparison("", spans, ended=False))) == ["capitalised", "lower case"]
