"""Equal and nearly equal texts are found, different ones are not, whatever the text holds."""

import random
import re
import resource
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoif.dedupe import NearSeen, Seen, instruction_sifter, normal, query_sifter
from autoif.records import Instruction, Query

ANY_TEXT = st.text(st.characters(), max_size=60)
WORDS = [a + b for a in string.ascii_lowercase for b in string.ascii_lowercase]


def query(text: str, source: str = "file.jsonl:1") -> Query:
    return Query.make(text=text, source=source)


def instruction(text: str, origin: str = "model", queries: tuple[str, ...] = ("Why?",)) -> Instruction:
    return Instruction.make(text=text, origin=origin, queries=tuple(map(query, queries)))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('  "What is   Love?" ', "what is love"),
        ("What\tis\nlove", "what is love"),
        ("STRASSE", normal("Straße")),
        ("C++", "c"),
        ("???", "???"),
        ("", ""),
    ],
)
def test_normal(text, plain):
    assert normal(text) == plain


@given(ANY_TEXT)
def test_normal_is_its_own_normal(text):
    assert normal(normal(text)) == normal(text)


@given(st.lists(ANY_TEXT | st.binary(max_size=8), max_size=30))
def test_seen_agrees_with_a_set(keys):
    seen, truth = Seen(), set()
    for key in keys:
        data = key.encode("utf-8", "replace") if isinstance(key, str) else key
        assert seen.add(key) is (data not in truth)
        truth.add(data)


@given(st.lists(ANY_TEXT, max_size=20), st.sampled_from([0.0, 0.3, 0.85, 0.99]))
@settings(deadline=None)
def test_near_seen_takes_any_text_and_finds_an_equal_one(texts, threshold):
    near = NearSeen(threshold)
    for text in texts:
        near.add(text)
        assert near.add(text) is (re.search(r"\w", text) is None)  # what has no words is like nothing


def test_near_seen_drops_what_shares_enough_words_only():
    near = NearSeen(0.8)
    assert near.add("one two three four five six seven eight nine ten")
    assert not near.add("Ten, nine, eight, seven, six, five, four, three, two: ELEVEN")  # 9 of 11 words
    assert near.add("one two three four five six seven eight eleven twelve")  # 8 of 12 words


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85, 0.95])
def test_near_seen_finds_nearly_all_pairs_above_the_threshold_and_none_below(threshold):
    draw, near, found = random.Random(0), NearSeen(threshold), 0
    size = 40
    swapped = int(size * (1 - threshold) / (1 + threshold))  # so that (size - n) / (size + n) >= threshold
    for _ in range(200):
        words = draw.sample(WORDS, size + swapped + 40)
        first, fresh = words[:size], words[size:]
        near.add(" ".join(first))
        below = " ".join(first[swapped + 2 :] + fresh[: swapped + 2])
        assert (size - swapped - 2) / (size + swapped + 2) < threshold
        assert near.add(below)
        near.add(" ".join(first))
        found += not near.add(" ".join(first[swapped:] + fresh[30 : 30 + swapped]))
    assert found >= 180


def test_memory_is_flat():
    near, seen = NearSeen(0.85), Seen()
    draw = random.Random(0)

    def add(count):
        for _ in range(count):
            text = " ".join(draw.choices(WORDS, k=12))
            seen.add(text)
            near.add(text)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before = add(1_000)
    assert add(5_000) - before < 20 * 2**20


def test_queries_are_duplicates_by_their_normal_text():
    sift = query_sifter()
    assert sift(query("What is love?")) is None
    assert sift(query("what is  LOVE", "other.jsonl:7")) == "duplicate"
    assert sift(query("What is hate?")) is None


def test_model_written_instructions_are_duplicates_by_text_alone():
    sift = instruction_sifter(0.85)
    text = "Answer in exactly three sentences and mention the word harbour in the last one."
    assert sift(instruction(text)) is None
    assert sift(instruction(text.upper(), queries=("How?",))) == "duplicate"
    assert sift(instruction("Please answer" + text[6:])) == "near_duplicate"
    assert sift(instruction("Write everything in lower case.")) is None


def test_a_threshold_of_one_drops_equal_texts_only():
    sift = instruction_sifter(1.0)
    assert sift(instruction("Begin with A and end with B.")) is None
    assert sift(instruction("Begin with B and end with A.")) is None
    assert sift(instruction("begin with A and end with B")) == "duplicate"


def test_a_seed_may_meet_many_queries_but_each_only_once():
    sift = instruction_sifter(0.85)
    assert sift(instruction("Use bullet points.", "seed", ("Why?",))) is None
    assert sift(instruction("Use bullet points.", "seed", ("How?",))) is None
    assert sift(instruction("Use bullet points.", "seed", ("Why?",))) == "duplicate"
    assert sift(instruction("Use bullet points.", "model")) is None
