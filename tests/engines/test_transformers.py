"""The transformers engine on a Llama 3 in miniature."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import Request, Sampling, load_engine
from autoif.errors import EngineUnavailableError, InputError

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def engine(tiny_llama: Path) -> Iterator[Any]:
    with load_engine(EngineConfig(engine="transformers", model=str(tiny_llama), concurrency=4)) as engine:
        yield engine


def _request(id: str, text: str = "Hello", prefill: str = "", **sampling: Any) -> Request:
    settings: dict[str, Any] = {"temperature": 0.0, "max_tokens": 12, **sampling}
    return Request(id, [{"role": "user", "content": text}], Sampling(**settings), prefill)


def _one(engine: Any, request: Request) -> Any:
    [reply] = engine.generate([request])
    return reply


def test_it_stops_at_every_end_of_llama_3(engine: Any) -> None:
    assert engine.tokenizer.convert_ids_to_tokens(engine.stops) == ["<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"]
    assert engine.tokenizer.convert_ids_to_tokens(engine.pad) == "<|finetune_right_pad_id|>"


@pytest.mark.parametrize("end", ["<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"])
def test_an_end_token_ends_the_reply(engine: Any, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    free = _one(engine, _request("1"))
    bias = engine.model.lm_head.weight.new_zeros(len(engine.tokenizer))
    bias[engine.tokenizer.convert_tokens_to_ids(end)] = 1e4
    forward = engine.model.lm_head.forward
    monkeypatch.setattr(engine.model.lm_head, "forward", lambda hidden: forward(hidden) + bias)
    reply = _one(engine, _request("1"))
    assert (reply.text, reply.finish, reply.usage.completion_tokens) == ("", "stop", 1)
    assert (free.finish, free.usage.completion_tokens) == ("length", 12)


def test_usage_counts_the_prompt_with_one_bos(engine: Any) -> None:
    request = _request("1")
    ids = chat.encode(engine.tokenizer, chat.render(engine.tokenizer, request.messages))
    assert ids.count(engine.tokenizer.bos_token_id) == 1
    assert _one(engine, request).usage.prompt_tokens == len(ids)


def test_a_reply_does_not_depend_on_who_shares_its_batch(engine: Any) -> None:
    requests = [
        _request(str(n), "Hello " * n, temperature=0.9 * (n % 2), top_p=0.8, seed=n, max_tokens=5 + n) for n in range(6)
    ]
    together = {reply.id: reply for reply in engine.generate(requests)}
    assert len(together) == 6
    for request in requests:
        assert together[request.id] == _one(engine, request)
        assert together[request.id].usage.completion_tokens <= request.sampling.max_tokens


def test_a_seed_repeats_a_sample_and_another_does_not(engine: Any) -> None:
    texts = [_one(engine, _request("1", temperature=1.0, seed=seed)).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_draws_follow_the_softmax() -> None:
    import torch

    from autoif.engines.transformers import _Draws

    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    samplings = [Sampling(temperature=0.5, top_p=0.99, seed=seed) for seed in range(4000)]
    drawn = _Draws(samplings, "cpu")(None, logits.expand(4000, 4)).argmax(-1)
    counted = torch.bincount(drawn, minlength=4) / 4000
    expected = (logits / 0.5).softmax(-1)
    assert counted[3] == 0, "outside the nucleus"
    assert torch.allclose(counted[:3], expected[:3], atol=0.03)


def test_the_prefill_is_read_and_not_repeated(engine: Any) -> None:
    plain, prefilled = _one(engine, _request("1")), _one(engine, _request("1", prefill="def f("))
    assert prefilled.usage.prompt_tokens == plain.usage.prompt_tokens + len("def f(")
    assert not prefilled.text.startswith("def f(")


def test_it_stops_before_a_stop_string(engine: Any) -> None:
    free = _one(engine, _request("1", temperature=1.0, seed=4))
    stop = free.text[3:5]
    stopped = _one(engine, _request("1", temperature=1.0, seed=4, stop=(stop,)))
    assert stopped.finish == "stop"
    assert stopped.text == free.text.partition(stop)[0]
    assert stopped.usage.completion_tokens < 12


def test_a_prompt_longer_than_the_context_is_an_error_reply(engine: Any) -> None:
    replies = {r.id: r for r in engine.generate([_request("long", "x" * 600), _request("short")])}
    assert replies["long"].finish == "error"
    assert "leaves no room in the model's 512" in replies["long"].error
    assert replies["short"].finish == "length"


def test_the_context_bounds_the_reply(engine: Any) -> None:
    prompt = _one(engine, _request("1", "x")).usage.prompt_tokens
    reply = _one(engine, _request("1", "x" * (512 - prompt - 2), max_tokens=100))
    assert reply.finish == "length"
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == 512


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no config"):
        load_engine(EngineConfig(engine="transformers", model=str(tmp_path)))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineUnavailableError):
        load_engine(EngineConfig(engine="transformers", model=str(tmp_path)))


def test_a_device_that_is_not_there_is_one_sentence(tiny_llama: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has mps")
    with pytest.raises(InputError, match="not on this machine"):
        load_engine(EngineConfig(engine="transformers", model=str(tiny_llama), device="mps"))
