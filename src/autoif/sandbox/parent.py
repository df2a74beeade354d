"""The sandbox as the rest of the package sees it: jobs in, results out."""

from __future__ import annotations

import random
import select
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Self

from autoif.errors import SandboxError, SandboxUnavailableError
from autoif.sandbox.capabilities import describe
from autoif.sandbox.jobs import Job, Result, Verdict, decode_verdicts
from autoif.sandbox.worker import Mode, Settings, Task, Worker

AT_ONCE = 8
"""Jobs pulled before results are looked for again."""
DEATHS = 2
"""Zygotes that may die over one task before it counts as CRASH."""


class Sandbox:
    """Runs verifiers in locked processes. Use it as a context manager.

    `workers` functions run at once. One call may take `call_seconds` of wall time (and an eighth more), a function over
    all its inputs `function_seconds`; a child may map `memory_mb` MiB. `preload` names libraries beyond the standard
    library that verifiers may import. Strict mode raises SandboxUnavailableError where the kernel cannot contain
    hostile code; weak mode runs there all the same. Raises SandboxError when a process cannot be started.

    `_without` leaves mechanisms out as if the kernel lacked them, for tests: seccomp, landlock, the namespaces' names,
    and `sharing`, which gives plain functions a child of their own too.
    """

    def __init__(
        self,
        workers: int = 2,
        call_seconds: float = 2.0,
        function_seconds: float = 10.0,
        memory_mb: int = 1024,
        mode: Mode = "strict",
        preload: Sequence[str] = (),
        _without: Sequence[str] = (),
    ) -> None:
        limits = (call_seconds, function_seconds, memory_mb)
        self._settings = Settings(*limits, mode, tuple(preload), tuple(_without))
        self._count = workers
        self._groups: dict[int, list[Worker]] = {}
        self._open = self._running = False

    def __enter__(self) -> Self:
        self._open = True
        self._group(0)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process. May be called twice."""
        self._open = False
        for worker in [*chain(*self._groups.values())]:
            self._forget(worker)

    def run(self, jobs: Iterable[Job], check_determinism: bool = False) -> Iterator[Result]:
        """One result per job, in any order; pulls jobs only as the workers have room for them.

        With `check_determinism` each job runs twice, the second time with another hash seed, another state of
        `random` and its inputs shuffled; the verdicts are the first pass's. Raises SandboxError when another run of
        this sandbox is under way, or when a process that died cannot be replaced.
        """
        if self._running:
            raise SandboxError("This sandbox is busy with another run: exhaust or close that one first.")
        self._running = True
        try:
            yield from self._results(jobs, check_determinism)
        finally:
            self._running = False

    def _results(self, jobs: Iterable[Job], check_determinism: bool) -> Iterator[Result]:
        return Run(self, jobs, (0, 1) if check_determinism else (0,)).results()

    def _group(self, hash_seed: int) -> list[Worker]:
        """The workers with this hash seed, all of them alive as far as is known."""
        group = self._groups.setdefault(hash_seed, [])
        if len(group) < self._count:
            if not self._open:
                raise SandboxError("This sandbox is closed: use it inside its `with` block.")
            new = [Worker(self._settings, hash_seed) for _ in range(self._count - len(group))]
            group += new
            self._welcome(new)
        return group

    def _welcome(self, workers: list[Worker]) -> None:
        try:
            for worker in workers:
                found = describe(worker.hello())
                if self._settings.mode == "strict" and not found.contains_hostile_code:
                    raise SandboxUnavailableError(
                        f"{found.system} offers neither seccomp nor Landlock with namespaces here, so hostile code "
                        "cannot be contained. Use a newer Linux, or `--sandbox weak` for verifiers that you trust."
                    )
        except BaseException:
            self.close()
            raise

    def _forget(self, worker: Worker) -> None:
        worker.close()
        self._groups[worker.hash_seed].remove(worker)


class Run:
    """One call of `Sandbox.run`: the tasks under way."""

    def __init__(self, box: Sandbox, jobs: Iterable[Job], seeds: Sequence[int]) -> None:
        self.box = box
        self.jobs = enumerate(jobs)
        self.seeds = seeds
        self.waiting: dict[int, deque[Task]] = {seed: deque() for seed in seeds}
        self.first_passes: dict[int, tuple[Verdict, ...]] = {}

    def results(self) -> Iterator[Result]:
        try:
            while True:
                pulled = self.pull()
                self.distribute()
                if not pulled and not self.busy():
                    return
                yield from self.collect(wait=not pulled)
        finally:
            for worker in self.busy():
                self.box._forget(worker)

    def workers(self) -> list[Worker]:
        return [worker for seed in self.seeds for worker in self.box._group(seed)]

    def busy(self) -> list[Worker]:
        return [worker for seed in self.seeds for worker in self.box._groups.get(seed, []) if worker.tasks]

    def pull(self) -> bool:
        """Takes a few more jobs when nothing waits and a worker has room; False when there were none to take."""
        if any(self.waiting.values()) or not any(worker.has_room() for worker in self.workers()):
            return False
        jobs = list(islice(self.jobs, AT_ONCE))
        for number, job in jobs:
            for seed in self.seeds:
                self.waiting[seed].append(Task(number, job, order(len(job.inputs), seed), seed))
        return bool(jobs)

    def distribute(self) -> None:
        for seed, waiting in self.waiting.items():
            while waiting:
                worker = min(self.box._group(seed), key=lambda worker: len(worker.tasks))
                if not worker.has_room():
                    break
                worker.give(waiting.popleft())

    def collect(self, wait: bool) -> Iterator[Result]:
        """Results that have arrived; with `wait`, the next event or deadline is awaited."""
        workers = self.workers()
        poll = select.poll()
        for worker in workers:
            poll.register(worker.stdout, select.POLLIN)
            if worker.unsent:
                poll.register(worker.stdin, select.POLLOUT)
        deadline = min((worker.deadline for worker in workers if worker.tasks), default=0.0)
        ready = {handle for handle, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000 if wait else 0)}
        for worker in workers:
            yield from self.attend(worker, ready)

    def attend(self, worker: Worker, ready: set[int]) -> Iterator[Result]:
        try:
            if worker.stdin in ready:
                worker.push()
            if worker.stdout in ready:
                for task, codes in worker.take():
                    yield from self.finish(task, decode_verdicts(codes, task.order))
            elif worker.tasks and time.monotonic() > worker.deadline:
                yield from self.recover(worker)
        except (EOFError, ValueError):
            yield from self.recover(worker)

    def recover(self, worker: Worker) -> Iterator[Result]:
        """Does the tasks of a dead worker again, except the one it was at when that has had its chances."""
        tasks = worker.tasks
        self.box._forget(worker)
        if tasks:
            tasks[0].deaths += 1
            if tasks[0].deaths >= DEATHS:
                task = tasks.popleft()
                yield from self.finish(task, (Verdict.CRASH,) * len(task.order))
        self.waiting[worker.hash_seed].extendleft(reversed(tasks))

    def finish(self, task: Task, verdicts: tuple[Verdict, ...]) -> Iterator[Result]:
        """The job's result, once every pass is there."""
        if len(self.seeds) == 1:
            yield Result(task.job.id, verdicts)
        elif task.number not in self.first_passes:
            self.first_passes[task.number] = verdicts
        else:
            other = self.first_passes.pop(task.number)
            calls = [pair for pair in zip(verdicts, other, strict=True) if Verdict.SKIPPED not in pair]
            yield Result(task.job.id, verdicts if task.hash_seed == 0 else other, all(a is b for a, b in calls))


def order(count: int, hash_seed: int) -> Sequence[int]:
    """The order of the inputs in a pass: as given in the first one, shuffled in the second."""
    if hash_seed == 0:
        return range(count)
    shuffled = random.Random(hash_seed).sample(range(count), count)
    return shuffled if shuffled != sorted(shuffled) else shuffled[::-1]
