"""The CPU engine: OpenVINO GenAI's continuous batching on a GGUF file (read directly) or an exported folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import models
from autoif.engines.base import Engine, Finish, Reply, Request, Sampling
from autoif.errors import EngineError, EngineUnavailableError, InputError, MissingExtraError
from autoif.records import Usage, clean

CACHE_GB = 2
PRECISION = {"auto": "f32", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""What `dtype` asks for. Left alone, OpenVINO takes what a processor is fastest at: on another one, another policy."""
FIRST = 4
"""Requests taken in at first. A prompt looks into the prefix cache when it is added, so those that share a prefix wait
until one of them has filled it: the number under way then doubles."""


class OpenVinoEngine(Engine):
    """Keeps `concurrency` requests under way: as one ends the next is taken in, so the batch never drains.

    `options`: {"cache_gb": 4} sets the size in GiB (2) of the KV cache, which is the prefix cache too.
    """

    supports_prefill = True
    supports_schema = True

    def __init__(self, config: EngineConfig) -> None:
        self.concurrency = config.concurrency
        self.pipeline = _load(config)
        self.tokenizer = Tokenizer(self.pipeline.get_tokenizer())
        self.stops = chat.stop_ids(self.tokenizer)
        self.next_id = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        ignored: list[Request] = []
        yield from self._stream(iter(requests), self.concurrency, ignored)
        for request in ignored:
            yield from self._stream(iter([request]), 1, None)

    def _stream(self, source: Iterator[Request], width: int, ignored: list[Request] | None) -> Iterator[Reply]:
        """Keeps `width` requests running. When one does not fit in the cache OpenVINO drops its neighbours with it:
        all of them go to `ignored`, to be tried alone."""
        running: list[_Job] = []
        try:
            while True:
                running += [self._start(request) for request in islice(source, _room(running, width))]
                if not running:
                    return
                self._step()
                ended = [job for job in running if job.status != "RUNNING"]
                running = [job for job in running if job.status == "RUNNING"]
                for job in ended:
                    if job.status == "IGNORED" and ignored is not None:
                        ignored.append(job.request)
                    else:
                        yield self._reply(job)
        finally:
            self._cancel(running)

    def close(self) -> None:
        self.pipeline = None

    def _start(self, request: Request) -> _Job:
        prompt = self.tokenizer.tensor(chat.render(self.tokenizer, request.messages, request.prefill))
        self.next_id += 1
        handle = self.pipeline.add_request(self.next_id, prompt, self._decoding(request))
        return _Job(request, prompt.shape[1], handle)

    def _step(self) -> None:
        try:
            self.pipeline.step()
        except RuntimeError as error:
            raise EngineError(f"OpenVINO stopped: {str(error).strip().splitlines()[0]}") from None

    def _decoding(self, request: Request) -> Any:
        import openvino_genai

        config = openvino_genai.GenerationConfig()
        _set_sampling(config, request.sampling)
        config.stop_token_ids = set(self.stops)
        config.eos_token_id = self.tokenizer.eos_token_id
        if request.schema is not None:
            schema = json.dumps(request.schema)
            config.structured_output_config = openvino_genai.StructuredOutputConfig(json_schema=schema)
        return config

    def _reply(self, job: _Job) -> Reply:
        id, read = job.request.id, job.prompt_tokens
        if job.status == "IGNORED":
            error = f"a prompt of {read} tokens and its reply do not fit in the KV cache; raise options: cache_gb"
            return Reply(id, "", "error", Usage(read), error)
        [output] = job.handle.read_all()
        written = output.generated_ids
        finish: Finish = "length" if output.finish_reason.name == "LENGTH" else "stop"
        return Reply(id, clean(self.tokenizer.decode(written)), finish, Usage(read, len(written)))

    def _cancel(self, running: list[_Job]) -> None:
        """A caller who stops early leaves nothing behind in the pipeline."""
        for job in running:
            job.handle.cancel()
        if running and self.pipeline is not None:
            self._step()


@dataclass(frozen=True, slots=True)
class _Job:
    """A request under way."""

    request: Request
    prompt_tokens: int
    handle: Any

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, or IGNORED (it does not fit in the cache)."""
        return str(self.handle.get_status().name)


def _room(running: list[_Job], width: int) -> int:
    """How many more requests to take in now."""
    answering: int = sum(job.handle.can_read() for job in running)
    return max(0, min(width, max(FIRST, 2 * answering)) - len(running))


class Tokenizer:
    """OpenVINO's tokenizer with the names that `autoif.chat` knows."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.chat_template = tokenizer.get_original_chat_template() or tokenizer.chat_template
        self.eos_token = tokenizer.get_eos_token() or None
        self.pad_token = tokenizer.get_pad_token() or None
        self.eos_token_id = tokenizer.get_eos_token_id()
        self.special_tokens_map = {"bos_token": tokenizer.get_bos_token(), "eos_token": tokenizer.get_eos_token()}
        self.vocabulary: dict[bytes, int] = tokenizer.get_vocab()

    def convert_tokens_to_ids(self, token: str) -> int | None:
        return self.vocabulary.get(token.encode())

    def tensor(self, rendered: str) -> Any:
        """Token ids of a rendered template, shape (1, length); no second BOS."""
        return self.tokenizer.encode(rendered, add_special_tokens=False).input_ids

    def decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids)) if ids else ""


def _load(config: EngineConfig) -> Any:
    path = _weights(models.fetch_model(config.model))
    try:
        import openvino_genai
    except ImportError:
        raise MissingExtraError("openvino-genai", "local") from None
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.cache_size = config.options.get("cache_gb", CACHE_GB)
    scheduler.max_num_seqs = config.concurrency
    precision = {"INFERENCE_PRECISION_HINT": PRECISION[config.dtype]}
    try:
        return openvino_genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", precision)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise EngineUnavailableError(f"{path}: OpenVINO cannot load this model ({reason}).") from None


def _weights(path: Path) -> Path:
    """The file or folder that OpenVINO reads: a GGUF file, a folder with one, or an exported folder."""
    if path.is_file() or (path / "openvino_model.xml").is_file():
        return path
    files = sorted(path.glob("*.gguf"))
    if len(files) != 1:
        raise InputError(
            f"{path}: OpenVINO needs a .gguf file or an exported folder; use engine: transformers for this."
        )
    return files[0]


def _set_sampling(config: Any, sampling: Sampling) -> None:
    config.max_new_tokens = sampling.max_tokens
    config.do_sample = sampling.temperature > 0
    if config.do_sample:
        config.temperature = sampling.temperature
        config.top_p = sampling.top_p
        config.rng_seed = sampling.seed
    config.stop_strings = set(sampling.stop)
