"""Rows of a Hugging Face data set, streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoif.config import QueriesConfig
from autoif.errors import AutoIFError, InputError, MissingExtraError
from autoif.sources.conversations import first_line

SHUFFLE_BUFFER = 10_000
"""Rows held in memory to draw from when a streamed data set is shuffled."""


def hub_rows(config: QueriesConfig, seed: int) -> Iterator[tuple[int, Any]]:
    """Numbered rows in the order in which they are read.

    Raises MissingExtraError without the `datasets` library, InputError when the data set cannot be opened, and
    AutoIFError when it breaks off.
    """
    rows = _open(config)
    if config.shuffle:
        rows = rows.shuffle(seed=seed, buffer_size=SHUFFLE_BUFFER)
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            yield number, row
    except Exception as error:  # the library passes on whatever its network and file layers raise
        raise AutoIFError(
            f"{config.source}: broke off after row {number} ({first_line(error)}); run again to go on."
        ) from None


def _open(config: QueriesConfig) -> Any:
    try:
        from datasets import load_dataset
    except ImportError:
        raise MissingExtraError("datasets", "hub") from None
    options: dict[str, Any] = {"split": config.split, "streaming": True}
    try:
        try:
            return load_dataset(config.source, config.subset, **options)
        except ValueError as error:
            if config.subset is None or "BuilderConfig" not in str(error):
                raise
            return load_dataset(config.source, data_dir=config.subset, **options)
    except Exception as error:  # as above
        raise InputError(
            f"queries.source: the data set {config.source!r} cannot be opened ({first_line(error)}); check its id, "
            "queries.subset, queries.split and the network, or give a local file or folder."
        ) from None
