"""Replies that were paid for outlive the process that asked for them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from autoif.engines.base import Engine, Reply, Request
from autoif.records import Usage
from autoif.store import disk

KEY = 20
"""Characters of the hash at the start of each line."""


class Remembered(Engine):
    """Asks `engine` nothing that it answered before, in an earlier process too.

    A stage commits an input once all its replies are there; without this, an interruption would lose the replies of the
    inputs still open. `path` gets a line for each reply, the hash of its request first, and may be deleted when nothing
    of it will be asked again. Each reply found there is given once, so that its cost is counted once. Error replies are
    not kept. Raises AutoIFError when the disk is full.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine = engine
        self.supports_prefill = engine.supports_prefill
        self.supports_schema = engine.supports_schema
        self.path = path
        self._places = _places(path) if path.exists() else {}

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        known: deque[Reply] = deque()
        keys: dict[str, bytes] = {}

        def unknown() -> Iterator[Request]:
            for request in requests:
                key = _key(request)
                if key in self._places:
                    known.append(self._read(request.id, self._places.pop(key)))
                else:
                    keys[request.id] = key
                    yield request

        for reply in self.engine.generate(unknown()):
            self._keep(keys.pop(reply.id), reply)
            yield reply
            while known:
                yield known.popleft()
        yield from known

    def close(self) -> None:
        self.engine.close()

    def _keep(self, key: bytes, reply: Reply) -> None:
        if reply.finish == "error":
            return
        fields = asdict(reply)
        del fields["id"]
        with disk(self.path.parent), self.path.open("ab") as file:
            file.write(key + json.dumps(fields).encode() + b"\n")

    def _read(self, id: str, place: int) -> Reply:
        with self.path.open("rb") as file:
            file.seek(place)
            fields: dict[str, Any] = json.loads(file.readline()[KEY:])
        usage, wasted = Usage(**fields.pop("usage")), Usage(**fields.pop("wasted"))
        return Reply(id, usage=usage, wasted=wasted, **fields)


def _places(path: Path) -> dict[bytes, int]:
    """Where the line of each request begins. A torn last line is cut off."""
    places, end = {}, 0
    with disk(path.parent), path.open("r+b") as file:
        for line in file:
            if line.endswith(b"\n"):
                places[line[:KEY]] = end
                end += len(line)
        file.truncate(end)
    return places


def _key(request: Request) -> bytes:
    """A hash of all that is asked, the seed included."""
    asked = [list(request.messages), asdict(request.sampling), request.prefill, request.schema]
    return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=KEY // 2).hexdigest().encode()
