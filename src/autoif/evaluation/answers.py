"""Asks one model and keeps what it answers, so that a killed evaluation goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from autoif.engines.base import Engine, Request
from autoif.records import clean
from autoif.store import disk

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote. `truncated`: it was cut at the longest reply."""

    text: str
    truncated: bool


def silent(what: str, done: int, total: int) -> None:
    """The progress that nobody watches."""


def collect(
    open_engine: Callable[[], Engine], requests: Sequence[Request], log: Path, progress: Progress = silent
) -> dict[str, Answer]:
    """One model's answers by request id. A reply that was lost for good is absent, and asked for again next time.

    Answers are appended to `log` as they arrive; those it already holds for the same prompt and sampling are not asked
    for again. The engine is opened only if something is missing. One log belongs to one model: the caller removes it
    when the model changes. Raises EngineError when the engine cannot go on; what it answered until then is kept.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    keys = {request.id: _key(request) for request in requests}
    answers = {id: answer for id, key, answer in _read(log) if keys.get(id) == key}
    missing = [request for request in requests if request.id not in answers]
    if missing:
        _rewrite(log, keys, answers)  # a line torn by a kill must not swallow the next one
        with open_engine() as engine, log.open("a", encoding="utf-8") as file:
            for reply in engine.generate(missing):
                if reply.finish != "error":
                    answers[reply.id] = Answer(clean(reply.text), reply.finish == "length")
                    _write(file, reply.id, keys[reply.id], answers[reply.id])
                progress(log.stem, len(answers), len(requests))
    _rewrite(log, keys, answers)
    return answers


def _key(request: Request) -> str:
    content = json.dumps([list(request.messages), request.prefill, asdict(request.sampling)], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=10).hexdigest()


def _read(log: Path) -> Iterator[tuple[str, str, Answer]]:
    if not log.exists():
        return
    with log.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                fields = json.loads(line)
                yield fields["id"], fields["key"], Answer(fields["text"], fields["truncated"])


def _rewrite(log: Path, keys: dict[str, str], answers: dict[str, Answer]) -> None:
    """Puts the answers in the order of the requests, whatever order they arrived in."""
    new = log.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        for id, key in keys.items():
            if id in answers:
                _write(file, id, key, answers[id])
    new.replace(log)


def _write(file: TextIO, id: str, key: str, answer: Answer) -> None:
    with disk(Path(file.name).parent):
        file.write(json.dumps({"id": id, "key": key, **asdict(answer)}, ensure_ascii=False) + "\n")
        file.flush()
