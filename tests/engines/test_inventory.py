"""What `autoif doctor` says of engines."""

import subprocess
import sys
from importlib import util

import pytest

from autoif.engines import available
from autoif.engines.inventory import _model


def test_every_engine_is_listed_and_scripted_always_works() -> None:
    found = {offer.engine: offer for offer in available()}
    assert list(found) == ["openvino", "transformers", "vllm", "openai", "scripted"]
    assert found["scripted"].usable


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "vllm" else object())
    found = {offer.engine: offer for offer in available()}
    assert not found["vllm"].usable
    assert "autoif[vllm]" in found["vllm"].note
    assert found["openvino"].usable


def test_a_card_is_named_by_its_driver() -> None:
    assert _model("Model: \t\t NVIDIA H100\nIRQ: 1\n") == "NVIDIA H100"
    assert _model("") == "NVIDIA GPU"


def test_looking_loads_no_heavy_library() -> None:
    look = "import sys; from autoif.engines import available, load_engine; available(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    heavy = {"torch", "transformers", "openvino", "openvino_genai", "vllm", "openai", "huggingface_hub"}
    assert not heavy & set(done.stdout.split())
