import json

import pytest

from autoif.tokens import Comparison, Reading, Span, Token
from autoif.tokens.moved import MovedByType


def answer(*pairs):
    """(text, difference) of each token; the last ends the turn."""

    def span(text, difference):
        return Span(text, (Token(text, Reading(difference - 1.0, 1, ()), Reading(-1.0, 1, ())),))

    return Comparison("", (*(span(*pair) for pair in pairs), span("<|eot_id|>", 0.0)))


def found(moved, side, kind="tokens"):
    return {row["text"]: row for row in moved[kind][side]}


def test_a_policy_that_learned_capitals_and_no_commas_is_seen():
    moved = MovedByType()
    for _ in range(3):
        moved.add("shout", answer((" RAIN", 0.5), (",", -0.3), (" IS", 0.7), (",", -0.1)))
        moved.add("other", answer((" RAIN", 0.0), (",", 0.2)))
    told = moved.as_dict()
    assert found(told["types"]["shout"], "up", "classes").keys() == {"upper case"}
    assert found(told["types"]["shout"], "down", "classes")["comma"]["mean"] == pytest.approx(-0.2)
    assert found(told["types"]["other"], "up", "classes") == {}  # three commas are too few
    rain = found(told["all"], "up")[" RAIN"]
    assert rain == {"text": " RAIN", "count": 6, "answers": 6, "sum": 1.5, "mean": 0.25}
    assert found(told["all"], "down")[","] == {"text": ",", "count": 9, "answers": 6, "sum": -0.6, "mean": -0.0667}
    assert (told["all"]["count"], told["all"]["answers"]) == (24, 6)
    assert told["all"]["sum"] == pytest.approx(3 * (0.5 - 0.3 + 0.7 - 0.1 + 0.2))
    json.dumps(told)


def test_one_answer_that_repeats_itself_shows_nothing():
    moved = MovedByType()
    moved.add("loop", answer(*[(" again", 2.0)] * 50))
    moved.add("calm", answer((" no", 0.1)))
    assert moved.as_dict()["all"]["tokens"] == {"up": [], "down": []}


def test_the_farthest_come_first_and_the_list_ends():
    moved = MovedByType()
    for _ in range(5):
        moved.add("a", answer(*[(f" word{i}", (i - 20) / 10) for i in range(41)]))
    up = [row["text"] for row in moved.as_dict()["all"]["tokens"]["up"]]
    assert up == [f" word{i}" for i in range(40, 28, -1)]
    assert len(moved.as_dict()["types"]["a"]["tokens"]["down"]) == 3
