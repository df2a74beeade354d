"""Every seed, with every value of its parameters, against its own cases and against hostile text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoif.seeds import SEEDS, Seed
from autoif.seeds.seed import Kind

FILLED = [(seed, choice) for seed in SEEDS for choice in seed.choices()]
each = pytest.mark.parametrize(
    ("seed", "choice"), FILLED, ids=["-".join([s.name, *map(str, c.values())]).replace(" ", "_") for s, c in FILLED]
)
HOSTILE = (
    "", " ", "\n\r\n\t", "\x00", "\ud800", "\u2028", "a" * 100_000, " " * 100_000, "\n" * 100_000, "." * 100_000,
    "9" * 100_000, "[" * 100_000, '{"a":' * 20_000, "**" * 50_000, "- " * 50_000, "a " * 50_000, "a. " * 33_000,
    "\n \n" * 33_000, "|" * 100_000, "| - " * 25_000, "```\n" * 25_000, "\"'" * 50_000, "1.\n" * 33_000, "=" * 100_000,
    "# " * 50_000, "**a" * 33_000, "('*" * 33_000, "a: " * 33_000, "A." * 50_000, "\t1" * 50_000, "ßİǅ²٣" * 20_000,
    "- " + "9" * 5000, "\u200b", "\ufeff", "\U0001f600" * 1000,
)  # fmt: skip


def evaluator(source: str) -> Callable[[str], bool]:
    """The function of a seed's verifier; exec is safe here because the source is our own."""
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[[str], bool] = names["evaluate"]
    return function


FIRST = {seed.name: evaluator(seed.fill(**seed.choices()[0]).verifier) for seed in SEEDS}


def labelled(seed: Seed, choice: dict[str, Any]) -> list[tuple[str, bool]]:
    return seed.cases(**choice) + seed.boundary(**choice)


def test_there_are_enough_of_every_kind() -> None:
    assert len(SEEDS) >= 48
    assert {seed.kind for seed in SEEDS} == set(get_args(Kind))
    for attribute in ("name", "query", "instruction"):
        assert len({getattr(seed, attribute) for seed in SEEDS}) == len(SEEDS)
    assert sum(seed.general for seed in SEEDS) > len(SEEDS) / 2


@each
def test_verifier_agrees_with_its_cases(seed: Seed, choice: dict[str, Any]) -> None:
    filled = seed.fill(**choice)
    evaluate = evaluator(filled.verifier)
    for response, follows in labelled(seed, choice):
        assert evaluate(response) is follows, response
    assert len(filled.cases) >= 4
    assert {follows for _, follows in filled.cases} == {True, False}
    assert len(seed.boundary(**choice)) >= 2


@each
def test_blank_space_around_an_answer_changes_nothing(seed: Seed, choice: dict[str, Any]) -> None:
    evaluate = evaluator(seed.fill(**choice).verifier)
    for response, follows in labelled(seed, choice):
        assert evaluate(f" \n{response.strip()} \n\n") is follows, response
        assert evaluate(response.strip().replace("\n", "\r\n")) is follows, response


@each
def test_text_is_filled_and_readable(seed: Seed, choice: dict[str, Any]) -> None:
    filled = seed.fill(**choice)
    assert seed.query.strip()
    assert "$" not in filled.instruction
    assert "$" not in filled.verifier
    assert filled.verifier.startswith("def evaluate(response: str) -> bool:\n    ")
    assert "    # " in filled.verifier
    function = ast.parse(filled.verifier).body
    assert len(function) == 1  # imports inside: the prompt may prefill the first line
    assert filled.parameters == choice
    for value in choice.values():
        assert re.search(rf"(?<!\w){re.escape(str(value))}(?!\w)", filled.instruction)


@pytest.mark.parametrize("seed", [seed for seed in SEEDS if seed.parameters], ids=lambda seed: seed.name)
def test_each_parameter_matters(seed: Seed) -> None:
    for choice in seed.choices():
        for name, values in seed.parameters.items():
            for other in (value for value in values if value != choice[name]):
                evaluate = evaluator(seed.fill(**{**choice, name: other}).verifier)
                assert any(evaluate(response) is not follows for response, follows in labelled(seed, choice))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_gets_a_real_bool(text: str) -> None:
    for name, evaluate in FIRST.items():
        verdict = evaluate(text)
        assert type(verdict) is bool, name
        if not text.strip():
            assert verdict is False, name


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(max_size=300) | st.text(alphabet="aZ 1.,!?:;-*#|\"'`()[]{}=\n\t", max_size=300))
def test_any_text_gets_a_real_bool(text: str) -> None:
    assert all(type(evaluate(text)) is bool for evaluate in FIRST.values())


def test_fill_wants_exactly_the_parameters() -> None:
    seed = next(seed for seed in SEEDS if seed.parameters)
    with pytest.raises(KeyError):
        seed.fill()
    with pytest.raises(TypeError):
        seed.fill(**seed.choices()[0], surplus=1)
