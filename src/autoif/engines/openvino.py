"""The CPU engine: OpenVINO GenAI's continuous batching on a GGUF file (read directly) or an exported folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
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


class OpenVinoEngine(Engine):
    """Keeps `concurrency` requests under way: as one ends the next is taken in, so the batch never drains.

    `options`: {"cache_gb": 4} sets the size of the KV cache in GiB (2), which is also the prefix cache.
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
        source = iter(requests)
        running: list[tuple[Request, int, Any]] = []
        try:
            while True:
                room = self.concurrency - len(running)
                running += [self._start(request) for request in islice(source, room)]
                if not running:
                    return
                self._step()
                ended = [job for job in running if not _is_running(job[2])]
                running = [job for job in running if _is_running(job[2])]
                for job in ended:
                    yield self._reply(*job)
        finally:
            self._cancel(running)

    def close(self) -> None:
        self.pipeline = None

    def _start(self, request: Request) -> tuple[Request, int, Any]:
        """(request, prompt tokens, handle)"""
        prompt = self.tokenizer.tensor(chat.render(self.tokenizer, request.messages, request.prefill))
        self.next_id += 1
        handle = self.pipeline.add_request(self.next_id, prompt, self._decoding(request))
        return request, prompt.shape[1], handle

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

    def _reply(self, request: Request, prompt_tokens: int, handle: Any) -> Reply:
        import openvino_genai

        outputs = handle.read_all() if handle.can_read() else []
        if not outputs or handle.get_status() == openvino_genai.GenerationStatus.IGNORED:
            error = f"a prompt of {prompt_tokens} tokens and its reply do not fit in the KV cache (options: cache_gb)"
            return Reply(request.id, "", "error", Usage(prompt_tokens), error)
        tokens = outputs[0].generated_ids
        cut = outputs[0].finish_reason == openvino_genai.GenerationFinishReason.LENGTH
        finish: Finish = "length" if cut else "stop"
        return Reply(request.id, clean(self.tokenizer.decode(tokens)), finish, Usage(prompt_tokens, len(tokens)))

    def _cancel(self, running: list[tuple[Request, int, Any]]) -> None:
        """A caller who stops early leaves nothing behind in the pipeline."""
        for _, _, handle in running:
            handle.cancel()
        if running and self.pipeline is not None:
            self._step()


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
    try:
        return openvino_genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU")
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


def _is_running(handle: Any) -> bool:
    import openvino_genai

    return bool(handle.get_status() == openvino_genai.GenerationStatus.RUNNING)
