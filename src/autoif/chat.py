"""Chat templates and their traps, in one place for the engines and for training.

A tokenizer here is a Hugging Face one, or anything with its `chat_template`, `special_tokens_map`, `eos_token`,
`pad_token` and `convert_tokens_to_ids`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

from autoif.errors import InputError
from autoif.records import Message, clean

DATE = "26 Jul 2024"
"""The day that templates print (Llama 3.1 and later): fixed, so that a run does not change at midnight."""

TURN_ENDS = ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "<end_of_turn>")
PADS = ("<|finetune_right_pad_id|>", "<|reserved_special_token_0|>", "<pad>", "[PAD]", "<|endoftext|>")


def render(tokenizer: Any, messages: Sequence[Message], prefill: str = "") -> str:
    """The prompt, up to where the assistant writes, then `prefill`. Raises InputError without a chat template."""
    return _render(tokenizer, messages, add_generation_prompt=True) + clean(prefill)


def render_exchange(tokenizer: Any, prompt: Sequence[Message], reply: Sequence[Message]) -> tuple[str, str]:
    """(prompt, completion) as text. Rendered together, so the reply gets no second system prompt and one end of turn.

    Raises InputError when the template rewrites the prompt once a reply follows.
    """
    head = render(tokenizer, prompt)
    whole = _render(tokenizer, [*prompt, *reply], add_generation_prompt=False)
    if not whole.startswith(head):
        raise InputError("The chat template renders a prompt differently once a reply follows; use another template.")
    return head, whole[len(head) :]


def encode(tokenizer: Any, rendered: str) -> list[int]:
    """Token ids of a rendered template, which carries its own BOS: the tokenizer must not add a second one."""
    ids: list[int] = tokenizer(rendered, add_special_tokens=False)["input_ids"]
    return ids


def stop_ids(tokenizer: Any, generation_config: Any = None) -> list[int]:
    """Every token id that ends a turn, sorted. Llama 3 ends on <|eot_id|> or <|eom_id|>; its eos alone rambles on."""
    eos = getattr(generation_config, "eos_token_id", None)
    ids = set(eos) if isinstance(eos, list | tuple | set) else {eos}
    ids.add(_token_id(tokenizer, tokenizer.eos_token))
    ids.update(_token_id(tokenizer, token) for token in TURN_ENDS)
    return sorted(id for id in ids if id is not None)


def pad_token(tokenizer: Any) -> str:
    """A padding token that is not the end of a turn where the vocabulary has one, so that no end is masked away."""
    own, eos = tokenizer.pad_token, tokenizer.eos_token
    if own is not None and own != eos:
        return str(own)
    spare = (token for token in PADS if token != eos and _token_id(tokenizer, token) is not None)
    pad = next(spare, own or eos)
    if pad is None:
        raise InputError("The tokenizer has neither a padding nor an end token; give it one of them.")
    return str(pad)


def _render(tokenizer: Any, messages: Sequence[Message], add_generation_prompt: bool) -> str:
    try:
        text = _compile(_template(tokenizer)).render(
            **tokenizer.special_tokens_map,
            messages=list(messages),
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            date_string=DATE,
        )
    except jinja2.TemplateError as error:
        raise InputError(f"The model's chat template refuses these messages: {error}") from None
    return clean(text)


def _template(tokenizer: Any) -> str:
    """A tokenizer may carry several templates by name."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise InputError("The model has no chat template; use an instruct or chat model.")
    return str(template)


def _token_id(tokenizer: Any, token: str | None) -> int | None:
    """None for a token that the vocabulary lacks (some tokenizers answer with the id of their unknown token)."""
    if token is None:
        return None
    id: int | None = tokenizer.convert_tokens_to_ids(token)
    unknown = tokenizer.special_tokens_map.get("unk_token")
    missing = id is None or (token != unknown and unknown and id == tokenizer.convert_tokens_to_ids(unknown))
    return None if missing else id


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` marks the assistant's tokens for training masks; here it renders what is inside it."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


@lru_cache(maxsize=8)
def _compile(template: str) -> jinja2.Template:
    """Compiled as transformers does it: sandboxed, since a template comes with a model, that is, from a stranger."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = datetime.strptime(DATE, "%d %b %Y").strftime
    return environment.from_string(template)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
