"""The embedded model, read from its wheel once for all tests of the group "embedded"."""

from pathlib import Path

import pytest

from autoif.errors import EngineUnavailableError
from autoif.training.load import find_gguf, load_policy

MODEL = "smollm2-135m-instruct"


@pytest.fixture(scope="session")
def base() -> Path:
    try:
        found = find_gguf(MODEL)
    except EngineUnavailableError as error:
        pytest.skip(str(error))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def untrained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded model as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("untrained")
    model, tokenizer = load_policy(MODEL, "float32")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
