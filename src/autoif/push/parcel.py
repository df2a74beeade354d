"""What is sent to one repository of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Parcel:
    repo: str
    """ORG/NAME."""
    kind: Literal["dataset", "model"]
    run: str
    """Whose data it is; its card says so too, so that another run's repository is not written over."""
    files: dict[str, Path]
    """Path in the repository to the file here. README.md is the card."""
    owned: tuple[str, ...]
    """Patterns of files that belong to a parcel of this kind: those of an earlier push that are not in this one go."""

    @property
    def card(self) -> str:
        return self.files["README.md"].read_text(encoding="utf-8")

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(path.stat().st_size for path in self.files.values())
