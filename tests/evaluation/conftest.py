from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture
def shared_nltk(monkeypatch):
    nltk = pytest.importorskip("nltk", reason="needs the extra `eval`")
    folder = SHARED / "data/nltk_data"
    if not folder.exists():
        pytest.skip(f"needs NLTK's punkt_tab in {folder}")
    monkeypatch.setattr(nltk.data, "path", [str(folder)])


@pytest.fixture
def ifeval_data():
    path = SHARED / "data/ifeval/input_data.jsonl"
    if not path.exists():
        pytest.skip(f"needs IFEval's prompts in {path}")
    return path


@pytest.fixture
def ifbench_data():
    path = SHARED / "data/ifbench/IFBench_sample20.jsonl"
    if not path.exists():
        pytest.skip(f"needs IFBench's prompts in {path}")
    return path


@pytest.fixture
def hellaswag_data():
    path = SHARED / "data/hellaswag/hellaswag_val_reconstructed.jsonl"
    if not path.exists():
        pytest.skip(f"needs HellaSwag's validation set in {path}")
    return path
