"""`ask`: units in, units out with their replies."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoif.engines import Engine, Reply, Request, ask
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import AutoIFError, EngineError
from autoif.gather import AT_REST


def _requests(unit: int, count: int) -> list[Request]:
    return [Request("", [{"role": "user", "content": f"{unit}.{index}"}]) for index in range(count)]


def _echo(request: Request) -> str:
    return request.messages[-1]["content"]


@given(
    counts=st.lists(st.integers(0, 4), max_size=30),
    window=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_each_unit_comes_out_once_with_its_replies_in_order(counts: list[int], window: int, seed: int) -> None:
    engine = ScriptedEngine(_echo, window=window, seed=seed)
    out = {
        unit: (item, [reply.text for reply in replies])
        for unit, item, replies in ask(engine, enumerate(counts), _requests)
    }
    assert out == {unit: (count, [f"{unit}.{i}" for i in range(count)]) for unit, count in enumerate(counts)}


@given(
    waves=st.lists(st.lists(st.integers(1, 3), max_size=4), max_size=20),
    window=st.integers(1, 8),
    seed=st.integers(0, 99),
)
def test_further_requests_follow_the_answers(waves: list[list[int]], window: int, seed: int) -> None:
    def first(unit: int, sizes: list[int]) -> list[Request]:
        return _requests(unit, sizes[0]) if sizes else []

    def more(unit: int, sizes: list[int], replies: list[Reply]) -> list[Request]:
        asked = [sum(sizes[:n]) for n in range(len(sizes) + 1)].index(len(replies))
        return _requests(unit, sum(sizes[: asked + 1]))[len(replies) :]

    engine = ScriptedEngine(_echo, window=window, seed=seed)
    out = {unit: [r.text for r in replies] for unit, _, replies in ask(engine, enumerate(waves), first, more)}
    assert out == {unit: [f"{unit}.{i}" for i in range(sum(sizes))] for unit, sizes in enumerate(waves)}


def test_no_more_units_are_open_than_the_engine_takes_in() -> None:
    opened = 0

    def units() -> Iterator[tuple[int, int]]:
        nonlocal opened
        for unit in range(1000):
            opened += 1
            yield unit, 1

    for finished, _ in enumerate(ask(ScriptedEngine(_echo, window=8), units(), _requests), 1):
        assert opened - finished <= 8


def test_a_long_row_of_units_without_requests_does_not_pile_up() -> None:
    opened = 0

    def units() -> Iterator[tuple[int, int]]:
        nonlocal opened
        for unit in range(3 * AT_REST):
            opened += 1
            yield unit, 0

    finished = 0
    for _ in ask(ScriptedEngine(_echo), units(), _requests):
        finished += 1
        assert opened - finished < AT_REST
    assert finished == 3 * AT_REST


def test_an_error_reply_takes_its_place() -> None:
    [(_, _, replies)] = ask(ScriptedEngine(_echo, error_every=2), [(7, 3)], _requests)
    assert [reply.finish for reply in replies] == ["stop", "error", "stop"]


def test_what_was_finished_before_the_engine_broke_has_come_out() -> None:
    units = ask(ScriptedEngine(_echo, fail_after=3), [(0, 2), (1, 2)], _requests)
    assert next(units)[0] == 0
    with pytest.raises(EngineError):
        next(units)


def test_an_engine_that_leaves_requests_unanswered_is_found_out() -> None:
    class Forgetful(Engine):
        def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
            for number, request in enumerate(requests):
                if number:
                    yield Reply(request.id, "", "stop")

    with pytest.raises(AutoIFError, match="1 requests were left unanswered"):
        list(ask(Forgetful(), [(0, 2)], _requests))
