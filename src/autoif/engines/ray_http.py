"""An OpenAI-compatible server, asked by Ray Data's HTTP request processor."""

from __future__ import annotations

import asyncio
import json
import os
from functools import partial
from typing import Any, Self

from autoif.config import EngineConfig
from autoif.engines.base import Finish, Reply, Request
from autoif.engines.endpoints import FIRST_PAUSE, Trouble
from autoif.engines.openai import OFFICIAL, OpenAIEngine, read_options, refusal, request_body
from autoif.engines.openai_reply import read_refusal, read_reply
from autoif.errors import InputError
from autoif.records import Usage

FREE = {"num_cpus": 0}
SENDER = {"num_cpus": 0.01}
"""It only waits. Not 0: Ray would make one operator of it and of those before it."""


class HttpRows:
    """Rows with the `payload` of a request.

    Ray's HTTP stage sends the rows of a batch one after the other and lets one bad answer end the whole pipeline. So
    every row is a batch of its own, many at once, and `Session` gives the stage an answer whatever happens.
    """

    def __init__(self, config: EngineConfig) -> None:
        if len(config.base_url) > 1:
            raise InputError("executor ray: engine openai takes one base_url; put a load balancer before several.")
        self.config = config
        self.options = read_options(config)
        self.supports_prefill = self.options.prefill
        self.supports_schema = self.options.json_schema
        self.url = (config.base_url or (OFFICIAL,))[0]
        OpenAIEngine(config).close()  # finds out whether there is a server and whether it takes the key

    def processor(self, replicas: int) -> Any:
        from ray.data.llm import HttpRequestProcessorConfig, build_processor

        config = HttpRequestProcessorConfig(
            url=f"{self.url.rstrip('/')}/chat/completions",
            headers={"Authorization": f"Bearer {os.environ.get(self.config.api_key_env) or 'none'}"},
            max_retries=self.config.retries,
            base_retry_wait_time_in_s=FIRST_PAUSE,
            session_factory=partial(Session, self.config.retries, self.config.timeout_seconds),
            batch_size=1,
            concurrency=(replicas, replicas),
            http_request_stage=SENDER,
        )
        built = build_processor(config, None, _answered, preprocess_map_kwargs=FREE, postprocess_map_kwargs=FREE)
        stage = built.get_stage_by_name("HttpRequestStage")
        stage.map_batches_kwargs["max_concurrency"] = -(-self.config.concurrency // replicas)
        return built

    def row(self, request: Request) -> dict[str, Any]:
        body = request_body(self.config, self.options, self.url, request)
        return {"payload": body | body.pop("extra_body", {})}

    def reply(self, id: str, row: dict[str, Any]) -> tuple[Reply, bool]:
        answer = json.loads(row["answer"])
        if answer["refused"]:
            raise refusal(self.config, self.url, answer["refused"], answer["text"])
        finish: Finish = answer["finish"]
        usage, wasted = Usage(*answer["usage"]), Usage(*answer["wasted"])
        return Reply(id, answer["text"], finish, usage, answer["error"], wasted), answer["outage"]


def _answered(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "answer": row["http_response"]["answer"]}


class Session:
    """Stands for aiohttp's session in Ray's HTTP stage, which opens one for each request and its retries.

    Ray tries again what it is told is a 503: every answer that another try may better, up to the last try.
    """

    def __init__(self, retries: int, seconds: float) -> None:
        self.retries = retries
        self.seconds = seconds
        self.tries = 0
        self.wasted = Usage()

    async def __aenter__(self) -> Self:
        import aiohttp

        self.client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.seconds))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()

    async def post(self, url: str, headers: dict[str, str], data: str) -> Answer:
        self.tries += 1
        try:
            status, content, reply = await self._send(url, headers, data)
        except Trouble as trouble:
            self.wasted += trouble.usage
            if self.tries <= self.retries:
                await asyncio.sleep(trouble.retry_after)
                return Answer(503, "")
            return self._answer(Reply("", "", "error", error=str(trouble)), outage=True)
        return self._answer(reply) if reply else self._answer(Reply("", content, "error"), refused=status)

    async def _send(self, url: str, headers: dict[str, str], data: str) -> tuple[int, str, Reply | None]:
        import aiohttp

        try:
            async with self.client.post(url, headers=headers, data=data) as response:
                content = await response.read()
        except TimeoutError:
            raise Trouble(f"no answer in {self.seconds:g} seconds", "slow") from None
        except aiohttp.ClientError as error:
            raise Trouble(f"the connection failed: {error}") from None
        if response.status == 200:
            return 200, "", read_reply("", content)
        text = content.decode("utf-8", "replace")
        return response.status, text, read_refusal("", response.status, text, response.headers)

    def _answer(self, reply: Reply, outage: bool = False, refused: int = 0) -> Answer:
        usage, wasted = reply.usage, self.wasted
        content = {
            "text": reply.text,
            "finish": reply.finish,
            "error": reply.error,
            "usage": [usage.prompt_tokens, usage.completion_tokens],
            "wasted": [wasted.prompt_tokens, wasted.completion_tokens],
            "outage": outage,
            "refused": refused,
        }
        return Answer(200, json.dumps(content))


class Answer:
    """What Ray's HTTP stage asks of a response."""

    reason = "try again"

    def __init__(self, status: int, content: str) -> None:
        self.status = status
        self.content = content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return

    async def json(self) -> dict[str, str]:
        return {"answer": self.content}
