"""The card of a published data set. What comes from the run stands in it as code, so nothing in it is Markdown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from autoif import __version__
from autoif.config import Config
from autoif.engines.models import EMBEDDED, public_name
from autoif.errors import AutoIFError
from autoif.markdown import block, code
from autoif.report.words import MEANINGS
from autoif.rundir import RunDirectory
from autoif.training.checkpoint import base_licence, hub_licence

OWN_LICENCE = "apache-2.0"
"""Of this package: its built-in queries, its seeds with their verifiers and test cases."""

SETTINGS = ("instructions", "verifiers", "crosscheck", "completions", "scores", "pairs")
"""The sections of the configuration that say how the data was made."""

SIZES = ((1e3, "n<1K"), (1e4, "1K<n<10K"), (1e5, "10K<n<100K"), (1e6, "100K<n<1M"), (1e7, "1M<n<10M"))
"""The hub's size categories."""

BANDS = ((1.0, "1"), (0.95, "0.95 and more"), (0.9, "0.90 to 0.95"), (0.75, "0.75 to 0.90"), (0.0, "less than 0.75"))


class Safe(str):
    """Markdown of our own, which the template writes as it is."""


@dataclass(slots=True)
class Contents:
    """What a data set holds, counted while its shards are written."""

    pairs: int = 0
    verified: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Verified instructions by split and origin."""
    pair_confidence: Counter[str] = field(default_factory=Counter)
    verified_confidence: Counter[str] = field(default_factory=Counter)

    @property
    def splits(self) -> list[str]:
        return list(dict.fromkeys(split for split, _ in self.verified))

    @property
    def origins(self) -> set[str]:
        """Who wrote the instructions: `seed`, `model` or both."""
        return {origin for _, origin in self.verified}


def band(confidence: float) -> str:
    """The row of the card's table in which a confidence is counted."""
    return next((name for least, name in BANDS if confidence >= least), BANDS[-1][1])


def dataset_card(run: RunDirectory, config: Config, contents: Contents, repo: str, mark: str) -> str:
    """README.md of the data set `repo`; `mark` tells this run from others."""
    parts = _parts(config, contents.origins)
    return _template().render(
        head=Safe(yaml.safe_dump(_head(config, contents, parts, repo, mark), sort_keys=False)),
        repo=Safe(repo),
        version=Safe(__version__),
        created=run.saved().get("created", "an unknown time"),
        contents=contents,
        bands=[name for _, name in BANDS],
        parts=parts,
        funnel=list(_funnel(run)),
        meanings=[(reason, MEANINGS[f"{stage}/{reason}"]) for stage, reason in _reasons(run)],
        contamination=_contamination(run),
        crosscheck=config.crosscheck,
        pairing=config.pairs,
        settings=Safe(block(yaml.safe_dump(_settings(config), sort_keys=False), "yaml")),
        loading=Safe(_loading(repo)),
    )


def _head(
    config: Config, contents: Contents, parts: list[tuple[str, str, str]], repo: str, mark: str
) -> Mapping[str, Any]:
    licences = {licence for _, _, licence in parts}
    language = config.queries.language or ""
    return {
        "pretty_name": repo.partition("/")[2],
        "license": hub_licence(licences.pop() if len(licences) == 1 else None),
        **({"language": [language]} if re.fullmatch("[a-z]{2}", language) else {}),
        "task_categories": ["text-generation"],
        "size_categories": [next((name for least, name in SIZES if contents.pairs < least), "n>10M")],
        "tags": ["autoif", "preference", "dpo", "instruction-following", "synthetic"],
        "configs": [
            {"config_name": "default", "data_files": [_files("pairs", "train")], "default": True},
            {
                "config_name": "verified_instructions",
                "data_files": [_files("verified_instructions", split) for split in contents.splits],
            },
        ],
        "autoif_run": mark,
    }


def _files(folder: str, split: str) -> dict[str, str]:
    return {"split": split, "path": f"{folder}/{split}-*.parquet"}


def _parts(config: Config, origins: set[str]) -> list[tuple[str, str, str]]:
    """(what, its name, its licence) of everything that the data is made from."""
    source = config.queries.source
    parts = [
        ("Queries", "built in", OWN_LICENCE) if source == "builtin" else ("Queries", public_name(source), "unknown")
    ]
    if "seed" in origins:
        parts.append(("Seeds, with their verifiers and test cases", "built in", OWN_LICENCE))
    models = [("Writer", config.writer.model)] if "model" in origins else []
    models.append(("Policy", config.policy.model))
    return parts + [(role, public_name(model), _licence(model) or "unknown") for role, model in models]


def _licence(model: str) -> str | None:
    """The licence of a model that lies here; the network is not asked."""
    if model != EMBEDDED and not Path(model).exists():
        return None
    try:
        return base_licence(model)
    except (AutoIFError, ImportError):  # the embedded model, or the library that reads it, is not installed
        return None


def _settings(config: Config) -> dict[str, Any]:
    """How the data was made, without engines' options, addresses and paths."""
    said: dict[str, Any] = {"seed": config.seed, "queries": config.queries.model_dump(mode="json")}
    for role, engine in (("writer", config.writer), ("policy", config.policy)):
        said[role] = {"engine": engine.engine, "model": public_name(engine.model), "dtype": engine.dtype}
    said |= {section: getattr(config, section).model_dump(mode="json") for section in SETTINGS}
    said["queries"]["source"] = public_name(config.queries.source)
    said["crosscheck"]["nli_model"] = public_name(config.crosscheck.nli_model)
    said["pairs"]["contamination"] = [public_name(path) for path in config.pairs.contamination]
    return said


def _funnel(run: RunDirectory) -> Iterator[tuple[str, int, int, list[tuple[str, int]]]]:
    """(stage, in, kept, dropped by reason)."""
    for stage in run.stages():
        stats = stage.stats()
        yield stage.folder.name.partition("_")[2], stats["in"], stats["kept"], list(stats["dropped"].items())


def _reasons(run: RunDirectory) -> Iterator[tuple[str, str]]:
    for stage, _, _, dropped in _funnel(run):
        yield from ((stage, reason) for reason, _ in dropped if f"{stage}/{reason}" in MEANINGS)


def _contamination(run: RunDirectory) -> list[dict[str, Any]]:
    """What stage 7 found for each benchmark; nothing when it was not asked to look."""
    path = run.folder("pairs") / "contamination.json"
    table = json.loads(path.read_text(encoding="utf-8"))["benchmarks"] if path.exists() else []
    return [{**row, "benchmark": public_name(row["benchmark"])} for row in table]


def _loading(repo: str) -> str:
    return block(
        f"""from datasets import load_dataset

pairs = load_dataset("{repo}", split="train")  # TRL's DPOTrainer takes it as it is
verified = load_dataset("{repo}", "verified_instructions", split="train")""",
        "python",
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("autoif.push", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.filters["ours"] = Safe
    return environment.get_template("dataset_card.md.j2")


def _shown(value: Any) -> str:
    """What {{ }} writes: numbers and our own Markdown as they are, everything else as code."""
    if isinstance(value, Safe):
        return value
    return f"{value:,}" if isinstance(value, int) else code(value)
