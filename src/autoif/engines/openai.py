"""Any OpenAI-compatible server, or several: many requests at once, tried again where that can help."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from autoif.config import EngineConfig
from autoif.engines.base import PROBE, Engine, Reply, Request
from autoif.engines.endpoints import Endpoint, Pool, Trouble, pause
from autoif.engines.openai_reply import read_refusal, read_reply
from autoif.errors import EngineError, EngineUnavailableError, InputError
from autoif.records import Usage, clean

OFFICIAL = "https://api.openai.com/v1"


class Options(BaseModel):
    """What `options` of an openai engine may hold: what the server can do beyond the plain protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefill: bool = False
    """It continues a last assistant message (vLLM: continue_final_message)."""
    json_schema: bool = False
    """It obeys a response_format of type json_schema."""


class OpenAIEngine(Engine):
    """Keeps as many requests under way as the endpoints bear, up to `concurrency`, on an event loop in its own thread.

    429, 5xx, time-outs, lost connections and broken replies are tried again with exponential back-off, jitter and
    respect for Retry-After. A request that failed `retries` + 1 times by itself is put down to its prompt, and becomes
    an error reply, only if the endpoint answers something else right then; otherwise the endpoint is out (`Pool`), and
    the request goes to another or waits. Any refusal that is not about a single prompt stops the run with EngineError,
    as does an outage of `outage_minutes`; answers still under way are waited for and yielded first.
    """

    def __init__(
        self,
        config: EngineConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.options = read_options(config)
        self.supports_prefill = self.options.prefill
        self.supports_schema = self.options.json_schema
        urls = tuple(dict.fromkeys(config.base_url)) or (OFFICIAL,)
        self.clients = {url: _client(config, url) for url in urls}
        endpoints = [Endpoint(url, config.concurrency) for url in urls]
        self.pool = Pool(endpoints, 60 * config.outage_minutes, self._probe, sleep, clock)
        self.wasted = Usage()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        try:
            self._run(self._greet())
        except BaseException:
            self.close()
            raise

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        source = iter(requests)
        running: set[Future[Reply]] = set()
        done: SimpleQueue[Future[Reply]] = SimpleQueue()
        failure: BaseException | None = None
        try:
            while True:
                room = 0 if failure else max(0, self.pool.room - len(running))
                for request in islice(source, room):
                    future = asyncio.run_coroutine_threadsafe(self._answer(request), self.loop)
                    running.add(future)
                    future.add_done_callback(done.put)
                if not running:
                    break
                future = done.get()
                running.discard(future)
                failure = failure or future.exception()
                if not future.exception():
                    yield future.result()
            if failure:
                raise failure
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        if self.loop.is_closed():
            return
        self._run(self._hang_up())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _run(self, task: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(task, self.loop).result()

    async def _hang_up(self) -> None:
        """Cancels until all have ended: `wait_for` of Python 3.11 loses a cancellation that comes with its result."""
        while under_way := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in under_way:
                task.cancel()
            await asyncio.wait(under_way, timeout=0.1)
        for client in self.clients.values():
            await client.close()

    async def _greet(self) -> None:
        """Finds out before the first request which servers there are at all and whether they take the key."""
        there = await asyncio.gather(*map(self._is_there, self.pool.endpoints))
        if not any(there):
            urls = " or ".join(self.clients)
            raise EngineUnavailableError(f"No server answers at {urls}; start it, or correct base_url.")
        for endpoint, found in zip(self.pool.endpoints, there, strict=True):
            if not found:
                endpoint.reason = "no server"
                self.pool.take_out(endpoint)

    async def _is_there(self, endpoint: Endpoint) -> bool:
        import openai

        try:
            await asyncio.wait_for(self.clients[endpoint.url].models.list(), self.config.timeout_seconds)
        except (openai.APIConnectionError, TimeoutError):
            return False
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._refusal(endpoint, error) from None
        except (openai.OpenAIError, ValueError):
            return True  # some servers have no list of models
        return True

    async def _answer(self, request: Request) -> Reply:
        failures = tries = 0
        while True:
            try:
                async with self.pool.turn() as endpoint:
                    return self._with_waste(await self._send(endpoint, request))
            except Trouble as caught:
                trouble = caught
            failures += 1
            tries += trouble.counts
            if tries <= self.config.retries:
                await self.pool.sleep(pause(failures))
            elif await self.pool.lives(endpoint):
                return self._with_waste(Reply(request.id, "", "error", error=str(trouble)))
            else:
                failures = tries = 0

    async def _probe(self, endpoint: Endpoint) -> None:
        reply = await self._send(endpoint, PROBE)
        self.wasted += reply.usage

    def _with_waste(self, reply: Reply) -> Reply:
        """The reply with what was spent on no reply since the one before."""
        wasted, self.wasted = self.wasted, Usage()
        return replace(reply, wasted=wasted)

    async def _send(self, endpoint: Endpoint, request: Request) -> Reply:
        """One try. Raises Trouble where another may help, EngineError where none can."""
        seconds = self.config.timeout_seconds
        try:
            return await asyncio.wait_for(self._exchange(endpoint, request), seconds)
        except TimeoutError:
            raise Trouble(f"no answer in {seconds:g} seconds", "slow") from None
        except Trouble as trouble:
            self.wasted += trouble.usage
            raise

    async def _exchange(self, endpoint: Endpoint, request: Request) -> Reply:
        import openai

        completions = self.clients[endpoint.url].chat.completions
        try:
            raw = await completions.with_raw_response.create(
                **request_body(self.config, self.options, endpoint.url, request)
            )
        except openai.APITimeoutError:
            raise TimeoutError from None
        except openai.APIConnectionError as error:
            gone = type(error.__cause__).__name__ == "ConnectError"  # of httpx or httpx2, as the client has it
            reason = f"the connection failed: {error.__cause__ or error}"
            raise Trouble(reason, "gone" if gone else "broken") from None
        except openai.APIStatusError as error:
            return self._refused(endpoint, request, error)
        return read_reply(request.id, raw.http_response.content)

    def _refused(self, endpoint: Endpoint, request: Request, error: Any) -> Reply:
        status, text = error.status_code, error.response.text
        reply = read_refusal(request.id, status, text, error.response.headers)
        if reply is None:
            raise self._refusal(endpoint, error)
        return reply

    def _refusal(self, endpoint: Endpoint, error: Any) -> EngineError:
        return refusal(self.config, endpoint.url, error.status_code, error.response.text)


def read_options(config: EngineConfig) -> Options:
    try:
        return Options.model_validate(config.options)
    except ValidationError as error:
        known = ", ".join(Options.model_fields)
        raise InputError(f"engine openai: options may hold {known}: {error.errors()[0]['msg']}.") from None


def _client(config: EngineConfig, url: str) -> Any:
    import openai

    key = os.environ.get(config.api_key_env)
    if not key and url == OFFICIAL:
        raise EngineUnavailableError(f"{url} needs a key: set the environment variable {config.api_key_env}.")
    # A local server takes any key. Retries and time-outs are ours.
    return openai.AsyncOpenAI(api_key=key or "none", base_url=url, max_retries=0, timeout=config.timeout_seconds)


def request_body(config: EngineConfig, options: Options, url: str, request: Request) -> dict[str, Any]:
    """What a server is sent, as arguments of the openai library: `extra_body` is not part of OpenAI's own protocol."""
    sampling = request.sampling
    limit = "max_completion_tokens" if url == OFFICIAL else "max_tokens"
    body: dict[str, Any] = {
        "model": config.model,
        "messages": [{key: clean(text) for key, text in message.items()} for message in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        limit: sampling.max_tokens,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if request.prefill and options.prefill:
        body["messages"].append({"role": "assistant", "content": clean(request.prefill)})
        body["extra_body"] = {"continue_final_message": True, "add_generation_prompt": False}
    if request.schema is not None and options.json_schema:
        schema = {"name": "reply", "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def refusal(config: EngineConfig, url: str, status: int, text: str) -> EngineError:
    """The end of a run: a status that no other try and no other prompt would change."""
    advice = {
        401: f"set the key in {config.api_key_env}",
        403: f"the key in {config.api_key_env} may not use this model",
        404: f"check base_url and the model's name, {config.model}",
        429: "the quota is used up",
    }.get(status, "correct the configuration")
    said = clean(" ".join(text.split()))[:200]
    return EngineError(f"{url} refuses with status {status} ({said}): {advice}.")
