"""Sends parcels to the Hugging Face hub: one commit for each repository, so that none ever holds half a push."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import Any

from autoif.errors import AutoIFError, InputError, MissingExtraError
from autoif.push.parcel import Parcel

INITIAL = {".gitattributes"}
"""What a repository that was just created holds."""


def check_repo(repo: str) -> None:
    """Raises InputError unless `repo` and `repo`-policy are ORG/NAME as the hub allows them, MissingExtraError."""
    try:
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
    except ImportError:
        raise MissingExtraError("huggingface-hub", "hub") from None
    try:
        validate_repo_id(f"{repo}-policy")
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"--to {repo}: {_said(error)}") from None
    if "/" not in repo:
        raise InputError(f"--to {repo}: expected ORG/NAME, the name of a data set and whose it is.")


def upload(parcels: Sequence[Parcel], public: bool, progress: bool) -> Iterator[tuple[Parcel, str, bool]]:
    """Sends each parcel; yields it with its address and whether the repository is private.

    Nothing is sent before every repository has been looked at. Sending again goes on where it broke off, and changes
    nothing when all is there. Raises InputError for a missing or refused token and for a repository with other content,
    AutoIFError when the upload breaks off.
    """
    api = _api(progress)
    stale = [_look(api, parcel, public) for parcel in parcels]
    for parcel, gone in zip(parcels, stale, strict=True):
        with _sending(parcel.repo):
            api.create_repo(parcel.repo, repo_type=parcel.kind, private=not public, exist_ok=True)
            api.create_commit(
                parcel.repo, _operations(parcel, gone), repo_type=parcel.kind, commit_message="Pushed by autoif"
            )
            private = bool(api.repo_info(parcel.repo, repo_type=parcel.kind).private)
        yield parcel, f"{api.endpoint}/{'datasets/' if parcel.kind == 'dataset' else ''}{parcel.repo}", private


def _api(progress: bool) -> Any:
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    if get_token() is None:
        raise InputError("There is no Hugging Face token: run `hf auth login`, or set HF_TOKEN.")
    if not progress:
        disable_progress_bars()
    return HfApi(library_name="autoif")


def _look(api: Any, parcel: Parcel, public: bool) -> list[str]:
    """The files of an earlier push of this run that are to go. Raises InputError when it may not be written."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with _asking(parcel.repo, api.endpoint):
        try:
            info = api.repo_info(parcel.repo, repo_type=parcel.kind)
        except RepositoryNotFoundError:
            return []
    files = {file.rfilename for file in info.siblings or ()}
    if files - INITIAL and (info.card_data or {}).get("autoif_run") != parcel.run:
        raise InputError(f"{parcel.repo}: this repository holds something else than this run; choose another --to.")
    if not info.private and not public:
        raise InputError(f"{parcel.repo}: this repository is public; say --public, or choose another --to.")
    return [name for name in files - parcel.files.keys() if any(fnmatch(name, owned) for owned in parcel.owned)]


def _operations(parcel: Parcel, stale: Sequence[str]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    added = [CommitOperationAdd(name, path) for name, path in parcel.files.items()]
    return [*added, *(CommitOperationDelete(name) for name in stale)]


@contextmanager
def _asking(repo: str, endpoint: str) -> Iterator[None]:
    """Errors of the first question are the user's to mend: a token, a name, the network."""
    try:
        yield
    except Exception as error:  # the library passes on whatever its network layer raises
        raise _refused(repo, error) or InputError(
            f"{endpoint}: the hub cannot be reached ({_said(error)}); check the network and HF_ENDPOINT."
        ) from None


@contextmanager
def _sending(repo: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # as above
        raise _refused(repo, error) or AutoIFError(
            f"{repo}: the upload broke off ({_said(error)}); run the same command again to go on."
        ) from None


def _refused(repo: str, error: Exception) -> InputError | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return InputError(
            "The hub does not accept this Hugging Face token: run `hf auth login`, or set another HF_TOKEN."
        )
    if status == 403:
        return InputError(f"{repo}: this Hugging Face token may not write there; use one with write access.")
    return None


def _said(error: Exception) -> str:
    """On one line: the hub's reasons often begin with the second."""
    return " ".join((str(error).strip() or type(error).__name__).split())[:300]
