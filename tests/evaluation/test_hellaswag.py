import json
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from autoif.config import TaskConfig
from autoif.errors import InputError
from autoif.evaluation.hellaswag import HellaSwag
from autoif.evaluation.reader import read_all
from autoif.training.load import load_policy

lm_eval = pytest.importorskip("lm_eval", reason="needs the extra `eval`")


@pytest.fixture
def rows(hellaswag_data, tmp_path):
    """The twelve shortest of the first 200: quick to read for a model whose tokens are bytes."""
    lines = sorted(islice(hellaswag_data.open(), 200), key=len)[:12]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(lines))
    return path


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def models(tiny_policy, tiny_llama):
    return {
        "policy": partial(load_policy, str(tiny_policy), "float32"),
        "reference": partial(load_policy, str(tiny_llama), "float32"),
    }


def test_the_terminal_is_ours_alone(rows, capfd):
    HellaSwag(TaskConfig(task="hellaswag", data=str(rows)), seed=0)
    assert capfd.readouterr() == ("", "")


def test_equals_lm_eval(rows, models, tmp_path):
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    task = TaskConfig(task="hellaswag", data=str(rows), limit=10, batch_size=4)
    benchmark = HellaSwag(task, seed=0)
    scores = read_all([benchmark], models, tmp_path)["hellaswag"]
    for side, open_model in models.items():
        model, tokenizer = open_model()
        whole = {"tasks": {"hellaswag": benchmark.task}, "groups": {}, "group_map": {}}
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4)
        theirs = evaluate(lm, whole, limit=10, bootstrap_iters=0)["results"]["hellaswag"]
        for metric in ("acc", "acc_norm"):
            assert scores["metrics"][metric][side] == theirs[f"{metric},none"]
    assert (scores["n"], scores["metric"], scores["policy"]) == (
        10,
        "acc_norm",
        scores["metrics"]["acc_norm"]["policy"],
    )
    samples = [json.loads(line) for line in (tmp_path / "samples/hellaswag.jsonl").open()]
    assert sum(sample["policy"]["acc_norm"] for sample in samples) / 10 == scores["policy"]
    assert all(len(sample["reference"]["loglikelihoods"]) == 4 for sample in samples)


@pytest.mark.parametrize("room", [2048, 100], ids=["together", "cut by lm-eval"])
def test_endings_read_together_are_as_likely_as_alone(rows, models, room):
    from lm_eval.models.huggingface import HFLM

    from autoif.evaluation.endings import Endings

    model, tokenizer = models["policy"]()
    instances = HellaSwag(TaskConfig(task="hellaswag", data=str(rows)), seed=0).task.instances
    alone, together = (
        [value for value, _ in kind(model, tokenizer=tokenizer, max_length=room).loglikelihood(instances)]
        for kind in (HFLM, Endings)
    )
    assert together == pytest.approx(alone, abs=1e-3)


def test_goes_on_where_it_stopped(rows, models, tmp_path, monkeypatch):
    monkeypatch.setattr("autoif.evaluation.hellaswag.ROWS_AT_ONCE", 5)
    task = TaskConfig(task="hellaswag", data=str(rows))
    told = []
    whole = read_all([HellaSwag(task, seed=0)], models, tmp_path, lambda *what: told.append(what))
    assert told[:3] == [("hellaswag.reference", done, 12) for done in (5, 10, 12)]
    log = tmp_path / "answers/hellaswag.reference.jsonl"
    complete = log.read_bytes()
    log.write_bytes(complete[: len(complete) // 2])  # killed while it wrote
    again = read_all([HellaSwag(task, seed=0)], {**models, "policy": pytest.fail}, tmp_path)
    assert again == whole
    assert log.read_bytes() == complete


def test_the_task_is_lm_evals_own(rows):
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node).rpartition(".")[2])
    folder = Path(lm_eval.__file__).parent / "tasks/hellaswag"
    stock = yaml.load((folder / "hellaswag.yaml").read_text(), Loader)
    ours = HellaSwag(TaskConfig(task="hellaswag", data=str(rows), limit=1), seed=0).task.config.to_dict()
    for key in ("output_type", "validation_split", "doc_to_text", "doc_to_target", "doc_to_choice", "metric_list"):
        assert ours[key] == stock[key]
    assert stock["process_docs"] in str(ours["process_docs"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "holds no rows"),
        ("{}\n", r"rows.jsonl:1: expected a row of HellaSwag with activity_label"),
        ("{\n", r"rows.jsonl:1: is not JSON"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, what):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        HellaSwag(TaskConfig(task="hellaswag", data=str(path)), seed=0)
    with pytest.raises(InputError, match="cannot be read"):
        HellaSwag(TaskConfig(task="hellaswag", data=str(tmp_path / "nowhere.jsonl")), seed=0)
