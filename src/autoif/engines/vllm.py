"""vLLM in this process: the GPU engine."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import models
from autoif.engines.base import Engine, Finish, Reply, Request
from autoif.errors import EngineError, EngineUnavailableError, InputError, MissingExtraError
from autoif.records import Usage, clean


class VllmEngine(Engine):
    """Keeps `concurrency` requests in vLLM's scheduler: as one ends the next is taken in, so there is always work.

    A model folder that holds a LoRA adapter is run as its base model with the adapter. `options` are arguments of
    `vllm.LLM`, such as tensor_parallel_size or max_model_len.
    """

    supports_prefill = True
    supports_schema = True

    def __init__(self, config: EngineConfig) -> None:
        self.concurrency = config.concurrency
        self.llm, self.adapter = _load(config)
        self.tokenizer = self.llm.get_tokenizer()
        self.stops = chat.stop_ids(self.tokenizer)
        self.next_id = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        source = iter(requests)
        running: dict[str, Request] = {}
        try:
            while True:
                for request in islice(source, self.concurrency - len(running)):
                    refused = self._start(request, running)
                    if refused:
                        yield refused
                if not running:
                    return
                for output in self._step():
                    if output.finished and output.request_id in running:
                        yield _reply(running.pop(output.request_id), output)
        finally:
            if running and self.llm is not None:
                self.llm.llm_engine.abort_request(list(running))

    def close(self) -> None:
        """Ends vLLM's worker processes, so that the next engine finds the accelerator's memory free."""
        if self.llm is None:
            return
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        self.llm.llm_engine.engine_core.shutdown()
        self.llm = None
        gc.collect()
        cleanup_dist_env_and_memory()

    def _start(self, request: Request, running: dict[str, Request]) -> Reply | None:
        """Hands a request to the scheduler; a reply when vLLM does not take it, as a prompt longer than the context."""
        from vllm.exceptions import VLLMValidationError

        prompt = chat.encode(self.tokenizer, chat.render(self.tokenizer, request.messages, request.prefill))
        self.next_id += 1
        id = str(self.next_id)
        try:
            self.llm.llm_engine.add_request(
                id, {"prompt_token_ids": prompt}, self._sampling(request), lora_request=self.adapter
            )
        except (ValueError, VLLMValidationError) as error:
            return Reply(request.id, "", "error", Usage(len(prompt)), clean(_first_line(error)))
        running[id] = request
        return None

    def _step(self) -> Any:
        try:
            return self.llm.llm_engine.step()
        except Exception as error:  # whatever it is, vLLM does not survive it
            raise EngineError(f"vLLM stopped: {_first_line(error)}") from error

    def _sampling(self, request: Request) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        wanted = request.sampling
        return SamplingParams(
            temperature=wanted.temperature,
            top_p=wanted.top_p if wanted.temperature > 0 else 1.0,
            max_tokens=wanted.max_tokens,
            seed=wanted.seed,
            stop=list(wanted.stop),
            stop_token_ids=self.stops,
            structured_outputs=None if request.schema is None else StructuredOutputsParams(json=request.schema),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def _reply(request: Request, output: Any) -> Reply:
    [written] = output.outputs
    usage = Usage(len(output.prompt_token_ids), len(written.token_ids))
    if written.finish_reason in ("abort", "error"):
        return Reply(request.id, "", "error", usage, f"vLLM ended it: {written.finish_reason}")
    finish: Finish = "length" if written.finish_reason == "length" else "stop"
    return Reply(request.id, clean(written.text), finish, usage)


def _load(config: EngineConfig) -> tuple[Any, Any]:
    """(vllm.LLM, LoRA request or None)"""
    found = models.resolve_model(config.model)
    try:
        import vllm
    except ImportError:
        raise MissingExtraError("vllm", "vllm") from None
    model, lora, adapter = _with_adapter(found)
    settings: dict[str, Any] = {
        "dtype": config.dtype,
        "max_num_seqs": config.concurrency,
        "enable_prefix_caching": True,
    }
    try:
        return vllm.LLM(model=model, **{**settings, **lora, **config.options}), adapter
    except TypeError as error:
        raise InputError(f"engine vllm: options: {_first_line(error)}.") from None
    except Exception as error:  # vLLM raises many kinds, also its workers' own
        raise EngineUnavailableError(f"{config.model}: {models.hub_trouble(error)}") from error


def _with_adapter(found: Path | str) -> tuple[str, dict[str, Any], Any]:
    """(model to load, settings for LoRA, LoRA request): the folder itself, or the base model of the adapter in it."""
    file = Path(found) / "adapter_config.json"
    if not file.is_file():
        return str(found), {}, None
    from vllm.lora.request import LoRARequest

    adapter = json.loads(file.read_text(encoding="utf-8"))
    settings = {"enable_lora": True, "max_lora_rank": max(8, adapter["r"])}
    return adapter["base_model_name_or_path"], settings, LoRARequest("policy", 1, str(found))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
