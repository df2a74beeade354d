"""The notebook runs from top to bottom, on a model and a run in miniature."""

from pathlib import Path

import pytest

from autoif.config import EvaluateConfig

nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
pytest.importorskip("ipykernel", reason="needs ipykernel")
pytest.importorskip("torch", reason="needs the extra `train`")

NOTEBOOK = Path(__file__).parents[2] / "notebooks/policy_visualization.ipynb"
HOSTILE = "</style><script>alert(1)</script>"


def side(text, rate):
    return {"text": text, "truncated": False, "pass_rate": rate}


@pytest.fixture(scope="module")
def run(tiny_llama, tmp_path_factory):
    """A run of one model against itself, with stage 9's token pictures."""
    from functools import partial

    from autoif.evaluation.reader import read_all
    from autoif.evaluation.token_differences import TokenDifferences
    from autoif.training.load import load_policy

    run = tmp_path_factory.mktemp("runs") / "tiny"
    samples = [
        {
            "id": f"v{i}",
            "query": f"Rain? {HOSTILE}",
            "instruction": "Shout.",
            "seed": "all_uppercase",
            "reference": side(f"RAIN, {HOSTILE}", 1.0),
            "policy": side("rain, é 🙂\n", 0.0),
        }
        for i in range(2)
    ]
    open_model = partial(load_policy, str(tiny_llama), "float32")
    reader = TokenDifferences(samples, EvaluateConfig(), 0)
    read_all([reader], dict.fromkeys(("policy", "reference"), open_model), run / "09_evaluate")
    return run


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert "def " not in "".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


def test_it_runs(run, tiny_llama, tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    names = [line.partition(" = ")[0] for line in first.source.splitlines() if " = " in line]
    assert names == ["RUN", "POLICY", "REFERENCE", "PROMPT", "COMPLETION"]
    first.source += f"\nRUN, POLICY, REFERENCE = {str(run)!r}, {str(tiny_llama)!r}, {str(tiny_llama)!r}"
    folder = {"metadata": {"path": str(tmp_path)}}
    client = nbclient.NotebookClient(notebook, timeout=600, startup_timeout=300, resources=folder)
    client.execute()
    shown = [cell.outputs[-1].data["text/html"] for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    completion, pictures, moved = shown
    assert '<span class="p0" title="' in completion
    assert "THE SKY" not in completion  # one token a byte
    assert "sum +0.000 nats" in completion
    assert pictures.count("✓ follows") == pictures.count("✗ does not follow") == 2
    assert "&lt;/style&gt;&lt;script&gt;" in pictures
    assert "<script>" not in "".join(shown)
    assert "all uppercase" in moved
