"""The CPU engine on the embedded model, loaded once for the module."""

import json
from collections.abc import Iterator

import pytest

from autoif import chat
from autoif.config import EngineConfig
from autoif.engines import Engine, Request, Sampling, load_engine
from autoif.engines.models import EMBEDDED, resolve_model
from autoif.errors import AutoIFError, InputError

pytest.importorskip("openvino_genai", reason="openvino-genai is not installed")
try:
    resolve_model(EMBEDDED)
except AutoIFError as error:
    pytest.skip(str(error), allow_module_level=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with load_engine(EngineConfig(concurrency=4)) as engine:
        yield engine


def _request(id: str, text: str, **fields: object) -> Request:
    sampling = Sampling(**{"temperature": 0.0, "max_tokens": 24, **fields})
    return Request(id, [{"role": "user", "content": text}], sampling)


def test_every_request_is_answered_once_with_exact_usage(engine: Engine) -> None:
    requests = [_request(str(n), f"Name {n} fruits.", max_tokens=4 + n) for n in range(9)]
    replies = {reply.id: reply for reply in engine.generate(iter(requests))}
    assert sorted(replies) == sorted(request.id for request in requests)
    cut = replies["0"]
    assert cut.finish == "length"
    assert cut.usage.completion_tokens == 4
    prompt = chat.render(engine.tokenizer, requests[0].messages)
    assert cut.usage.prompt_tokens == engine.tokenizer.tensor(prompt).shape[1]


def test_a_request_is_pulled_only_when_there_is_room(engine: Engine) -> None:
    pulled = []

    def source() -> Iterator[Request]:
        for n in range(100):
            pulled.append(n)
            yield _request(str(n), "Say hello.", max_tokens=2)

    replies = engine.generate(source())
    next(replies)
    assert len(pulled) == 4
    replies.close()
    assert not engine.pipeline.has_non_finished_requests()


def test_the_prefill_steers_and_is_not_repeated(engine: Engine) -> None:
    plain = _request("1", "Write a Python function named evaluate.")
    reply = next(engine.generate([Request("1", plain.messages, plain.sampling, prefill="def evaluate(response")]))
    assert reply.text
    assert not reply.text.startswith("def evaluate")
    assert reply.text.lstrip()[0] in "):,"


def test_a_schema_binds_the_reply(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"follows": {"type": "boolean"}},
        "required": ["follows"],
        "additionalProperties": False,
    }
    request = _request("1", "Does this answer follow? Reply in JSON.", temperature=0.8, seed=3)
    reply = next(engine.generate([Request("1", request.messages, request.sampling, schema=schema)]))
    assert isinstance(json.loads(reply.text)["follows"], bool)
    assert reply.finish == "stop"


def test_it_stops_before_a_stop_string(engine: Engine) -> None:
    free = next(engine.generate([_request("1", "Count: one, two, three, four.")]))
    word = free.text.split()[3]
    stopped = next(engine.generate([_request("1", "Count: one, two, three, four.", stop=(word,))]))
    assert stopped.finish == "stop"
    assert free.text.startswith(stopped.text)
    assert word not in stopped.text


def test_a_seed_repeats_a_sample_and_another_does_not(engine: Engine) -> None:
    texts = [
        next(engine.generate([_request("1", "Tell a story.", temperature=1.0, seed=seed)])).text for seed in (5, 5, 6)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_lone_surrogates_and_nuls_do_no_harm(engine: Engine) -> None:
    reply = next(engine.generate([_request("1", "a\ud800b\x00c")]))
    assert reply.finish in ("stop", "length")
    reply.text.encode()


def test_a_model_that_openvino_cannot_read_is_one_sentence(tmp_path: object) -> None:
    with pytest.raises(InputError, match="exported folder"):
        load_engine(EngineConfig(model=str(tmp_path)))


@pytest.mark.parametrize(("dtype", "hint"), [("auto", "f32"), ("float32", "f32"), ("bfloat16", "bf16")])
def test_it_computes_in_what_the_configuration_says(monkeypatch: pytest.MonkeyPatch, dtype: str, hint: str) -> None:
    """OpenVINO's own choice depends on the processor, and with it the policy that answers."""
    import openvino_genai

    told: list[dict[str, str]] = []
    load = openvino_genai.ContinuousBatchingPipeline

    def spy(path: str, scheduler: object, device: str, properties: dict[str, str]) -> object:
        told.append(properties)
        return load(path, scheduler, device, properties)

    monkeypatch.setattr(openvino_genai, "ContinuousBatchingPipeline", spy)
    with load_engine(EngineConfig(dtype=dtype, concurrency=1)) as engine:
        assert next(engine.generate([_request("1", "Say hello.")])).text
    assert told == [{"INFERENCE_PRECISION_HINT": hint}]
