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


@pytest.fixture(scope="session")
def tiny_policy(tiny_llama, tmp_path_factory):
    """The tiny model after a training that went wild: far from its reference, so that mistakes show."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("tiny_policy")
    model = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            weights += 0.3 * torch.randn_like(weights)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_llama).save_pretrained(folder)
    return folder
