"""Any Hugging Face causal language model, on CPU or GPU: left-padded batches through `generate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import models
from autoif.engines.base import Engine, Finish, Reply, Request, Sampling
from autoif.errors import EngineError, EngineUnavailableError, InputError, MissingExtraError
from autoif.records import Usage, clean


class TransformersEngine(Engine):
    """Answers `concurrency` requests at a time. Each has its own sampling and seed, whoever shares its batch."""

    supports_prefill = True

    def __init__(self, config: EngineConfig) -> None:
        self.concurrency = config.concurrency
        self.model, self.tokenizer = load(config)
        self.stops = chat.stop_ids(self.tokenizer, self.model.generation_config)
        self.pad = int(self.tokenizer.convert_tokens_to_ids(chat.pad_token(self.tokenizer)))
        self.context: int = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30

    def generate(self, requests: Iterable[Request]) -> Iterator[Reply]:
        source = iter(requests)
        while batch := list(islice(source, self.concurrency)):
            rows = [self._row(request) for request in batch]
            fitting = [row for row in rows if row.limit > 0]
            if fitting:
                self._write(fitting)
            yield from (self._reply(row) for row in rows)

    def close(self) -> None:
        if self.model is None:
            return
        import torch

        self.model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _row(self, request: Request) -> _Row:
        prompt = chat.encode(self.tokenizer, chat.render(self.tokenizer, request.messages, request.prefill))
        return _Row(request, prompt, min(request.sampling.max_tokens, self.context - len(prompt)))

    def _write(self, rows: Sequence[_Row]) -> None:
        """Has the model write all rows at once; each row remembers its own tokens."""
        import torch
        from transformers import GenerationConfig

        longest = max(row.limit for row in rows)
        decoding = GenerationConfig(
            max_new_tokens=longest, do_sample=False, eos_token_id=self.stops, pad_token_id=self.pad
        )
        try:
            with torch.inference_mode():
                self.model.generate(
                    **_left_padded([row.prompt for row in rows], self.pad, self.model.device),
                    generation_config=decoding,
                    logits_processor=[_Draws([row.request.sampling for row in rows], self.model.device)],
                    stopping_criteria=[_Ends(rows, self.stops, self.tokenizer)],
                )
        except torch.OutOfMemoryError:
            raise EngineError("The accelerator ran out of memory; lower `concurrency` and run again.") from None

    def _reply(self, row: _Row) -> Reply:
        usage = Usage(len(row.prompt), len(row.written))
        if row.limit <= 0:
            error = f"a prompt of {len(row.prompt)} tokens leaves no room in the model's {self.context}"
            return Reply(row.request.id, "", "error", usage, error)
        text = clean(self.tokenizer.decode(row.written, skip_special_tokens=True))
        for stop in row.request.sampling.stop:
            text = text.partition(stop)[0]
        return Reply(row.request.id, text, row.finish, usage)


@dataclass(slots=True)
class _Row:
    """One request in a batch."""

    request: Request
    prompt: list[int]
    limit: int
    """Most tokens it may write; not positive when the prompt fills the context."""
    written: list[int] = field(default_factory=list)
    finish: Finish = "length"
    ended: bool = False


class _Draws:
    """Samples each row with its own temperature, top_p and seed: with Gumbel noise the highest score is a draw.

    If E is exponential, argmax(log p - log E) is distributed as p (the Gumbel-max trick, Maddison et al. 2014).
    """

    def __init__(self, samplings: Sequence[Sampling], device: Any) -> None:
        import torch

        self.samplings = samplings
        self.generators = [torch.Generator(device).manual_seed(sampling.seed) for sampling in samplings]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """scores: (rows, vocabulary), before softmax. Rows of temperature 0 stay as they are."""
        import torch

        drawn = scores.float().clone()
        for row, (sampling, generator) in enumerate(zip(self.samplings, self.generators, strict=True)):
            if sampling.temperature > 0:
                kept = _nucleus(drawn[row] / sampling.temperature, sampling.top_p)
                drawn[row] = kept - torch.empty_like(kept).exponential_(generator=generator).log()
        return drawn


class _Ends:
    """Says which rows are done: at an end token, a stop string, or the row's own length."""

    def __init__(self, rows: Sequence[_Row], stops: Sequence[int], tokenizer: Any) -> None:
        self.rows = rows
        self.stops = frozenset(stops)
        self.tokenizer = tokenizer

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """input_ids: (rows, length so far). Returns bool (rows,)."""
        import torch

        for row, token in zip(self.rows, input_ids[:, -1].tolist(), strict=True):
            if not row.ended:
                self._take(row, token)
        return torch.tensor([row.ended for row in self.rows], device=input_ids.device)

    def _take(self, row: _Row, token: int) -> None:
        row.written.append(token)
        if token in self.stops or any(self._has(row, stop) for stop in row.request.sampling.stop):
            row.finish, row.ended = "stop", True
        elif len(row.written) >= row.limit:
            row.ended = True

    def _has(self, row: _Row, stop: str) -> bool:
        """Only the newest tokens can have completed the string; a token is seldom less than a character."""
        return stop in self.tokenizer.decode(row.written[-2 * len(stop) - 8 :], skip_special_tokens=True)


def load(config: EngineConfig) -> tuple[Any, Any]:
    """(model, tokenizer) for inference, on the device and in the precision of `config`.

    Raises MissingExtraError, EngineUnavailableError or InputError.
    """
    source, extra = _source(config.model)
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar
    except ImportError:
        raise MissingExtraError("transformers with torch", "local") from None
    disable_progress_bar()
    device = _device(config.device)
    dtype = "auto" if config.dtype == "auto" else getattr(torch, config.dtype)
    if config.dtype == "auto" and (device == "cpu" or extra):
        dtype = torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **extra)
        with redirect_stderr(StringIO()):  # reading GGUF draws a progress bar that no setting turns off
            model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **extra)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise EngineUnavailableError(f"{config.model}: {models.hub_trouble(error)}") from None
    return model.eval().to(device), tokenizer


def _source(model: str) -> tuple[str, dict[str, str]]:
    """What `from_pretrained` is given: (folder or id, {"gguf_file": name} for a GGUF file)."""
    found = models.resolve_model(model)
    path = models.fetch_model(model) if str(found).endswith(".gguf") else found
    if isinstance(path, Path) and path.is_file():
        if path.suffix != ".gguf":
            raise InputError(f"{path}: expected a .gguf file or a folder with config.json.")
        return str(path.parent), {"gguf_file": path.name}
    if isinstance(path, Path) and not any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
        raise InputError(f"{path}: has no config.json, so it is not a Hugging Face model folder.")
    return str(path), {}


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    usable = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not usable.get(name.partition(":")[0], False):
        raise InputError(f"device: {name} is not on this machine; use auto or cpu.")
    return name


def _nucleus(scores: Any, top_p: float) -> Any:
    """Scores (vocabulary,) with everything outside the smallest set of probability `top_p` at minus infinity."""
    if top_p >= 1:
        return scores
    ranked, order = scores.sort(descending=True)
    probability = ranked.softmax(-1)
    outside = probability.cumsum(-1) - probability >= top_p
    return scores.masked_fill(outside.scatter(0, order, outside), float("-inf"))


def _left_padded(prompts: Sequence[list[int]], pad: int, device: Any) -> dict[str, Any]:
    """input_ids and attention_mask, each (rows, longest prompt); the padding stands on the left."""
    import torch

    width = max(map(len, prompts))
    ids = [[pad] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}
