"""What was measured so far, in a file that survives kill -9, so that a killed evaluation goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from autoif.store import disk


def fingerprint(question: Any) -> str:
    """A hash of all that a value depends on, any JSON value: what was asked, and how."""
    return hashlib.blake2b(json.dumps(question, sort_keys=True).encode(), digest_size=10).hexdigest()


class Log:
    """JSON values by id, appended to a JSONL file as they come and put in the order of `keys` when it is closed.

    `keys` gives every wanted id with the fingerprint of its question: values of another question are forgotten. One log
    belongs to one model: the caller removes it when the model changes. Raises AutoIFError when the disk is full.
    """

    def __init__(self, path: Path, keys: Mapping[str, str]) -> None:
        self.path = path
        self.keys = keys
        path.parent.mkdir(parents=True, exist_ok=True)
        self.values: dict[str, Any] = self._read() if path.exists() else {}

    def add(self, id: str, value: Any) -> None:
        with disk(self.path.parent):
            self._file.write(self._line(id, value))
            self._file.flush()
        self.values[id] = value

    def __enter__(self) -> Self:
        self._rewrite()  # a line torn by a kill must not swallow the next one
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self._rewrite()

    def _read(self) -> dict[str, Any]:
        with self.path.open("rb") as file:
            lines = [json.loads(line) for line in file if line.endswith(b"\n")]
        return {line["id"]: line["value"] for line in lines if self.keys.get(line["id"]) == line["key"]}

    def _rewrite(self) -> None:
        new = self.path.with_suffix(".new")
        with disk(self.path.parent):
            lines = (self._line(id, self.values[id]) for id in self.keys if id in self.values)
            new.write_text("".join(lines), encoding="utf-8")
            new.replace(self.path)

    def _line(self, id: str, value: Any) -> str:
        return json.dumps({"id": id, "key": self.keys[id], "value": value}, ensure_ascii=False) + "\n"
