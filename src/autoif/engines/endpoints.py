"""Servers that answer alike: which gets the next request, how many it has at once, and what if they fall silent."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count
from typing import Any, Literal

from autoif.errors import EngineError
from autoif.records import Usage, clean

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two tries, unless the server asks for more; then at most ten times as long."""
START = 8
"""Requests that a server may have at once before anything is known of it."""
IN_A_ROW = 5
"""Failures without an answer between them, after which a server is out."""

NOTHING = Usage()
Kind = Literal["busy", "slow", "gone", "broken"]

log = logging.getLogger(__name__)


class Trouble(Exception):
    """A try that failed; the next may not. `usage` is what it cost all the same.

    busy: the server wants fewer requests. slow: no answer in time. gone: it takes no connection. broken: anything else.
    """

    def __init__(
        self,
        reason: str,
        kind: Kind = "broken",
        retry_after: float = 0.0,
        usage: Usage = NOTHING,
    ) -> None:
        super().__init__(clean(reason))
        self.kind = kind
        self.retry_after = min(retry_after, 10 * LONGEST_PAUSE)
        self.usage = usage

    @property
    def counts(self) -> bool:
        """Whether the request may be at fault, so that it was one of its tries."""
        return self.kind in ("slow", "broken")


class Endpoint:
    """One server, and how many requests it may have at once: additive increase, multiplicative decrease, as in TCP.

    Up to its first cut each answer allows one more request, after that a whole round of answers does. Requests that
    were under way together cut it once.
    """

    def __init__(self, url: str, ceiling: int) -> None:
        self.url = url
        self.ceiling = ceiling
        self.limit = float(min(START, ceiling))
        self.busy = self.cuts = self.failures = 0
        self.out = False
        self.rest_until = 0.0
        self.reason = ""

    def answered(self) -> None:
        self.failures = 0
        self.limit = min(self.ceiling, self.limit + (1 / self.limit if self.cuts else 1))

    def failed(self, trouble: Trouble, cuts: int) -> None:
        """`cuts`: how many there had been when the request was sent."""
        self.reason = str(trouble)
        if trouble.kind in ("busy", "slow"):
            if cuts != self.cuts:
                return
            self.limit = max(1.0, self.limit / 2)
            self.cuts += 1
        self.failures += 1


class Pool:
    """Shares requests among endpoints: the least loaded one that may have another gets the next.

    One that takes no connection or fails `IN_A_ROW` times is out, until it answers `probe`, which is asked ever more
    rarely. When all are out, requests wait; after `patience` seconds without an answer the pool is over.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        patience: float,
        probe: Callable[[Endpoint], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self.endpoints = endpoints
        self.patience = patience
        self.probe = probe
        self.sleep = sleep
        self.clock = clock
        self.over = ""
        self.silent_since: float | None = None
        self._since = datetime.now()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many requests may be under way in all, at least one."""
        allowed = sum(int(endpoint.limit) for endpoint in self.endpoints if not endpoint.out)
        return max(1, min(allowed, self.endpoints[0].ceiling))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Endpoint]:
        """A place at an endpoint, which learns from how it ends. Raises EngineError when the pool is over."""
        endpoint = await self._place()
        cuts = endpoint.cuts
        endpoint.busy += 1
        try:
            yield endpoint
        except Trouble as trouble:
            self._failed(endpoint, trouble, cuts)
            raise
        except EngineError as error:
            self.over = str(error)
            raise
        else:
            endpoint.answered()
            self._heard()
        finally:
            endpoint.busy -= 1
            self._changed.set()

    async def lives(self, endpoint: Endpoint) -> bool:
        """Whether it answers at this moment, so that what keeps failing there is the request. If not, it is out."""
        if await self._answers(endpoint):
            self._heard()
            return True
        self.take_out(endpoint)
        return False

    def take_out(self, endpoint: Endpoint) -> None:
        if endpoint.out:
            return
        endpoint.out = True
        self._spawn(self._mend(endpoint))
        if not all(other.out for other in self.endpoints):
            log.warning("%s does not answer (%s); the others take its requests.", endpoint.url, endpoint.reason)
        self._count_silence()

    async def _place(self) -> Endpoint:
        while not self.over:
            now = self.clock()
            free = [e for e in self.endpoints if not e.out and e.busy < int(e.limit) and e.rest_until <= now]
            if free:
                return min(free, key=lambda endpoint: endpoint.busy)
            self._changed.clear()
            await self._changed.wait()
        raise EngineError(self.over)

    def _failed(self, endpoint: Endpoint, trouble: Trouble, cuts: int) -> None:
        endpoint.failed(trouble, cuts)
        if trouble.retry_after:
            self._rest(endpoint, trouble.retry_after)
        if trouble.kind == "gone" or endpoint.failures >= IN_A_ROW:
            self.take_out(endpoint)

    def _rest(self, endpoint: Endpoint, seconds: float) -> None:
        resting = endpoint.rest_until > self.clock()
        endpoint.rest_until = max(endpoint.rest_until, self.clock() + seconds)
        if not resting:
            self._spawn(self._wake(endpoint))

    async def _wake(self, endpoint: Endpoint) -> None:
        while (left := endpoint.rest_until - self.clock()) > 0:
            await self.sleep(left)
        self._changed.set()

    async def _mend(self, endpoint: Endpoint) -> None:
        try:
            for attempt in count(1):
                await self.sleep(max(pause(attempt), endpoint.rest_until - self.clock()))
                if self.over or await self._answers(endpoint):
                    return
                self._count_silence()
        finally:
            endpoint.out, endpoint.failures = False, 0
            self._changed.set()

    async def _answers(self, endpoint: Endpoint) -> bool:
        try:
            await self.probe(endpoint)
        except Trouble as trouble:
            endpoint.reason = str(trouble)
            return False
        except EngineError:
            pass  # a refusal is an answer: the next request will say what is wrong
        return True

    def _count_silence(self) -> None:
        """Tells of an outage when it begins, and ends it all when it has lasted too long."""
        if not all(endpoint.out for endpoint in self.endpoints):
            return
        if self.silent_since is None:
            self.silent_since, self._since = self.clock(), datetime.now()
            log.warning(
                "%s. Nothing is lost: trying again for %g minutes. Bring it back, or stop now and run the same command "
                "again later.",
                self._silence(),
                round(self.patience / 60, 2),
            )
        if self.clock() - self.silent_since >= self.patience:
            self.over = f"{self._silence()}; nothing is lost: run the same command again to continue when it is back."
            self._changed.set()

    def _silence(self) -> str:
        names = ", ".join(f"{endpoint.url} ({endpoint.reason})" for endpoint in self.endpoints)
        return f"No answer since {self._since:%Y-%m-%d %H:%M:%S} from {names}"

    def _heard(self) -> None:
        if self.silent_since is not None:
            self.silent_since = None
            log.warning("The outage is over: going on.")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def pause(attempt: int) -> float:
    """Seconds before the try after failure number `attempt`: twice as long each time, scattered over its upper half."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.0)
