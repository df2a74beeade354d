"""A run while it is being written: its directory, locked; its engine; what every stage does alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from autoif.config import Config, EngineConfig
from autoif.engines import Engine, load_engine
from autoif.engines.ondemand import OnDemand
from autoif.engines.remembered import Remembered
from autoif.errors import InputError
from autoif.policies import reference_engine, tuned_engine
from autoif.progress import Before, Meter, meter
from autoif.records import Outcome
from autoif.rundir import RunDirectory
from autoif.sandbox import Sandbox
from autoif.sandbox.cluster import ClusterSandbox
from autoif.stopping import stop_if_asked, until_asked
from autoif.store import Journal, Sift, locked, open_journal
from autoif.units import Units

RANK, PROCESSES = (int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1)))
"""Which process of `accelerate launch` this is, and of how many: only stage 8 knows how to share its work."""

Work = Callable[[Units], Iterator[Outcome[Any]]]


@dataclass(frozen=True, slots=True)
class Round:
    """Which repetition of stages 5 to 9 this is, and the trainings before it; none before the first."""

    number: int = 1
    trained: tuple[Path, ...] = ()


class Run:
    """One run directory being written: its configuration, and the engine in memory (one at a time)."""

    def __init__(self, config: Config, console: Console, allowed: tuple[str, ...], round: Round) -> None:
        assert config.run, "load_config fills this in"
        self.config = config
        self.console = console
        self.allowed = allowed
        self.round = round
        self.directory = RunDirectory(Path(config.run))
        self._engine: Engine | None = None
        self._loaded: EngineConfig | None = None

    def engine(self, wanted: EngineConfig, stage: str) -> Engine:
        """The engine of a role, for one stage: what a server was paid for is kept until that stage is done.

        It is loaded when it is first asked. Another model frees the one before.
        """
        return OnDemand(partial(self._opened, wanted, stage))

    def _opened(self, wanted: EngineConfig, stage: str) -> Engine:
        if self._engine is None or self._loaded != wanted:
            self.close()
            self._engine, self._loaded = self.load(wanted), wanted
        return Remembered(self._engine, self._replies(stage)) if wanted.engine == "openai" else self._engine

    def load(self, wanted: EngineConfig) -> Engine:
        if self.config.executor == "ray" and wanted.engine in ("vllm", "openai"):
            from autoif.engines.ray import RayEngine

            return RayEngine(wanted, self.config.ray)
        return load_engine(wanted)

    def policy(self, stage: str) -> Engine:
        """The policy as it enters this round."""
        trained = self.round.trained
        return self.engine(tuned_engine(self.config, trained[-1]) if trained else reference_engine(self.config), stage)

    def _replies(self, stage: str) -> Path:
        return self.directory.folder(stage) / "replies"

    def sandbox(self) -> Sandbox:
        wanted = self.config.sandbox.model_dump()
        if self.config.executor == "ray":
            del wanted["workers"]
            return ClusterSandbox(self.config.ray.address, self.config.ray.sandboxes, **wanted)
        return Sandbox(**wanted | {"workers": wanted["workers"] or len(os.sched_getaffinity(0))})

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = self._loaded = None

    def execute(self, name: str, units: Units, work: Work, total: int | None, sift: Sift[Any] | None = None) -> None:
        """Runs one stage over the units that an earlier process did not finish, and seals it."""
        alone(name)
        journal = open_journal(self.directory.stage(name))
        if journal is None:
            return
        todo = until_asked(unit for unit in units if unit[0] not in journal)
        stats = self.directory.stage(name).stats()
        before = Before(stats["in"], stats["kept"], sum(stats["dropped"].values()))
        with meter(self.console, name, total, before) as shown:
            _consume(work(todo), journal, shown)
        stop_if_asked()  # before it is sealed
        self._replies(name).unlink(missing_ok=True)
        stats = journal.seal(sift)
        dropped = ", ".join(f"{count} {reason}" for reason, count in stats["dropped"].items())
        told = f" (dropped: {dropped})" if dropped else ""
        self.tell(f"{name}: {stats['in']:,} in, {stats['kept']:,} kept{told}")

    def tell(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)


def _consume(outcomes: Iterator[Outcome[Any]], journal: Journal[Any], shown: Meter) -> None:
    for outcome in outcomes:
        journal.append(outcome)
        shown.add(kept=len(outcome.kept), dropped=len(outcome.dropped), tokens=outcome.usage.completion_tokens)


def alone(name: str) -> None:
    """Raises InputError in one of several processes."""
    if PROCESSES > 1:
        raise InputError(f"autoif {name}: run it as one process; only `autoif train` shares its work among several.")


@contextmanager
def opened(config: Config, console: Console, allowed: tuple[str, ...] = (), round: Round = Round()) -> Iterator[Run]:
    """Claims the run directory for this process and configuration, or for the first of several.

    `allowed`: keys or sections of the configuration that may have changed since a stage was begun.
    """
    if RANK > 0:
        yield Run(config, Console(quiet=True), allowed, round)
        return
    run = Run(config, console, allowed, round)
    with locked(run.directory.path):
        upgrades = run.directory.claim(config, allowed)
        if upgrades:
            run.tell(f"{run.directory.path} was begun with other versions: {', '.join(upgrades)}")
        try:
            yield run
        finally:
            run.close()
