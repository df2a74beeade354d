"""Stage 2: prompts, parsing, seeds, and both modes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.config_file import parse_config
from autoif.engines.scripted import ScriptedEngine
from autoif.records import Query
from autoif.seeds import SEEDS
from autoif.stages.instructions import examples, instructions, read_instruction


def query(number: int) -> Query:
    return Query.make(text=f"What should I cook on day {number}?", source="test")


def run(script, config, queries):
    return list(instructions(enumerate(queries), config, ScriptedEngine(script)))


def test_proactive_gives_the_models_instruction_and_a_seed():
    config = parse_config({"instructions": {"per_query": 1, "seeds_per_query": 2}}, "test")
    (outcome,) = run(["Answer in at most 40 words."], config, [(query(1),)])
    assert [record.origin for record in outcome.kept] == ["seed", "seed", "model"]
    assert outcome.kept[2].text == "Answer in at most 40 words."
    assert all(record.parent == query(1).id for record in outcome.kept)
    assert all("$" not in record.text for record in outcome.kept)
    assert outcome.usage.completion_tokens > 0


@pytest.mark.parametrize(
    ("reply", "text", "reason"),
    [
        ("", "", "empty"),
        (" \n\n ", "", "empty"),
        ("...", "...", "empty"),
        ("Instruction: Use no commas.", "Use no commas.", None),
        ('- "Write in lowercase."\nSure, here it is', "Write in lowercase.", None),
        ('Write it in lowercase."', "Write it in lowercase.", None),
        ('Start your answer with "Sure thing!"', 'Start your answer with "Sure thing!"', None),
        ('Use the word "fast" and end with "Sure!"', 'Use the word "fast" and end with "Sure!"', None),
        ('"Use the word "fast" and end with "Sure!""', 'Use the word "fast" and end with "Sure!"', None),
        (
            '"Yes" must be one word of your answer, as must "No"',
            '"Yes" must be one word of your answer, as must "No"',
            None,
        ),
        ("2. End with a question.", "End with a question.", None),
        ("Pasta with tomatoes is a fine dish.", "Pasta with tomatoes is a fine dish.", "answers_the_query"),
        ("Use words. " * 60, ("Use words. " * 60).strip(), "answers_the_query"),
        ("Write a list:\n```python\nprint()\n```", "Write a list:", "answers_the_query"),
    ],
)
def test_reading_a_reply(reply, text, reason):
    assert read_instruction(reply) == (text, reason)


@given(st.text())
def test_no_reply_crashes_the_reader(text):
    found, reason = read_instruction(text)
    assert reason or found.strip()


def test_a_copy_of_an_example_is_a_duplicate():
    seed = SEEDS[0]
    config = parse_config({"instructions": {"seeds_per_query": 0}}, "test")
    (outcome,) = run([seed.fill(**seed.choices()[0]).instruction.upper()], config, [(query(1),)])
    assert [drop.reason for drop in outcome.dropped] == ["duplicate"]


def test_a_lost_reply_is_a_drop():
    config = parse_config({"instructions": {"seeds_per_query": 0}}, "test")
    (outcome,) = list(instructions(enumerate([(query(1),)]), config, ScriptedEngine(["x"], error_every=1)))
    assert outcome.kept == ()
    assert [drop.reason for drop in outcome.dropped] == ["empty"]


def test_examples_rotate_among_a_few_orders():
    asked = []
    config = parse_config({"instructions": {"orders": 3}}, "test")
    engine = ScriptedEngine(lambda request: asked.append(request) or "Use no commas.")
    list(instructions(((n, (query(n),)) for n in range(30)), config, engine))
    prefixes = {tuple(message["content"] for message in request.messages[:-1]) for request in asked}
    assert len(prefixes) == 3
    assert asked[0].messages[:-1] == asked[3].messages[:-1]
    assert len(examples(0, 4, seed=0)) == 4


def test_paper_mode_attaches_queries_to_each_rewrite_and_brings_all_seeds():
    config = parse_config(
        {"instructions": {"mode": "paper", "rewrites": 4, "rewrites_per_reply": 2, "queries_per_instruction": 3}},
        "test",
    )
    batches = [tuple(query(6 * unit + n) for n in range(6)) for unit in range(2)]
    outcomes = run(["Use exactly 5 words.\nWrite in uppercase.\nOne line too many for the queries."], config, batches)
    written = [record for outcome in outcomes for record in outcome.kept if record.origin == "model"]
    assert [record.text for record in written] == ["Use exactly 5 words.", "Write in uppercase."] * 2
    assert written[1].queries == batches[0][3:6]
    seeds = [record.seed for outcome in outcomes for record in outcome.kept if record.origin == "seed"]
    assert sorted(seeds) == sorted(seed.name for seed in SEEDS)


def test_paper_mode_without_seeds_is_what_the_writer_wrote_alone():
    paper = {"mode": "paper", "rewrites": 2, "rewrites_per_reply": 2, "seeds_per_query": 0}
    [outcome] = run(["Write in uppercase."], parse_config({"instructions": paper}, "test"), [(query(0), query(1))])
    assert [record.text for record in outcome.kept] == ["Write in uppercase."]


def test_paper_mode_has_room_for_all_lines_of_a_reply_and_forgets_a_torn_one():
    sampling = {"max_tokens": 4}
    paper = {"mode": "paper", "rewrites": 2, "rewrites_per_reply": 2, "sampling": sampling}
    config = parse_config({"instructions": paper}, "test")
    [outcome] = run(["Write in uppercase.\nUse exactly 5 words."], config, [tuple(query(n) for n in range(32))])
    assert [record.text for record in outcome.kept if record.origin == "model"] == ["Write in uppercase."]


def test_the_same_seed_gives_the_same_records():
    config = parse_config({"seed": 7}, "test")
    queries = [(query(n),) for n in range(20)]
    first, second = (run(["Use no commas."], config, queries) for _ in range(2))
    assert first == second
    assert first != run(["Use no commas."], parse_config({"seed": 8}, "test"), queries)
