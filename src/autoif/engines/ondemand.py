"""An engine that is loaded when it is first needed: who only takes hand-written seeds needs no writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain

from autoif.engines.base import Engine, Reply, Request


class OnDemand(Engine):
    """What `load` returns, from the first request on; who loaded it closes it. Raises what `load` raises, then."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        self.load = load

    @cached_property
    def engine(self) -> Engine:
        return self.load()

    @property
    def supports_prefill(self) -> bool:  # type: ignore[override]
        return self.engine.supports_prefill

    @property
    def supports_schema(self) -> bool:  # type: ignore[override]
        return self.engine.supports_schema

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        requests = iter(requests)
        for first in requests:
            yield from self.engine.generate(chain([first], requests))
