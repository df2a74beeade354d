"""`autoif verify`: verifiers of any origin, run on any responses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from autoif.errors import InputError
from autoif.gather import gather
from autoif.records import clean
from autoif.sandbox import Job, Sandbox

Text = Annotated[str, BeforeValidator(lambda value: clean(value) if isinstance(value, str) else value)]


class Line(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Text | int
    verifiers: list[Text]
    responses: list[Text]


def verify_file(path: Path, mode: str = "strict") -> Iterator[str]:
    """One JSON line for each line of the file, in its order. Raises InputError with the number of a malformed line."""
    lines = _read(path)
    with Sandbox(mode=cast(Literal["strict", "weak"], mode)) as sandbox:
        waiting: dict[int, str] = {}
        wanted = 0
        for unit, line, results in gather(enumerate(lines), _jobs, sandbox.run):
            waiting[unit] = _answer(line, [[verdict.name for verdict in result.verdicts] for result in results])
            while wanted in waiting:
                yield waiting.pop(wanted)
                wanted += 1


def _jobs(unit: int, line: Line) -> list[Job]:
    return [Job("", source, tuple(line.responses)) for source in line.verifiers]


def _answer(line: Line, verdicts: list[list[str]]) -> str:
    rates = [
        sum(row[r] == "TRUE" for row in verdicts) / len(verdicts) if verdicts else 0.0
        for r in range(len(line.responses))
    ]
    return json.dumps({"id": line.id, "verdicts": verdicts, "pass_rates": rates})


def _read(path: Path) -> Iterable[Line]:
    try:
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parse(line, f"{path}:{number}")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file of JSON lines.") from None


def _parse(line: bytes, where: str) -> Line:
    expected = 'expected {"id", "verifiers": [source, …], "responses": [text, …]}'
    try:
        value: Any = json.loads(line)
        return Line.model_validate(value)
    except (ValueError, RecursionError, ValidationError) as error:
        problem = error.errors()[0] if isinstance(error, ValidationError) else None
        told = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" if problem else "not JSON"
        raise InputError(f"{where}: {expected} ({told}).") from None
