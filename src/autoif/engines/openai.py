"""Any OpenAI-compatible server: many requests at once, tried again where that can help."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from itertools import islice
from queue import Empty, SimpleQueue
from time import time
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from autoif.config import EngineConfig
from autoif.engines.base import Engine, Finish, Reply, Request
from autoif.errors import EngineError, EngineUnavailableError, InputError
from autoif.records import Usage, clean

OFFICIAL = "https://api.openai.com/v1"
LONGEST_PAUSE = 60.0
"""Seconds between two tries, unless the server asks for more; then at most ten times as long."""
PROMPT_PROBLEMS = ("context length", "context_length", "too long", "content_filter", "content management policy")
"""In a 400 answer: the fault of this prompt, not of the configuration."""


class Options(BaseModel):
    """What `options` of an openai engine may hold: what the server can do beyond the plain protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prefill: bool = False
    """It continues a last assistant message (vLLM: continue_final_message)."""
    json_schema: bool = False
    """It obeys a response_format of type json_schema."""


class OpenAIEngine(Engine):
    """Keeps `concurrency` requests under way on an event loop in a thread of its own.

    429, 5xx, time-outs, lost connections and broken replies are tried again, `retries` times, with exponential
    back-off, jitter and respect for Retry-After. Any other refusal stops the run with EngineError, except one that is
    about a single prompt, which becomes an error reply. So does a request that fails for good while others succeed.
    When no other succeeded since the try before, the server is down: EngineError stops the run and nothing is lost.
    """

    def __init__(self, config: EngineConfig, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self.config = config
        self.options = _options(config)
        self.supports_prefill = self.options.prefill
        self.supports_schema = self.options.json_schema
        self.url = config.base_url or OFFICIAL
        self.sleep = sleep
        self.answered = 0
        self.client = _client(config, self.url)
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
        try:
            while True:
                for request in islice(source, self.config.concurrency - len(running)):
                    future = asyncio.run_coroutine_threadsafe(self._answer(request), self.loop)
                    running.add(future)
                    future.add_done_callback(done.put)
                if not running:
                    return
                future = done.get()
                running.discard(future)
                if future.exception():
                    yield from _paid_for(done)
                yield future.result()
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
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self.client.close()

    async def _greet(self) -> None:
        """Finds out before the first request whether there is a server at all and whether it takes the key."""
        import openai

        try:
            await asyncio.wait_for(self.client.models.list(), self.config.timeout_seconds)
        except (openai.APIConnectionError, TimeoutError):
            raise EngineUnavailableError(f"No server answers at {self.url}; start it, or correct base_url.") from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._refusal(error) from None
        except (openai.OpenAIError, ValueError):
            return  # it is there; some servers have no list of models

    async def _answer(self, request: Request) -> Reply:
        trouble = _Trouble("")
        for attempt in range(self.config.retries + 1):
            answered_before = self.answered
            if attempt:
                await self.sleep(_pause(attempt, trouble.retry_after))
            try:
                reply = await asyncio.wait_for(self._send(request), self.config.timeout_seconds)
            except TimeoutError:
                trouble = _Trouble(f"no answer in {self.config.timeout_seconds:g} seconds", down=True)
            except _Trouble as caught:
                trouble = caught
            else:
                self.answered += 1
                return reply
        if trouble.down and self.answered == answered_before:
            raise EngineError(f"{self.url} is down ({trouble}); what is done is kept, so run again when it is back.")
        return Reply(request.id, "", "error", error=str(trouble))

    async def _send(self, request: Request) -> Reply:
        """One try. Raises _Trouble where another may help, EngineError where none can."""
        import openai

        try:
            raw = await self.client.chat.completions.with_raw_response.create(**self._body(request))
        except openai.APIConnectionError as error:
            raise _Trouble(f"the connection failed ({error.__cause__ or error})", down=True) from None
        except openai.APIStatusError as error:
            return self._refused(request, error)
        return _read(request.id, raw.http_response.content)

    def _refused(self, request: Request, error: Any) -> Reply:
        """Sorts an error status: worth another try, the fault of one prompt, or the end."""
        status, text = error.status_code, error.response.text
        if status >= 500 or status == 408 or (status == 429 and "insufficient_quota" not in text):
            raise _Trouble(f"status {status}", down=True, retry_after=_retry_after(error.response.headers))
        if status in (400, 413, 422) and any(problem in text.lower() for problem in PROMPT_PROBLEMS):
            return Reply(request.id, "", "error", error=clean(f"status {status}: {text[:200]}"))
        raise self._refusal(error)

    def _refusal(self, error: Any) -> EngineError:
        advice = {
            401: f"set the key in {self.config.api_key_env}",
            403: f"the key in {self.config.api_key_env} may not use this model",
            404: f"check base_url and the model's name, {self.config.model}",
            429: "the quota is used up",
        }.get(error.status_code, "correct the configuration")
        said = clean(" ".join(error.response.text.split()))[:200]
        return EngineError(f"{self.url} refuses with status {error.status_code} ({said}): {advice}.")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling
        limit = "max_completion_tokens" if self.url == OFFICIAL else "max_tokens"
        body: dict[str, Any] = {
            "model": self.config.model,
            "messages": [{key: clean(text) for key, text in message.items()} for message in request.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            limit: sampling.max_tokens,
        }
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.prefill and self.supports_prefill:
            body["messages"].append({"role": "assistant", "content": clean(request.prefill)})
            body["extra_body"] = {"continue_final_message": True, "add_generation_prompt": False}
        if request.schema is not None and self.supports_schema:
            schema = {"name": "reply", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


class _Trouble(Exception):
    """A try that failed; the next may not. `down`: the server gave no reply at all."""

    def __init__(self, reason: str, down: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(clean(reason))
        self.down = down
        self.retry_after = retry_after


def _options(config: EngineConfig) -> Options:
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


def _paid_for(done: SimpleQueue[Future[Reply]]) -> Iterator[Reply]:
    """The replies that came in while another request failed."""
    while True:
        try:
            future = done.get_nowait()
        except Empty:
            return
        if not future.exception():
            yield future.result()


def _pause(attempt: int, retry_after: float) -> float:
    """Seconds before try number `attempt`: twice as long each time, scattered over its upper half."""
    backoff = min(LONGEST_PAUSE, 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)
    return max(backoff, min(retry_after, 10 * LONGEST_PAUSE))


def _retry_after(headers: Any) -> float:
    """Seconds from a Retry-After header, which holds a number or a date; 0 without one."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError):
        return 0.0


def _read(id: str, content: bytes) -> Reply:
    """The reply in the body of a 200. Raises _Trouble when there is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise _Trouble("the reply is not whole JSON") from None
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _Trouble(f"the reply has no choices: {content[:200].decode('utf-8', 'replace')}")
    text = _text(message.get("content")) or _text(message.get("refusal"))
    finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
    return Reply(id, clean(text), finish, _usage(body.get("usage")))


def _usage(spent: Any) -> Usage:
    if not isinstance(spent, dict):
        return Usage()
    return Usage(_count(spent.get("prompt_tokens")), _count(spent.get("completion_tokens")))


def _text(content: Any) -> str:
    """A message's content is a string, null, or a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
