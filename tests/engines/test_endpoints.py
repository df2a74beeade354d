"""Endpoints that share the load: how many requests each has, who is out, and what an outage does."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from bad_server import Handler, Server, Time, answer, status

from autoif.config import EngineConfig
from autoif.engines import Request
from autoif.engines.endpoints import IN_A_ROW, LONGEST_PAUSE, START, Endpoint, Pool, Trouble
from autoif.engines.openai import OpenAIEngine
from autoif.errors import EngineError, EngineUnavailableError


def test_the_limit_grows_with_answers_and_is_halved_once_for_requests_under_way_together() -> None:
    endpoint = Endpoint("a", 64)
    assert endpoint.limit == START
    for _ in range(200):
        endpoint.answered()
    assert endpoint.limit == 64, "never above `concurrency`"
    for kind in ("busy", "slow", "busy"):
        endpoint.failed(Trouble("", kind), 0)
    assert endpoint.limit == 32
    endpoint.failed(Trouble(""), 1)
    assert endpoint.limit == 32, "a broken reply says nothing about the load"
    for _ in range(32):
        endpoint.answered()
    assert 32.9 < endpoint.limit < 33.1, "one more for a whole round"
    for cuts in range(1, 20):
        endpoint.failed(Trouble("", "busy"), cuts)
    assert endpoint.limit == 1
    assert Endpoint("a", 3).limit == 3


class Play:
    """A pool over named endpoints; `dead` ones take no connection."""

    def __init__(self, *names: str, patience: float = 1e9, concurrency: int = 64) -> None:
        self.dead: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.probed: list[float] = []
        self.time = Time()
        self.endpoints = [Endpoint(name, concurrency) for name in names]
        self.pool = Pool(self.endpoints, patience, self.probe, self.time.sleep, self.time.clock)

    async def probe(self, endpoint: Endpoint) -> None:
        self.probed.append(self.time.now)
        self._knock(endpoint)

    def _knock(self, endpoint: Endpoint) -> None:
        if endpoint.url in self.dead:
            raise Trouble("connection refused", "gone")

    async def ask(self, trouble: Trouble | None = None, meanwhile: Awaitable[Any] | None = None) -> str:
        """Which endpoint answered. A first one is met with `trouble`."""
        while True:
            try:
                async with self.pool.turn() as endpoint:
                    self.asked[endpoint.url] += 1
                    if meanwhile:
                        await meanwhile
                    if trouble:
                        raise trouble
                    self._knock(endpoint)
                    return endpoint.url
            except Trouble:
                trouble = None


def play(script: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(script(), 30))  # type: ignore[arg-type]


def test_the_least_loaded_endpoint_gets_the_next_request() -> None:
    async def script() -> None:
        game = Play("a", "b")
        hold = asyncio.Event()
        slow = [asyncio.create_task(game.ask(meanwhile=hold.wait())) for _ in range(5)]
        await asyncio.sleep(0)
        assert [endpoint.busy for endpoint in game.endpoints] == [3, 2]
        assert await game.ask() == "b"
        hold.set()
        assert Counter(await asyncio.gather(*slow)) == {"a": 3, "b": 2}

    play(script)


def test_retry_after_holds_for_the_whole_endpoint() -> None:
    async def script() -> None:
        game = Play("a")
        await game.ask(Trouble("status 429", "busy", retry_after=30))
        assert game.time.now == 30
        assert await Play("a", "b").ask(Trouble("status 429", "busy", retry_after=30)) == "b", "it need not wait"

    play(script)


def test_an_endpoint_that_takes_no_connection_is_out_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        game = Play("a", "b")
        game.dead = {"a"}
        assert {await game.ask() for _ in range(20)} == {"b"}
        assert game.asked["a"] == 1
        game.dead = set()
        while game.endpoints[0].out:
            await asyncio.sleep(0)
        assert await game.ask() == "a"

    play(script)
    assert [record.getMessage() for record in caplog.records] == [
        "a does not answer (connection refused); the others take its requests."
    ]


def test_failures_in_a_row_put_an_endpoint_out_and_a_burst_of_429_does_not() -> None:
    async def script() -> None:
        game = Play("a")
        for _ in range(IN_A_ROW):
            game.endpoints[0].failed(Trouble("", "busy"), 0)
            assert game.endpoints[0].failures == 1
        game.endpoints[0].answered()
        for number in range(1, IN_A_ROW + 1):
            await _fail(game)
            assert game.endpoints[0].out == (number == IN_A_ROW)

    play(script)


async def _fail(game: Play) -> None:
    with pytest.raises(Trouble):
        async with game.pool.turn():
            raise Trouble("status 500")


def test_an_outage_is_told_once_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def script() -> None:
        game = Play("a", "b", patience=3600)
        game.dead = {"a", "b"}
        waiting = [asyncio.create_task(game.ask()) for _ in range(6)]
        while game.time.now < 1000:
            await asyncio.sleep(0)
        assert max(later - sooner for sooner, later in zip(game.probed, game.probed[1:], strict=False)) <= LONGEST_PAUSE
        asked = game.asked.total()
        assert asked <= 6, "only probes look whether it is over"
        game.dead = set()
        assert len(await asyncio.gather(*waiting)) == 6

    play(script)
    told = [record.getMessage() for record in caplog.records if "does not answer" not in record.getMessage()]
    assert len([line for line in told if line.startswith("No answer since")]) == 1
    assert "a (connection refused), b (connection refused)" in told[0]
    assert "trying again for 60 minutes" in told[0]
    assert told[1] == "The outage is over: going on."


def test_an_outage_longer_than_the_patience_is_the_end_for_all() -> None:
    async def script() -> None:
        game = Play("a", patience=600)
        game.dead = {"a"}
        ends = await asyncio.gather(*(game.ask() for _ in range(9)), return_exceptions=True)
        assert {type(end) for end in ends} == {EngineError}
        assert "run the same command again to continue" in str(ends[0])
        assert 600 <= game.time.now <= 600 + 2 * LONGEST_PAUSE
        with pytest.raises(EngineError):
            await game.ask()

    play(script)


def test_a_later_outage_is_counted_from_its_own_beginning() -> None:
    async def script() -> None:
        game = Play("a", patience=600)
        for _ in range(3):
            game.dead = {"a"}
            waiting = asyncio.create_task(game.ask())
            end = game.time.now + 400
            while game.time.now < end:
                await asyncio.sleep(0)
            game.dead = set()
            assert await waiting == "a"

    play(script)


def test_the_load_settles_at_what_a_server_bears() -> None:
    """It takes 6 at once and refuses the seventh."""

    async def script() -> None:
        game = Play("a", concurrency=64)
        refused = under_way = 0

        async def request() -> None:
            nonlocal refused, under_way
            while True:
                try:
                    async with game.pool.turn():
                        under_way += 1
                        try:
                            if under_way > 6:
                                refused += 1
                                raise Trouble("status 429", "busy")
                            for _ in range(5):
                                await asyncio.sleep(0)
                        finally:
                            under_way -= 1
                        return
                except Trouble:
                    await asyncio.sleep(0)

        await asyncio.gather(*(request() for _ in range(600)))
        assert 3 <= game.endpoints[0].limit < 8
        assert refused < 60

    play(script)


def _engine(*servers: Server, **fields: Any) -> OpenAIEngine:
    time = Time()
    urls = [server.url for server in servers]
    config = EngineConfig(engine="openai", model="m", base_url=urls, api_key_env="NO_SUCH_KEY", **fields)
    return OpenAIEngine(config, time.sleep, time.clock)


def _requests(count: int) -> list[Request]:
    return [Request(str(n), [{"role": "user", "content": str(n)}]) for n in range(count)]


def test_two_servers_share_the_requests_and_one_dies(server: Server) -> None:
    """After ten answers it hangs up on what it has, and takes no connection any more."""
    other = Server()
    other.acts = {str(n): [partial(_answer_ten, n)] for n in range(80)}
    with _engine(server, other, concurrency=8) as engine:
        replies = {reply.id: reply.text for reply in engine.generate(_requests(80))}
    assert replies == {str(n): f"re: {n}" for n in range(80)}
    assert 10 < len(other.bodies) < 30
    assert len(server.bodies) == 70, "what the dead one answered is not asked again"


def _answer_ten(n: int, handler: Handler) -> None:
    if len(handler.server.bodies) <= 10:
        answer(f"re: {n}")(handler)
        return
    handler.server.stop()
    handler.connection.close()


def test_a_cancellation_that_is_lost_does_not_keep_the_engine_open(server: Server) -> None:
    async def missed() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    engine = _engine(server)
    asyncio.run_coroutine_threadsafe(missed(), engine.loop)
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(timeout=60)
    assert engine.loop.is_closed()


def test_a_server_that_comes_back_is_used_again(server: Server) -> None:
    other = Server()
    port = other.server_address[1]
    other.stop()
    with _engine(server, _Gone(port), concurrency=2) as engine:
        assert len(list(engine.generate(_requests(20)))) == 20
        back = Server(port)
        while engine.pool.endpoints[1].out:
            list(engine.generate(_requests(2)))
        assert len(list(engine.generate(_requests(20)))) == 20
    back.stop()
    assert back.tries.total() > 0


class _Gone:
    """The address of a server that is not there."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"


def test_a_refusal_names_the_server_it_came_from(server: Server) -> None:
    other = Server()
    other.acts = {str(n): [status(404)] for n in range(20)}
    with _engine(server, other) as engine, pytest.raises(EngineError, match=f"^{other.url} refuses with status 404"):
        list(engine.generate(_requests(20)))
    other.stop()


def test_no_server_of_several_is_one_sentence(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    server.stop()
    with pytest.raises(EngineUnavailableError, match=f"No server answers at {server.url} or http://127.0.0.1:9/v1"):
        OpenAIEngine(EngineConfig(engine="openai", base_url=[server.url, "http://127.0.0.1:9/v1"]))
