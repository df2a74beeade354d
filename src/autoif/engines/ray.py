"""Engines vllm and openai on a Ray cluster, through the LLM processors of Ray Data."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from autoif import cluster
from autoif.config import EngineConfig, RayConfig
from autoif.engines.base import PROBE, Engine, Reply, Request
from autoif.errors import EngineError
from autoif.records import clean

ROW_BYTES = 1
"""Ray Data cuts its output when a block is larger: every reply is a block, handed on as soon as it is there."""
START = "start"
"""What the queue holds first."""


class Rows(Protocol):
    """How a kind of engine sees a request, and what Ray Data's processor for it is."""

    supports_prefill: bool
    supports_schema: bool

    def processor(self, replicas: int) -> Any:
        """A `ray.data.llm` processor of rows with an `id`, to rows with `id` and `answer`."""

    def row(self, request: Request) -> dict[str, Any]: ...

    def reply(self, id: str, row: dict[str, Any]) -> tuple[Reply, bool]:
        """The reply, and whether the server may be at fault if it is an error. Raises EngineError for the end."""


class RayEngine(Engine):
    """Keeps `concurrency` requests in one Ray Data pipeline, which stays open, with its models loaded, until `close`.

    A queue on this machine feeds the pipeline row by row. A row that fails is an error reply; what a lost machine was
    at is done again by Ray Data. Raises EngineError when the pipeline or the server breaks down.
    """

    def __init__(self, config: EngineConfig, settings: RayConfig) -> None:
        ray = cluster.connect(settings.address)
        from ray.util.queue import Queue

        self.config = config
        self.model = _rows(config)
        self.supports_prefill = self.model.supports_prefill
        self.supports_schema = self.model.supports_schema
        self.next_id = 0
        self.queue: Any = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": cluster.here()})
        self.queue.put(START)
        self.answers = _answers(ray, self.queue, self.model.processor(settings.replicas))

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        source = iter(requests)
        running: dict[str, tuple[Request, Reply | None]] = {}
        while True:
            for request in islice(source, self.config.concurrency - len(running)):
                self._send(running, request)
            if not running:
                return
            row = self._receive()
            if row["id"] not in running:
                continue  # of a call that was left early
            request, doubted = running.pop(row["id"])
            reply, outage = self.model.reply(request.id, row)
            if doubted is None and not outage:
                yield reply
            elif doubted is None:
                self._send(running, PROBE, reply)
            elif outage:
                raise EngineError(f"The server does not answer ({reply.error}); run again to go on when it does.")
            else:
                yield replace(doubted, wasted=doubted.wasted + reply.spent)

    def close(self) -> None:
        if self.queue is None:
            return
        self.queue.put(None)
        self.answers.close()
        self.queue.shutdown(force=True)
        self.queue = None

    def _send(self, running: dict[str, Any], request: Request, doubted: Reply | None = None) -> None:
        self.next_id += 1
        running[str(self.next_id)] = request, doubted
        self.queue.put({"id": str(self.next_id), **self.model.row(request)})

    def _receive(self) -> dict[str, Any]:
        import ray

        try:
            return next(self.answers)
        except (StopIteration, ray.exceptions.RayError, RuntimeError, ValueError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise EngineError(f"Ray Data stopped: {clean(said)[:300]}") from error


def _rows(config: EngineConfig) -> Rows:
    if config.engine == "openai":
        from autoif.engines.ray_http import HttpRows

        return HttpRows(config)
    from autoif.engines.ray_vllm import VllmRows

    return VllmRows(config)


def _answers(ray: Any, queue: Any, processor: Any) -> Generator[dict[str, Any], None, None]:
    """Rows from the queue to rows of answers, in the order in which they come."""
    from ray.data.block import BlockAccessor

    context = ray.data.DataContext.get_current()
    context.target_max_block_size = ROW_BYTES
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.issue_detectors_config.detectors = []
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}

    def pull(_: Any) -> Iterator[dict[str, list[Any]]]:
        if queue.get_nowait() != START:  # Ray runs it again: what it took before is lost
            raise RuntimeError("the process that feeds it was lost")
        while (row := queue.get()) is not None:
            yield {name: [value] for name, value in row.items()}

    start = ray.data.from_items([0], override_num_blocks=1)
    rows = start.map_batches(pull, batch_size=None, num_cpus=0, label_selector=here)
    for bundle in processor(rows).iter_internal_ref_bundles():
        for entry in bundle.blocks:
            yield from BlockAccessor.for_block(ray.get(entry.ref)).iter_rows(public_row_format=True)
