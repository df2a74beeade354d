"""NLTK's data packages, looked for before anything starts: without them the scorers fail, or download, half-way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from autoif.errors import InputError, MissingExtraError


def require(resources: Iterable[str], task: str) -> None:
    """Raises InputError that says what to do when NLTK lacks one of these, such as tokenizers/punkt_tab."""
    try:
        import nltk
    except ImportError:
        raise MissingExtraError("nltk", "eval") from None
    missing = [path for path in resources if not _found(nltk, path)]
    if missing:
        names = " ".join(path.rpartition("/")[2] for path in missing)
        raise InputError(
            f"{task} needs the NLTK data {', '.join(missing)}: run `python -m nltk.downloader {names}`, "
            "or set NLTK_DATA to a folder that has it."
        )


def _found(nltk: object, path: str) -> bool:
    try:
        nltk.data.find(path)  # type: ignore[attr-defined]
    except LookupError:
        return False
    return True


@contextmanager
def no_downloads() -> Iterator[None]:
    """The scorers fetch data when they are imported, also what they do not use; here they do not."""
    with patch("nltk.download", return_value=False):
        yield
