import json
from pathlib import Path
from typing import Any

import pytest

from autoif import chat
from autoif.errors import InputError
from autoif.training.pairs import LeftOut, Pair, encode_pair, encode_pairs, length, read_pairs

QWEN = (
    "{% if messages[0].role != 'system' %}<|start_header_id|>system: You are helpful.<|eot_id|>\n{% endif %}"
    "{% for m in messages %}<|start_header_id|>{{ m.role }}: {{ m.content }}<|eot_id|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant: {% endif %}"
)
"""Like Qwen's and SmolLM2's: a system prompt of its own, and a line feed after the end of a turn."""


def pair(prompt: str = "Name a bird.", chosen: str = "An owl.", rejected: str = "No") -> dict[str, Any]:
    said = {"prompt": ("user", prompt), "chosen": ("assistant", chosen), "rejected": ("assistant", rejected)}
    return {key: [{"role": role, "content": text}] for key, (role, text) in said.items()}


def encoded(tokenizer: Any, **texts: str) -> dict[str, list[int]]:
    return encode_pair(tokenizer, Pair.model_validate(pair(**texts)), frozenset(chat.stop_ids(tokenizer)))


@pytest.fixture(params=["llama 3", "qwen"])
def template(request: pytest.FixtureRequest, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "qwen":
        monkeypatch.setattr(tokenizer, "chat_template", QWEN)
    return tokenizer


def test_prompt_ids_are_those_of_generation(template: Any) -> None:
    prompt = [{"role": "user", "content": "Name a bird."}]
    assert encoded(template)["prompt_ids"] == chat.encode(template, chat.render(template, prompt))


def test_one_system_prompt_and_none_in_the_completions(template: Any) -> None:
    row = encoded(template)
    assert template.decode(row["prompt_ids"]).count("system") == 1
    assert "system" not in template.decode(row["chosen_ids"] + row["rejected_ids"])


def test_completions_end_with_one_end_of_turn(template: Any) -> None:
    row, stops = encoded(template), chat.stop_ids(template)
    for key, text in (("chosen_ids", "An owl."), ("rejected_ids", "No")):
        *body, end = row[key]
        assert end == template.convert_tokens_to_ids("<|eot_id|>")
        assert not set(body) & set(stops)
        assert template.decode(body) == text


def test_a_rejected_completion_that_was_cut_has_no_end(template: Any) -> None:
    whole = encoded(template)
    cut = encode_pair(
        template, Pair.model_validate(pair() | {"rejected_cut": True}), frozenset(chat.stop_ids(template))
    )
    assert cut == whole | {"rejected_ids": whole["rejected_ids"][:-1]}


def test_one_bos_and_the_pinned_date(tokenizer: Any) -> None:
    row = encoded(tokenizer)
    ids = row["prompt_ids"] + row["chosen_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert f"Today Date: {chat.DATE}" in tokenizer.decode(ids)


def test_an_end_of_turn_inside_the_text_ends_the_completion(tokenizer: Any) -> None:
    row = encoded(tokenizer, chosen="Owl.<|eot_id|>More")
    assert tokenizer.decode(row["chosen_ids"]) == "Owl.<|eot_id|>"


def test_a_template_that_ends_no_turn_gets_the_eos(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}{% endif %}"
    monkeypatch.setattr(tokenizer, "chat_template", bare)
    assert encoded(tokenizer)["chosen_ids"][-1] == tokenizer.eos_token_id


def test_empty_completions_are_an_end_of_turn(tokenizer: Any) -> None:
    assert len(encoded(tokenizer, rejected="")["rejected_ids"]) == 1


def test_too_long_pairs_are_counted_and_left_out(tokenizer: Any, tmp_path: Path) -> None:
    file = write(tmp_path, [pair(), pair(chosen="owl " * 100), pair(rejected="no " * 100), pair()])
    stops, left_out = frozenset(chat.stop_ids(tokenizer)), LeftOut()
    fits = length(encoded(tokenizer))
    rows = list(encode_pairs(tokenizer, file, stops, fits, left_out))
    assert (len(rows), left_out.too_long) == (2, 2)
    assert list(encode_pairs(tokenizer, file, stops, fits - 1, LeftOut())) == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"prompt": "text", "chosen": "a", "rejected": "b"}',
        b'{"prompt": [], "chosen": [], "rejected": []}',
        b"\xff\xfe",
        b'{"prompt": [{"role": "user", "content": "\\ud800"}]}',
        b"\x00" * 100,
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_bytes(json.dumps(pair()).encode() + b"\n" + line + b"\n")
    with pytest.raises(InputError, match=r"pairs\.jsonl line 2: expected a JSON object"):
        list(read_pairs(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.jsonl: cannot be read"):
        list(read_pairs(tmp_path / "nothing.jsonl"))


def write(folder: Path, pairs: list[dict[str, Any]]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return file
