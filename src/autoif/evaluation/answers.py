"""Asks the reference and then the policy what an evaluation wants to know of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from autoif.engines.base import Engine, Request
from autoif.evaluation.log import Log, fingerprint
from autoif.records import clean

SIDES = ("reference", "policy")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote. `truncated`: it was cut at the longest reply."""

    text: str
    truncated: bool


Answers = dict[str, Answer]
"""By request id."""


class Exam(Protocol):
    """Questions that both models answer, and what the answers are worth."""

    @property
    def name(self) -> str: ...

    @property
    def requests(self) -> Sequence[Request]: ...

    def score(self, answers: Mapping[str, Answers], folder: Path) -> dict[str, Any]:
        """This exam's part of scores.json, from the answers of each side. Samples are kept in `folder`."""


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody watches."""


def sit(
    exams: Sequence[Exam], engines: Mapping[str, Callable[[], Engine]], folder: Path, progress: Progress = silent
) -> dict[str, dict[str, Any]]:
    """Each exam's part of scores.json by name. `engines` opens the model of each side.

    One model is in memory at a time, opened once for all exams, and only if an answer is missing: answers are kept in
    `folder`/answers as they arrive. Remove that folder when a model has changed. Raises EngineError.
    """
    given: dict[str, dict[str, Answers]] = {exam.name: {} for exam in exams}
    for side in SIDES:
        with _opened_once(engines[side]) as engine:
            for exam in exams:
                log = folder / f"answers/{exam.name}.{side}.jsonl"
                given[exam.name][side] = _ask(engine, exam.requests, log, progress)
    return {exam.name: exam.score(given[exam.name], folder) for exam in exams}


@contextmanager
def _opened_once(open_engine: Callable[[], Engine]) -> Iterator[Callable[[], Engine]]:
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(open_engine()))


def _ask(open_engine: Callable[[], Engine], requests: Sequence[Request], path: Path, progress: Progress) -> Answers:
    """One model's answers. A reply that was lost for good is absent, and asked for again next time."""
    log = Log(path, {request.id: _key(request) for request in requests})
    missing = [request for request in requests if request.id not in log.values]
    if missing:
        with log:
            for reply in open_engine().generate(missing):
                if reply.finish != "error":
                    answer = Answer(clean(reply.text), reply.finish == "length")
                    log.add(reply.id, asdict(answer))
                progress(path.stem, len(log.values), len(requests))
    return {id: Answer(**value) for id, value in log.values.items()}


def _key(request: Request) -> str:
    return fingerprint([list(request.messages), request.prefill, asdict(request.sampling)])


def answered(ids: Iterable[str], answers: Mapping[str, Answers]) -> list[str]:
    """Those that both sides answered: only they can be compared."""
    return [id for id in ids if all(id in answers[side] for side in SIDES)]
