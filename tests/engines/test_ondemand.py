"""An engine that is loaded by its first request."""

from autoif.engines import Engine, Request
from autoif.engines.ondemand import OnDemand
from autoif.engines.scripted import ScriptedEngine


def test_nothing_is_loaded_for_no_request() -> None:
    def load() -> Engine:
        raise AssertionError("loaded")

    assert list(OnDemand(load).generate(iter([]))) == []


def test_it_is_loaded_once_and_answers_alike() -> None:
    loaded = []

    def load() -> Engine:
        loaded.append(ScriptedEngine(["x"] * 5, prefill=True))
        return loaded[-1]

    engine = OnDemand(load)
    requests = [Request(str(n), [{"role": "user", "content": "q"}]) for n in range(3)]
    assert [reply.id for reply in engine.generate(iter(requests))] == ["0", "1", "2"]
    assert next(engine.generate(requests[:1])).text == "x"
    assert engine.supports_prefill
    assert not engine.supports_schema
    assert len(loaded) == 1
