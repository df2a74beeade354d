"""Each filter drops what it should, says why, and lets real queries pass."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoif.config import QueriesConfig
from autoif.errors import InputError
from autoif.records import Conversation, Drop, Query
from autoif.stages.queries import queries

SHARED = Path(__file__).parents[3] / "shared" / "data" / "queries"
FOREIGN = {
    "de": "Wie kann ich meine Wohnung im Winter günstig heizen?",
    "fr": "Comment préparer une ratatouille pour six personnes ?",
    "es": "¿Cuál es la mejor manera de aprender a tocar la guitarra?",
    "it": "Come posso migliorare il mio curriculum?",
    "pt": "Qual é a melhor época para visitar Lisboa?",
    "nl": "Hoe kan ik het beste leren fietsen op latere leeftijd?",
    "pl": "Jak ugotować barszcz czerwony na święta?",
    "ru": "Как приготовить борщ на четверых?",
    "zh": "请帮我写一封求职信,谢谢你的帮助。",
    "ja": "東京でおすすめの観光地を教えてください。",
    "ko": "서울에서 갈 만한 곳을 추천해 주세요.",
    "ar": "كيف يمكنني تعلم اللغة الإنجليزية بسرعة؟",
    "tr": "İstanbul'da gezilecek yerler nelerdir?",
    "vi": "Làm thế nào để nấu phở bò ngon?",
}
ENGLISH = [
    "fix this: for(i=0;i<n;i++){a[i]=b[i]}",
    "SELECT * FROM users WHERE id=3;  why slow??",
    "def f(x): return x+1",
    "pasta carbonara recipe",
    "hola meaning in english",
    "translate 'je ne sais quoi' to English",
    "wat is kubernetes pod",
    "Best restaurants Barcelona",
    "WRITE ME A PYTHON SCRIPT",
    "npm ERR! code ERESOLVE",
    "Mozart Don Giovanni plot",
    "1 + 1 = 2 ? 🙂",
]


def run(texts, **settings):
    config = QueriesConfig(**settings)
    units = enumerate(Conversation(text, f"file.jsonl:{n}") for n, text in enumerate(texts, 1))
    return list(queries(units, config))


def reasons(outcomes):
    return [drop.reason for outcome in outcomes for drop in outcome.dropped]


def test_a_query_is_stripped_and_cleaned():
    (outcome,) = run([" \n Why is the\0 sky \ud800 blue? \n"])
    assert outcome.kept == (Query.make(text="Why is the sky ? blue?", source="file.jsonl:1"),)
    assert outcome.dropped == ()


def test_rows_that_are_no_queries():
    units = [(4, Conversation(None, "a:1", "not UTF-8")), (5, Conversation(None, "a:2"))]
    assert [(o.unit, o.kept, o.dropped) for o in queries(units, QueriesConfig())] == [
        (4, (), (Drop("malformed", {"problem": "not UTF-8", "source": "a:1"}),)),
        (5, (), (Drop("not_first_human_turn", {"source": "a:2"}),)),
    ]


def test_length_counts_the_stripped_text():
    texts = ["a" * 4 + "  ", "a" * 5, "a" * 10, "a" * 11]
    outcomes = run(texts, min_chars=5, max_chars=10, language=None)
    assert [drop.reason for outcome in outcomes for drop in outcome.dropped] == ["too_short", "too_long"]
    assert [len(outcome.kept) for outcome in outcomes] == [0, 1, 1, 0]


def test_an_empty_query_is_too_short_even_when_any_length_will_do():
    assert reasons(run(["", " \0 "], min_chars=0)) == ["too_short", "too_short"]


def test_a_dropped_text_is_cut_to_an_excerpt():
    (outcome,) = run(["a" * 10_000_000])
    assert outcome.dropped == (Drop("too_long", {"text": "a" * 2000, "source": "file.jsonl:1"}),)


@pytest.mark.parametrize("code", FOREIGN)
def test_another_language_is_dropped_and_can_be_asked_for(code):
    assert reasons(run([FOREIGN[code]])) == ["wrong_language"]
    assert reasons(run([FOREIGN[code]], language=code)) == []
    assert reasons(run([FOREIGN[code]], language=None)) == []


@pytest.mark.parametrize("text", ENGLISH)
def test_short_or_code_heavy_english_is_kept(text):
    assert reasons(run([text])) == []


def test_an_unknown_language_is_refused():
    with pytest.raises(InputError, match=r"queries\.language: 'english' is not known"):
        run(["Why?"], language="english")


@given(st.lists(st.none() | st.text(st.characters(), max_size=300), max_size=5))
@settings(deadline=None, max_examples=50)
def test_any_text_gives_one_outcome_that_can_be_written(texts):
    outcomes = run(texts, min_chars=0)
    assert [outcome.unit for outcome in outcomes] == list(range(len(texts)))
    for outcome in outcomes:
        assert len(outcome.kept) + len(outcome.dropped) == 1
        for record in outcome.kept:
            record.model_dump_json().encode()
        for drop in outcome.dropped:
            json.dumps(drop.what, ensure_ascii=False).encode()


@pytest.mark.skipif(not SHARED.exists(), reason="needs the prompts in ../shared/data/queries")
@pytest.mark.parametrize(
    ("file", "foreign"),
    [("arena_hard_v0.1_500", 0), ("open_instruct_tulu1_eval_prompts", 0), ("oasst_model_eval_prompts", 54)],
)
def test_real_english_prompts_are_not_taken_for_another_language(file, foreign):
    """54 of the oasst prompts are in other languages; one English one looks Dutch to the detector."""
    lines = (SHARED / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
    outcomes = run([json.loads(line)["query"] for line in lines], min_chars=1, max_chars=100_000)
    assert foreign - 2 <= reasons(outcomes).count("wrong_language") <= foreign + 1
