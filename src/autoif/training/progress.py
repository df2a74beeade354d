"""How training tells its caller how far it is, and keeps the libraries' own bars off the terminal."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Progress = Callable[[int, int, Mapping[str, float]], None]
"""Called as progress(step, steps, metrics) after every optimiser step, with the metrics of that step.

Before the first step, while the reference's log-probabilities are computed, it is called with step 0 of 0 and
`{"reference_pairs": done, "pairs": all}`.
"""


def silent(step: int, steps: int, metrics: Mapping[str, float]) -> None:
    """A Progress that tells nobody."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without the progress bars and notices of datasets, transformers and TRL; their errors still pass."""
    disabled = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"  # before the imports: tqdm reads it when it is first imported
    import datasets
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        datasets.enable_progress_bars()
        logging.enable_progress_bar()
        logging.set_verbosity(verbosity)
        os.environ.pop("TQDM_DISABLE") if disabled is None else os.environ.update(TQDM_DISABLE=disabled)
