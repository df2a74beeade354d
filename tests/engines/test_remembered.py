"""Replies that outlive the process."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autoif.engines import Reply, Request, Sampling
from autoif.engines.remembered import Remembered
from autoif.engines.scripted import ScriptedEngine
from autoif.errors import EngineError
from autoif.records import Usage


def _request(n: int, **fields: object) -> Request:
    return Request(str(n), [{"role": "user", "content": f"question {n}"}], **fields)  # type: ignore[arg-type]


def _asked(engine: ScriptedEngine, path: Path, requests: list[Request]) -> tuple[dict[str, Reply], int]:
    """The replies, and how many of them the engine was asked for."""
    before = engine.answered
    with Remembered(engine, path) as remembered:
        replies = {reply.id: reply for reply in remembered.generate(requests)}
    return replies, engine.answered - before


def test_what_was_answered_before_an_interruption_is_not_asked_again(tmp_path: Path) -> None:
    path, requests = tmp_path / "replies", [_request(n) for n in range(10)]
    broken = ScriptedEngine(lambda request: request.messages[0]["content"].upper(), fail_after=6)
    with pytest.raises(EngineError):
        _asked(broken, path, requests)
    engine = ScriptedEngine(lambda request: request.messages[0]["content"].upper())
    replies, asked = _asked(engine, path, requests)
    assert asked == 4
    assert replies == {reply.id: reply for reply in ScriptedEngine(engine.script).generate(requests)}


def test_another_seed_prompt_or_wish_is_another_question(tmp_path: Path) -> None:
    path, engine = tmp_path / "replies", ScriptedEngine(["x"])
    _asked(engine, path, [_request(1)])
    others = [
        _request(2),
        _request(1, sampling=Sampling(seed=1)),
        _request(1, prefill="def"),
        _request(1, schema={"type": "object"}),
    ]
    for other in others:
        assert _asked(engine, path, [other])[1] == 1
    assert _asked(engine, path, [replace(_request(1), id="another id")])[1] == 0


def test_a_reply_is_found_once_in_a_process_and_keeps_its_cost(tmp_path: Path) -> None:
    path, engine = tmp_path / "replies", ScriptedEngine(["x" * 40])
    _asked(engine, path, [_request(1)])
    first, second = Remembered(engine, path).generate([_request(1), replace(_request(1), id="again")])
    assert engine.answered == 2
    assert first.usage == second.usage
    assert first.usage.completion_tokens == 10


def test_waste_and_odd_characters_are_kept(tmp_path: Path) -> None:
    class Costly(ScriptedEngine):
        def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
            return (replace(reply, wasted=Usage(3, 4), finish="length") for reply in super().generate(requests))

    path, engine = tmp_path / "replies", Costly(["é\u2028\n\0"])
    [told] = Remembered(engine, path).generate([_request(1)])
    assert list(Remembered(engine, path).generate([_request(1)])) == [told]
    assert engine.answered == 1
    assert told.spent == told.usage + Usage(3, 4)


def test_errors_are_asked_again(tmp_path: Path) -> None:
    path, engine = tmp_path / "replies", ScriptedEngine(["x"], error_every=1)
    for _ in range(2):
        assert _asked(engine, path, [_request(1)])[1] == 1


@pytest.mark.parametrize("torn", [1, 10, 30])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: int) -> None:
    path, engine = tmp_path / "replies", ScriptedEngine(["x"])
    _asked(engine, path, [_request(1), _request(2)])
    path.write_bytes(path.read_bytes()[:-torn])
    assert _asked(engine, path, [_request(1), _request(2)])[1] == 1
    assert _asked(engine, path, [_request(1), _request(2)])[1] == 0
