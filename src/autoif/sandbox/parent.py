"""The sandbox as the rest of the package sees it: jobs in, results out."""

from __future__ import annotations

import random
import select
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from autoif.errors import SandboxError, SandboxUnavailableError
from autoif.sandbox.capabilities import describe
from autoif.sandbox.jobs import Job, Result, Verdict, decode_verdicts
from autoif.sandbox.worker import Mode, Settings, Task, Worker

DEATHS = 2
"""Zygotes that may die over one task before it counts as CRASH."""


class Sandbox:
    """Runs verifiers in locked processes, one fork per function.

    `workers` functions run at once. One call may take `call_seconds` of wall time, a function over all its inputs
    `function_seconds`; a child may map `memory_mb` MiB. `preload` names libraries beyond the standard library that
    verifiers may import. Strict mode raises SandboxUnavailableError where the kernel cannot contain hostile code;
    weak mode runs there all the same. Raises SandboxError when a process cannot be started.
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
        paths = tuple(p for p in sys.path if p) if preload else ()
        self._settings = Settings(
            call_seconds, function_seconds, memory_mb, mode, tuple(preload), paths, tuple(_without)
        )
        self._count = workers
        self._workers: dict[int, list[Worker]] = {}
        self._running = False

    def __enter__(self) -> Self:
        self._group(0)
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every process. May be called twice."""
        for group in self._workers.values():
            for worker in group:
                worker.close()
        self._workers.clear()

    def run(self, jobs: Iterable[Job], check_determinism: bool = False) -> Iterator[Result]:
        """One result per job, in any order; pulls jobs only as the workers have room for them.

        With `check_determinism` each job runs twice, the second time with another hash seed, another state of
        `random` and its inputs shuffled; the verdicts are the first pass's.
        """
        if self._running:
            raise SandboxError("This sandbox is busy with another run; exhaust or close that one first.")
        self._running = True
        try:
            yield from Run(self, jobs, check_determinism).results()
        finally:
            self._running = False

    def _group(self, hash_seed: int) -> list[Worker]:
        """The workers with this hash seed, started when first asked for."""
        if hash_seed not in self._workers:
            group = self._workers[hash_seed] = [Worker(self._settings, hash_seed) for _ in range(self._count)]
            for worker in group:
                self._welcome(worker)
        return self._workers[hash_seed]

    def _replace(self, worker: Worker) -> Worker:
        worker.close()
        group = self._workers[worker.hash_seed]
        new = group[group.index(worker)] = Worker(self._settings, worker.hash_seed)
        self._welcome(new)
        return new

    def _welcome(self, worker: Worker) -> None:
        try:
            found = describe(worker.hello())
        except BaseException:
            self.close()
            raise
        if self._settings.mode == "strict" and not found.strict:
            self.close()
            raise SandboxUnavailableError(
                f"{found.system} here offers neither seccomp nor Landlock, so hostile code cannot be contained. "
                "Use Linux 5.13 or later, or `--sandbox weak` for verifiers you trust."
            )


class Run:
    """One call of `Sandbox.run`: the tasks under way."""

    def __init__(self, box: Sandbox, jobs: Iterable[Job], twice: bool) -> None:
        self.box = box
        self.jobs = enumerate(jobs)
        self.seeds = (0, 1) if twice else (0,)
        self.waiting: dict[int, deque[Task]] = {seed: deque() for seed in self.seeds}
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
                self.box._replace(worker)

    def workers(self) -> list[Worker]:
        return [worker for seed in self.seeds for worker in self.box._group(seed)]

    def busy(self) -> list[Worker]:
        return [worker for worker in self.workers() if worker.tasks]

    def pull(self) -> bool:
        """Takes one more job when nothing waits and a worker has room; False when it did not."""
        if any(self.waiting.values()) or not any(worker.has_room() for worker in self.workers()):
            return False
        for number, job in self.jobs:
            for seed in self.seeds:
                self.waiting[seed].append(Task(number, job, order(len(job.inputs), seed), seed))
            return True
        return False

    def distribute(self) -> None:
        for seed, waiting in self.waiting.items():
            while waiting:
                worker = min(self.box._group(seed), key=lambda w: len(w.tasks))
                if not worker.has_room():
                    break
                task = waiting.popleft()
                try:
                    worker.give(task)
                except BrokenPipeError:  # killed while idle: no fault of this task
                    self.recover(worker, charge=False)

    def collect(self, wait: bool) -> Iterator[Result]:
        """Results that have arrived; with `wait`, at least one event or a deadline is awaited."""
        workers = self.workers()
        poll = select.poll()
        for worker in workers:
            poll.register(worker.stdout, select.POLLIN)
            if worker.unsent:
                poll.register(worker.stdin, select.POLLOUT)
        deadline = min((w.deadline for w in workers if w.tasks), default=0.0)
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
                raise EOFError
        except (BrokenPipeError, EOFError):
            yield from self.recover(worker, charge=True)

    def recover(self, worker: Worker, charge: bool) -> list[Result]:
        """Replaces a dead worker; its tasks are done again, unless the one it was at has killed too many."""
        tasks = list(worker.tasks)
        self.box._replace(worker)
        results: list[Result] = []
        if tasks and charge:
            tasks[0].deaths += 1
            if tasks[0].deaths >= DEATHS:
                task = tasks.pop(0)
                results = self.finish(task, (Verdict.CRASH,) * len(task.order))
        self.waiting[worker.hash_seed].extendleft(reversed(tasks))
        return results

    def finish(self, task: Task, verdicts: tuple[Verdict, ...]) -> list[Result]:
        """The job's result, once every pass is there."""
        if len(self.seeds) == 1:
            return [Result(task.job.id, verdicts)]
        other = self.first_passes.pop(task.number, None)
        if other is None:
            self.first_passes[task.number] = verdicts
            return []
        agree = all(a is b for a, b in zip(verdicts, other, strict=True) if Verdict.SKIPPED not in (a, b))
        return [Result(task.job.id, verdicts if task.hash_seed == 0 else other, agree)]


def order(count: int, hash_seed: int) -> Sequence[int]:
    """The order of the inputs in a pass: as given in the first one, shuffled in the second."""
    if hash_seed == 0:
        return range(count)
    shuffled = list(range(count))
    random.Random(hash_seed).shuffle(shuffled)
    return shuffled if shuffled != sorted(shuffled) else shuffled[::-1]
