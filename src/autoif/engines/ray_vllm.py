"""vLLM on the GPUs of a Ray cluster, by Ray Data's vLLM processor."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import models
from autoif.engines.base import Finish, Reply, Request
from autoif.errors import EngineUnavailableError, MissingExtraError
from autoif.records import Usage, clean

log = logging.getLogger(__name__)
FREE = {"num_cpus": 0}


class VllmRows:
    """Rows with the tokens of a prompt and its sampling parameters, so that Ray Data runs no stage but vLLM's own.

    `options` are arguments of vLLM's engine, as they are without Ray. The model, and a LoRA adapter, must be at the
    same path on every machine. vLLM's reason to stop does not come back through Ray Data: a reply of `max_tokens`
    tokens counts as cut.
    """

    supports_prefill = True
    supports_schema = True

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.model, self.adapter, self.rank = _with_adapter(models.resolve_model(config.model))
        self.tokenizer = _tokenizer(self.adapter or self.model)
        self.stops = chat.stop_ids(self.tokenizer)

    def processor(self, replicas: int) -> Any:
        from ray.data.llm import build_processor, vLLMEngineProcessorConfig

        if not (on_cpu := _is_cpu_build()):
            self._tell_of_missing_gpus(replicas)
        off = {"enabled": False}
        lora = {"enable_lora": True, "max_lora_rank": max(8, self.rank)} if self.adapter else {}
        own = {"dtype": self.config.dtype, "max_num_seqs": self.config.concurrency, "enable_prefix_caching": True}
        config = vLLMEngineProcessorConfig(
            model_source=self.model,
            engine_kwargs={**own, **lora, **self.config.options},
            batch_size=1,
            max_concurrent_batches=-(-self.config.concurrency // replicas),
            concurrency=(replicas, replicas),
            placement_group_config={"bundle_per_worker": {"CPU": 1}} if on_cpu else None,
            should_continue_on_error=True,
            log_engine_metrics=False,  # they would need Ray Serve, without which vLLM does not start
            chat_template_stage=off,
            tokenize_stage=off,
            detokenize_stage=off,
        )
        return build_processor(config, None, _answered, preprocess_map_kwargs=FREE, postprocess_map_kwargs=FREE)

    def _tell_of_missing_gpus(self, replicas: int) -> None:
        """Ray waits for ever, since a cluster may grow."""
        import ray

        parallel = ("tensor_parallel_size", "pipeline_parallel_size")
        wanted = replicas * math.prod(self.config.options.get(name, 1) for name in parallel)
        there = int(ray.cluster_resources().get("GPU", 0))
        if there < wanted:
            log.warning("%s needs %d GPUs and the Ray cluster has %d: waiting for more.", self.model, wanted, there)

    def row(self, request: Request) -> dict[str, Any]:
        wanted = request.sampling
        sampling: dict[str, Any] = {
            "temperature": wanted.temperature,
            "top_p": wanted.top_p if wanted.temperature > 0 else 1.0,
            "max_tokens": wanted.max_tokens,
            "seed": wanted.seed,
            "stop_token_ids": self.stops,
        }
        if wanted.stop:
            sampling["stop"] = list(wanted.stop)
        if request.schema is not None:
            sampling["structured_outputs"] = {"json": json.dumps(request.schema)}
        prompt = chat.encode(self.tokenizer, chat.render(self.tokenizer, request.messages, request.prefill))
        row = {"tokenized_prompt": prompt, "sampling_params": sampling, "limit": wanted.max_tokens}
        return row | ({"model": self.adapter} if self.adapter else {})

    def reply(self, id: str, row: dict[str, Any]) -> tuple[Reply, bool]:
        if row.get("__inference_error__"):
            return Reply(id, "", "error", error=clean(row["__inference_error__"])[:300]), False
        answer = json.loads(row["answer"])
        finish: Finish = "length" if answer["written"] >= answer["limit"] else "stop"
        return Reply(id, clean(answer["text"]), finish, Usage(answer["read"], answer["written"])), False


def _answered(row: dict[str, Any]) -> dict[str, Any]:
    answer = {
        "text": row["generated_text"],
        "read": int(row["num_input_tokens"]),
        "written": int(row["num_generated_tokens"]),
        "limit": int(row["limit"]),
    }
    return {"id": row["id"], "answer": json.dumps(answer)}


def _is_cpu_build() -> bool:
    """Whether vLLM is its CPU build here, and so on every machine: a replica then takes a CPU instead of GPUs."""
    try:
        from vllm.platforms import current_platform
    except ImportError:
        return False
    return bool(current_platform.is_cpu())


def _with_adapter(found: Path | str) -> tuple[str, str | None, int]:
    """(model to load, folder of the adapter, its rank): a folder may hold a LoRA adapter of a base model."""
    file = Path(found) / "adapter_config.json"
    if not file.is_file():
        return str(found), None, 0
    adapter = json.loads(file.read_text(encoding="utf-8"))
    return adapter["base_model_name_or_path"], str(found), adapter["r"]


def _tokenizer(model: str) -> Any:
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingExtraError("transformers", "ray") from None
    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise EngineUnavailableError(f"{model}: {models.hub_trouble(error)}") from None
