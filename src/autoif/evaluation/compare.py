"""What training did to an answer: the log-probability of each of its tokens under the policy and the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from autoif import chat
from autoif.errors import InputError
from autoif.prompts import assistant, user
from autoif.records import clean
from autoif.tokens import Comparison, Reading, Span, Token
from autoif.training.load import load_policy

ALTERNATIVES = 4


class Read(NamedTuple):
    """An answer as one model reads it."""

    prompt: str
    """Rendered."""
    ended: bool
    spans: list[tuple[str, list[tuple[str, Reading]]]]
    """The text of each span, and its tokens."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """`prompt` and `completion` as token ids; `offsets` are each completion token's first and last place in `tail`."""

    head: str
    tail: str
    prompt: list[int]
    completion: list[int]
    offsets: list[tuple[int, int]]
    ended: bool


def compare(policy: str, reference: str, prompt: str, completion: str) -> Comparison:
    """Renders the exchange with the policy's chat template and reads it in float32 with both models, one at a time.

    A model is a Hugging Face id, a local folder, a GGUF file or the embedded model. The tokens are those that training
    uses. Raises InputError when a model cannot be loaded, the completion is empty or the models do not share tokens.
    """
    if not completion.strip():
        raise InputError("compare: the completion is empty; give the text of an answer.")
    model, tokenizer = load_policy(policy, "float32")
    exchange = _exchange(tokenizer, prompt, completion)
    ours = _read(model, tokenizer, exchange, ALTERNATIVES)
    del model  # one model in memory at a time
    model, other = load_policy(reference, "float32")
    if other.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"compare: {policy} and {reference} have different tokens; compare a policy with its reference."
        )
    return joined(ours, _read(model, other, exchange, ALTERNATIVES))


def read(
    model: Any, tokenizer: Any, prompt: str, completion: str, ended: bool = True, alternatives: int = ALTERNATIVES
) -> Read:
    """One model's reading of one exchange. `ended`: whether the end of the turn belongs to it.

    Raises InputError when the chat template refuses it.
    """
    return _read(model, tokenizer, _exchange(tokenizer, prompt, completion, ended), alternatives)


def joined(policy: Read, reference: Read) -> Comparison:
    """Both readings of the same exchange. Raises InputError when they are not of the same tokens."""
    spelled = [[(text, [token for token, _ in tokens]) for text, tokens in read.spans] for read in (policy, reference)]
    if spelled[0] != spelled[1]:
        raise InputError("Policy and reference have different tokens; compare a policy with its reference.")
    spans = [
        Span(text, tuple(Token(token, ours, other) for (token, ours), (_, other) in zip(tokens, others, strict=True)))
        for (text, tokens), (_, others) in zip(policy.spans, reference.spans, strict=True)
    ]
    return Comparison(policy.prompt, tuple(spans), policy.ended)


def _exchange(tokenizer: Any, prompt: str, completion: str, ended: bool = True) -> _Exchange:
    """The completion ends with its first end of turn, whatever the template prints after it, or just before it."""
    head, tail = chat.render_exchange(tokenizer, [user(clean(prompt))], [assistant(clean(completion))])
    encoded = tokenizer(tail, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
    stops = chat.stop_ids(tokenizer)
    end = next((place for place, id in enumerate(ids) if id in stops), None)
    ended = ended and end is not None
    kept = len(ids) if end is None else end + ended
    return _Exchange(head, tail, chat.encode(tokenizer, head), ids[:kept], offsets[:kept], ended)


def _read(model: Any, tokenizer: Any, exchange: _Exchange, alternatives: int) -> Read:
    """One row at a time: without padding it is exact."""
    spelled = [spell(tokenizer, id) for id in exchange.completion]
    tokens = list(zip(spelled, _readings(model, tokenizer, exchange, alternatives), strict=True))
    return Read(exchange.head, exchange.ended, _spans(exchange, tokens))


def _readings(model: Any, tokenizer: Any, exchange: _Exchange, alternatives: int) -> list[Reading]:
    """One reading for each token of the completion."""
    import torch

    ids = torch.tensor([exchange.prompt + exchange.completion], device=model.device)
    count = len(exchange.completion)
    with torch.inference_mode():
        logits = model(input_ids=ids, logits_to_keep=count + 1, use_cache=False).logits[0, -count - 1 : -1].float()
        logprobs = torch.log_softmax(logits, dim=-1)
        chosen = logprobs.gather(1, ids[0, -count:, None])
        ranks = (logprobs > chosen).sum(dim=1) + 1
        best, places = logprobs.topk(min(alternatives, logprobs.shape[1]), dim=1)
    return [
        Reading(
            round(logprob, 6),
            rank,
            tuple((spell(tokenizer, id), round(v, 6)) for id, v in zip(row, values, strict=True)),
        )
        for logprob, rank, row, values in zip(
            chosen[:, 0].tolist(), ranks.tolist(), places.tolist(), best.tolist(), strict=True
        )
    ]


def spell(tokenizer: Any, id: int) -> str:
    """The text of a token; bytes that are only a part of a character as ⟨F0⟩."""
    text = str(tokenizer.decode([id]))
    if "\ufffd" not in text:
        return text
    token = str(tokenizer.convert_ids_to_tokens(id))
    if token.startswith("<0x"):  # the byte tokens of SentencePiece
        return f"⟨{token[3:-1]}⟩"
    known = _bytes()
    if not set(token) <= known.keys():
        return text
    spelled = bytes(known[sign] for sign in token).decode("utf-8", "surrogateescape")
    return "".join(f"⟨{ord(sign) - 0xDC00:02X}⟩" if "\ud800" <= sign <= "\udfff" else sign for sign in spelled)


@cache
def _bytes() -> dict[str, int]:
    """The byte behind each sign of a byte-level tokenizer's vocabulary."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {sign: byte for byte, sign in bytes_to_unicode().items()}


def _spans(exchange: _Exchange, tokens: Sequence[tuple[str, Reading]]) -> list[tuple[str, list[tuple[str, Reading]]]]:
    """Groups tokens that share a character. A span begins where the last one ended, which keeps the spaces that some
    tokenizers leave out of their offsets."""
    spans: list[tuple[str, list[tuple[str, Reading]]]] = []
    done = 0
    for token, (start, end) in zip(tokens, exchange.offsets, strict=True):
        text = exchange.tail[done:end]
        if spans and (start < done or not text):
            last, shared = spans.pop()
            spans.append((last + text, [*shared, token]))
        else:
            spans.append((text, [token]))
        done = max(done, end)
    return spans
