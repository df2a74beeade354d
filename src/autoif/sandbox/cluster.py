"""The sandbox on the machines of a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from autoif import cluster
from autoif.errors import AutoIFError, SandboxError
from autoif.sandbox.jobs import Job, Result
from autoif.sandbox.parent import Sandbox

CPUS = 0.9
"""What Ray reserves for a sandbox: nearly a CPU, so that the actors which send requests always find a place."""
AT_ONCE = 16
"""Jobs that travel together."""
AHEAD = 2
"""Batches at one machine's sandbox: the one that it is at, and the next."""
DEATHS = 5
"""Sandboxes that may be lost over one batch before the run stops."""
ROOM_SECONDS = 120.0
"""How long the cluster may have no place for any sandbox before the run stops."""


@dataclass(slots=True)
class Batch:
    jobs: list[Job]
    check: bool
    deaths: int = 0


@dataclass(slots=True, eq=False)
class Member:
    """One sandbox of the cluster, and the batches it was given."""

    actor: Any
    batches: list[Batch] = field(default_factory=list)


class ClusterSandbox(Sandbox):
    """`count` sandboxes of one worker each, as Ray actors spread over the cluster (None: one for each CPU less GPUs).

    When an actor or its machine is lost, its jobs are done again by the others, and another is started where there is
    room. Raises SandboxError when there is none for two minutes, or when the same jobs lose one after the other.
    """

    def __init__(self, address: str | None, count: int | None, **settings: Any) -> None:
        super().__init__(1)
        self.address = address
        self.count = count
        self.settings = settings
        self.ready: list[Member] = []
        self.starting: dict[Any, Member] = {}

    def __enter__(self) -> Self:
        self.ray = cluster.connect(self.address)
        self._open = True
        if self.count is None:
            resources = self.ray.cluster_resources()
            self.count = max(1, int(resources.get("CPU", 1) - resources.get("GPU", 0)))
        for _ in range(self.count):
            self._start()
        try:
            self._await([])
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        self._open = False
        for member in [*self.ready, *self.starting.values()]:
            self.ray.kill(member.actor)
        self.ready.clear()
        self.starting.clear()

    def _results(self, jobs: Iterable[Job], check_determinism: bool) -> Iterator[Result]:
        if not self._open:
            raise SandboxError("This sandbox is closed: use it inside its `with` block.")
        source, waiting = iter(jobs), deque[Batch]()
        running: dict[Any, tuple[Member, Batch]] = {}
        try:
            while True:
                self._hand_out(source, waiting, running, check_determinism)
                if not running and not waiting:
                    return
                for call in self._await(list(running)):
                    member, batch = running.pop(call)
                    member.batches.remove(batch)
                    results = self._fetch(call)
                    if results is None:
                        self._lost(member, batch)
                        waiting.append(batch)
                    else:
                        yield from results
        finally:
            for member in {member for member, _ in running.values()}:
                self._replace(member)

    def _hand_out(
        self,
        source: Iterator[Job],
        waiting: deque[Batch],
        running: dict[Any, tuple[Member, Batch]],
        check: bool,
    ) -> None:
        """Gives each sandbox something to do, as long as there is something."""
        while self.ready:
            member = min(self.ready, key=lambda member: len(member.batches))
            if len(member.batches) >= AHEAD:
                return
            batch = waiting.popleft() if waiting else Batch(list(islice(source, AT_ONCE)), check)
            if not batch.jobs:
                return
            member.batches.append(batch)
            running[member.actor.run.remote(batch.jobs, batch.check)] = member, batch

    def _await(self, calls: list[Any]) -> list[Any]:
        """Waits for one of the calls, or for another sandbox to be ready; returns the calls that ended."""
        ended, _ = self.ray.wait(calls + list(self.starting), timeout=None if calls else ROOM_SECONDS)
        if not ended:
            raise SandboxError(
                f"The Ray cluster had no free CPU for a sandbox in {ROOM_SECONDS:.0f} seconds; what is done is kept, "
                "so run again when it has."
            )
        for call in ended:
            if call in self.starting:
                member = self.starting.pop(call)
                if self._fetch(call) is None:
                    self._start()
                else:
                    self.ready.append(member)
        return [call for call in ended if call in calls]

    def _fetch(self, call: Any) -> Any:
        """What an actor returned; None when it is lost. Raises what it raised."""
        lost = self.ray.exceptions
        try:
            return self.ray.get(call)
        except (lost.RayActorError, lost.ObjectLostError, lost.NodeDiedError, lost.WorkerCrashedError):
            return None
        except lost.RayTaskError as error:
            raise error.cause if isinstance(error.cause, AutoIFError) else error from None

    def _lost(self, member: Member, batch: Batch) -> None:
        batch.deaths += 1
        if batch.deaths >= DEATHS:
            raise SandboxError(
                f"{DEATHS} sandboxes of the Ray cluster were lost over the same jobs; run again to go on."
            )
        self._replace(member)

    def _replace(self, member: Member) -> None:
        if member in self.ready:
            self.ready.remove(member)
            self.ray.kill(member.actor)
            self._start()

    def _start(self) -> None:
        remote = self.ray.remote(num_cpus=CPUS, scheduling_strategy="SPREAD")(Keeper)
        member = Member(remote.remote(self.settings))
        self.starting[member.actor.open.remote()] = member


class Keeper:
    """What an actor is: the owner of one sandbox."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.box = Sandbox(workers=1, **settings)

    def open(self) -> bool:
        self.box.__enter__()
        return True

    def run(self, jobs: list[Job], check_determinism: bool) -> list[Result]:
        return list(self.box.run(jobs, check_determinism))
