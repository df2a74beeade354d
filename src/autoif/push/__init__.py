"""Publishes a run on the Hugging Face hub: its pairs and verified instructions as a data set, its policy as a model.

`build` makes the files that are sent, `card` and `rows` say what is in them, `upload` sends them.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from autoif.progress import meter, rewritable
from autoif.push.build import build
from autoif.push.parcel import Parcel
from autoif.push.upload import check_repo, upload
from autoif.rundir import RunDirectory
from autoif.store import locked


def push(run: RunDirectory, repo: str, public: bool, dry_run: bool, console: Console) -> None:
    """Sends a run to the data set `repo` and, when a policy was trained, to the model `repo`-policy.

    With `dry_run` nothing leaves this machine, and what would is shown. Raises InputError and AutoIFError.
    """
    check_repo(repo)
    run.saved()
    run.finished("pairs")
    with locked(run.path / "push"):
        with meter(console, "push", None) as shown:
            parcels = build(run, repo, shown)
        if dry_run:
            _show(parcels, public, console)
            return
        for parcel, address, private in upload(parcels, public, rewritable(console)):
            seen = "private" if private else "public"
            _print(console, f"{address} ({seen}): {len(parcel.files)} files, {parcel.size:,} bytes")


def _show(parcels: list[Parcel], public: bool, console: Console) -> None:
    for parcel in parcels:
        named = "data set" if parcel.kind == "dataset" else parcel.kind
        _print(
            console, f"{named} {parcel.repo} ({'public' if public else 'private'} if it is new), {parcel.size:,} bytes"
        )
        for line in _lines(parcel):
            _print(console, f"  {line}")
        _print(console, f"\n{parcel.card}")
    _print(console, "Nothing was sent. Leave out --dry-run to send it.")


def _lines(parcel: Parcel) -> Iterator[str]:
    for name, path in sorted(parcel.files.items()):
        yield f"{path.stat().st_size:>15,}  {name}  ({path})"


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True, emoji=False)
