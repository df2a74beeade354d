"""What training did to one answer: the log-probability of each of its tokens under the policy and the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoif import chat
from autoif.errors import InputError
from autoif.prompts import assistant, user
from autoif.records import clean
from autoif.training.load import load_policy

ALTERNATIVES = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """How one model sees a token: its natural log-probability, its rank (1 is the likeliest), the likeliest tokens."""

    logprob: float
    rank: int
    alternatives: tuple[tuple[str, float], ...]
    """Text and log-probability, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of the completion. `text` is the token as the tokenizer spells it, which may be part of a character."""

    text: str
    policy: Reading
    reference: Reading

    @property
    def difference(self) -> float:
        return self.policy.logprob - self.reference.logprob


@dataclass(frozen=True, slots=True)
class Span:
    """The smallest run of tokens that makes whole characters: mostly one, several for an emoji."""

    text: str
    tokens: tuple[Token, ...]

    @property
    def difference(self) -> float:
        return sum(token.difference for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The rendered prompt, and the completion up to its end of turn."""

    prompt: str
    spans: tuple[Span, ...]

    @property
    def tokens(self) -> list[Token]:
        return [token for span in self.spans for token in span.tokens]

    @property
    def total(self) -> float:
        """log p(completion | prompt) of the policy minus that of the reference: DPO's implicit reward over beta."""
        return sum(span.difference for span in self.spans)

    @property
    def mean(self) -> float:
        """The total per token."""
        return self.total / len(self.tokens)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """`prompt` and `completion` as token ids; `offsets` are each completion token's first and last place in `tail`."""

    head: str
    tail: str
    prompt: list[int]
    completion: list[int]
    offsets: list[tuple[int, int]]


def compare(policy: str, reference: str, prompt: str, completion: str) -> Comparison:
    """Renders the exchange with the policy's chat template and reads it in float32 with both models, one at a time.

    A model is a Hugging Face id, a local folder, a GGUF file or the embedded model. The tokens are those that training
    uses. Raises InputError when a model cannot be loaded, the completion is empty or the models do not share tokens.
    """
    if not completion.strip():
        raise InputError("compare: the completion is empty; give the text of an answer.")
    model, tokenizer = load_policy(policy, "float32")
    exchange = _exchange(tokenizer, prompt, completion)
    policy_readings = _read(model, tokenizer, exchange)
    del model  # one model in memory at a time
    model, other = load_policy(reference, "float32")
    if other.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"compare: {policy} and {reference} have different tokens; compare a policy with its reference."
        )
    reference_readings = _read(model, other, exchange)
    spelled = tokenizer.convert_ids_to_tokens(exchange.completion)
    tokens = [Token(*fields) for fields in zip(spelled, policy_readings, reference_readings, strict=True)]
    return Comparison(exchange.head, _spans(exchange, tokens))


def _exchange(tokenizer: Any, prompt: str, completion: str) -> _Exchange:
    """The completion ends with its first end of turn, whatever the template prints after it."""
    head, tail = chat.render_exchange(tokenizer, [user(clean(prompt))], [assistant(clean(completion))])
    encoded = tokenizer(tail, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
    stops = chat.stop_ids(tokenizer)
    end = next((place + 1 for place, id in enumerate(ids) if id in stops), len(ids))
    return _Exchange(head, tail, chat.encode(tokenizer, head), ids[:end], offsets[:end])


def _read(model: Any, tokenizer: Any, exchange: _Exchange) -> list[Reading]:
    """One reading for each token of the completion."""
    import torch

    ids = torch.tensor([exchange.prompt + exchange.completion], device=model.device)
    count = len(exchange.completion)
    with torch.inference_mode():
        logits = model(input_ids=ids, logits_to_keep=count + 1).logits[0, -count - 1 : -1].float()
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(1, ids[0, -count:, None])
    ranks = (logprobs > chosen).sum(dim=1) + 1
    best, places = logprobs.topk(min(ALTERNATIVES, logprobs.shape[1]), dim=1)
    return [
        Reading(logprob, rank, tuple(zip(_decode(tokenizer, row), values, strict=True)))
        for logprob, rank, row, values in zip(
            chosen[:, 0].tolist(), ranks.tolist(), places.tolist(), best.tolist(), strict=True
        )
    ]


def _decode(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    return [str(tokenizer.decode([id])) for id in ids]


def _spans(exchange: _Exchange, tokens: Sequence[Token]) -> tuple[Span, ...]:
    """Groups tokens that share a character. A span begins where the last one ended, which keeps the spaces that some
    tokenizers leave out of their offsets."""
    spans: list[Span] = []
    done = 0
    for token, (start, end) in zip(tokens, exchange.offsets, strict=True):
        text = exchange.tail[done:end]
        if spans and (start < done or not text):
            last = spans.pop()
            spans.append(Span(last.text + text, (*last.tokens, token)))
        else:
            spans.append(Span(text, (token,)))
        done = max(done, end)
    return tuple(spans)
