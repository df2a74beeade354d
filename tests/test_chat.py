"""Llama 3's traps, on its chat template and special tokens."""

from types import SimpleNamespace
from typing import Any

import pytest

from autoif import chat
from autoif.errors import InputError

USER = [{"role": "user", "content": "Hello"}]
REPLY = [{"role": "assistant", "content": "Hi."}]
HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"


def test_rendered_as_transformers_does_with_the_day_pinned(tokenizer: Any) -> None:
    ours = chat.render(tokenizer, USER)
    theirs = tokenizer.apply_chat_template(USER, tokenize=False, add_generation_prompt=True, date_string=chat.DATE)
    assert ours == theirs
    assert f"Today Date: {chat.DATE}\n" in ours
    assert ours.endswith(HEADER)


def test_the_prefill_ends_the_prompt(tokenizer: Any) -> None:
    assert chat.render(tokenizer, USER, "def f(").endswith(HEADER + "def f(")


def test_no_second_bos(tokenizer: Any) -> None:
    rendered = chat.render(tokenizer, USER)
    assert tokenizer(rendered)["input_ids"].count(tokenizer.bos_token_id) == 2, "the trap is there"
    ids = chat.encode(tokenizer, rendered)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_an_exchange_has_one_system_prompt_and_one_end(tokenizer: Any) -> None:
    prompt, completion = chat.render_exchange(tokenizer, USER, REPLY)
    assert prompt == chat.render(tokenizer, USER)
    assert completion == "Hi.<|eot_id|>"
    assert (prompt + completion).count("<|start_header_id|>system") == 1


def test_an_exchange_that_rewrites_its_prompt_is_refused(tokenizer: Any) -> None:
    template = "{% for m in messages %}{{ messages | length }}{{ m.content }}{% endfor %}"
    odd = SimpleNamespace(chat_template=template, special_tokens_map={})
    with pytest.raises(InputError, match="differently"):
        chat.render_exchange(odd, USER, REPLY)


def test_every_end_of_turn_stops(tokenizer: Any) -> None:
    ends = tokenizer.convert_tokens_to_ids(["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"])
    assert chat.stop_ids(tokenizer) == sorted(ends)
    assert chat.stop_ids(tokenizer, SimpleNamespace(eos_token_id=[3, 4])) == sorted([3, 4, *ends])


def test_the_pad_is_the_reserved_token_not_the_end(tokenizer: Any) -> None:
    assert tokenizer.pad_token is None
    assert chat.pad_token(tokenizer) == "<|finetune_right_pad_id|>"
    own = SimpleNamespace(pad_token="<unk>", eos_token="</s>")
    assert chat.pad_token(own) == "<unk>"


def test_an_unknown_token_is_not_the_unknown_token(tokenizer: Any) -> None:
    ids = {"<unk>": 0, "</s>": 1}
    old = SimpleNamespace(
        eos_token="</s>",
        pad_token=None,
        special_tokens_map={"unk_token": "<unk>"},
        convert_tokens_to_ids=lambda token: ids.get(token, 0),
    )
    assert chat.stop_ids(old) == [1]
    assert chat.pad_token(old) == "</s>"


@pytest.mark.parametrize("template", [None, "", {"tool_use": "x"}])
def test_a_model_without_a_template_is_one_sentence(template: Any) -> None:
    with pytest.raises(InputError, match="no chat template"):
        chat.render(SimpleNamespace(chat_template=template, special_tokens_map={}), USER)


def test_what_a_template_refuses_is_one_sentence() -> None:
    stern = SimpleNamespace(chat_template="{{ raise_exception('System role not supported') }}", special_tokens_map={})
    with pytest.raises(InputError, match="System role not supported"):
        chat.render(stern, USER)


def test_a_template_cannot_reach_into_python() -> None:
    hostile = SimpleNamespace(chat_template="{{ messages.__class__.__mro__ }}", special_tokens_map={})
    with pytest.raises(InputError, match="refuses"):
        chat.render(hostile, USER)


def test_the_generation_tag_and_the_clock_of_other_templates() -> None:
    template = "{{ strftime_now('%Y-%m-%d') }}{% generation %}{{ messages[0].content }}{% endgeneration %}"
    masked = SimpleNamespace(chat_template=template, special_tokens_map={})
    assert chat.render(masked, USER) == "2024-07-26Hello"


def test_a_lone_surrogate_becomes_a_question_mark(tokenizer: Any) -> None:
    assert "a?b" in chat.render(tokenizer, [{"role": "user", "content": "a\ud800b"}])
