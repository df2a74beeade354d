"""HellaSwag (Zellers et al., arXiv 1905.07830): does the policy still know what it knew?

lm-eval's own task, tokenisation and scoring, without a chat template, which would lower the scores of all models.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from autoif.config import TaskConfig
from autoif.errors import InputError, MissingExtraError
from autoif.evaluation.answers import SIDES, Progress
from autoif.evaluation.contrast import by_side, contrast, grouped, save_samples
from autoif.evaluation.jsonl import read_objects
from autoif.evaluation.log import Log, fingerprint
from autoif.evaluation.reader import Weights
from autoif.training.progress import quiet

HUB = "Rowan/hellaswag"
METRICS = ("acc", "acc_norm")
FIELDS: dict[str, Any] = {"activity_label": str, "ctx_a": str, "ctx_b": str, "endings": list, "label": str | int}
ROWS_AT_ONCE = 64  # sorted by length and batched together; what a kill can lose

Readings = dict[str, list[tuple[float, bool]]]
"""Of each row: the log-likelihood of every ending, and lm-eval's flag for greedy decoding, which nothing reads."""


class HellaSwag:
    """Raises InputError for data that cannot be had or is malformed, MissingExtraError without lm-eval."""

    name = "hellaswag"

    def __init__(self, config: TaskConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        if find_spec("lm_eval") is None:
            raise MissingExtraError("lm-eval", "eval")
        with _quiet(), redirect_stderr(StringIO()):  # lm-eval's bar over the rows cannot be switched off
            self.task = _load_task(config.data or HUB)
            self.task.build_all_requests(limit=config.limit, rank=0, world_size=1)
        self.readings: dict[str, Readings] = {}
        self.rows = grouped(self.task.instances, lambda instance: str(instance.doc_id))

    def read(self, side: str, weights: Weights, folder: Path, progress: Progress) -> None:
        self.readings[side] = self._read(weights, folder / f"answers/{self.name}.{side}.jsonl", progress)

    def score(self, folder: Path) -> dict[str, Any]:
        results = by_side(lambda side: [self._result(id, self.readings[side][id]) for id in self.rows])
        save_samples(folder / f"samples/{self.name}.jsonl", self._samples(self.readings, results))
        metrics = {
            metric: contrast({side: [row[metric] for row in results[side]] for side in SIDES}, self.seed)
            for metric in METRICS
        }
        told = {
            "metric": "acc_norm",
            **metrics["acc_norm"],
            "metrics": metrics,
            "chat_template": False,
            "scorer": f"lm-eval {version('lm-eval')}",
        }
        return {self.name: told}

    def _read(self, open_model: Weights, path: Path, progress: Progress) -> Readings:
        keys = {id: fingerprint([list(instance.args) for instance in row]) for id, row in self.rows.items()}
        log = Log(path, keys)
        missing = [id for id in self.rows if id not in log.values]
        if missing:
            reader = _reader(*open_model(), self.config.batch_size)
            with log:
                for start in range(0, len(missing), ROWS_AT_ONCE):
                    self._read_rows(reader, missing[start : start + ROWS_AT_ONCE], log)
                    progress(path.stem, len(log.values), len(self.rows))
        return {
            id: [(float(loglikelihood), bool(greedy)) for loglikelihood, greedy in log.values[id]] for id in self.rows
        }

    def _read_rows(self, reader: Any, ids: list[str], log: Log) -> None:
        with _quiet():
            readings = iter(reader.loglikelihood([i for id in ids for i in self.rows[id]], disable_tqdm=True))
        for id in ids:
            log.add(id, [list(next(readings)) for _ in self.rows[id]])

    def _result(self, id: str, readings: list[tuple[float, bool]]) -> dict[str, float]:
        result = self.task.process_results(self.rows[id][0].doc, readings)
        return {metric: float(result[metric]) for metric in METRICS}

    def _samples(
        self, readings: dict[str, Readings], results: dict[str, list[dict[str, float]]]
    ) -> Iterator[dict[str, Any]]:
        for place, (id, row) in enumerate(self.rows.items()):
            document = row[0].doc
            yield {
                "id": id,
                "query": document["query"],
                "choices": document["choices"],
                "gold": document["gold"],
                **{
                    side: {**results[side][place], "loglikelihoods": [value for value, _ in readings[side][id]]}
                    for side in SIDES
                },
            }


def _load_task(data: str) -> Any:
    """lm-eval's hellaswag.yaml, its data from a local file or the hub."""
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks.hellaswag.utils import process_docs

    try:
        return ConfigurableTask(
            config={
                "task": "hellaswag",
                **_source(data),
                "output_type": "multiple_choice",
                "validation_split": "validation",
                "process_docs": process_docs,
                "doc_to_text": "{{query}}",
                "doc_to_target": "{{label}}",
                "doc_to_choice": "choices",
                "num_fewshot": 0,
                "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in METRICS],
                "metadata": {"version": 1.0},
            }
        )
    except OSError as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise InputError(f"{data}: cannot be loaded ({reason}); give a local JSONL file as `data`.") from None


def _source(data: str) -> dict[str, Any]:
    """Where the rows come from. A local file is checked first, so that a broken line is named."""
    if not (Path(data).exists() or data.endswith((".jsonl", ".json"))):
        return {"dataset_path": data}
    if not sum(_is_row(row, where) for where, row in read_objects(Path(data))):
        raise InputError(f"{data}: holds no rows; give HellaSwag's validation set as JSONL.")
    return {"dataset_path": "json", "dataset_kwargs": {"data_files": {"validation": str(Path(data).absolute())}}}


def _is_row(row: dict[str, Any], where: str) -> bool:
    if not all(isinstance(row.get(field), kind) for field, kind in FIELDS.items()):
        raise InputError(f"{where}: expected a row of HellaSwag with {', '.join(FIELDS)}; mend or remove the line.")
    return True


def _reader(model: Any, tokenizer: Any, batch_size: int) -> Any:
    from lm_eval.models.huggingface import HFLM

    from autoif.evaluation.endings import Endings
    from autoif.training.packed import supports

    with _quiet():
        return (Endings if supports(model) else HFLM)(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without lm-eval's remarks on how it was called, and the progress bars of all that it uses."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with quiet():
            yield
    finally:
        logger.setLevel(level)
