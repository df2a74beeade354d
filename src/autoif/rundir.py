"""A run directory as a whole: which folder holds what, and the configuration it was made with."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autoif.config import Config
from autoif.errors import InputError
from autoif.records import (
    Candidates,
    Completion,
    Instruction,
    PreferencePair,
    Query,
    Record,
    ScoredCompletion,
    VerifiedInstruction,
)
from autoif.store import Stage, write_atomically

RECORDS: dict[str, type[Record]] = {
    "queries": Query,
    "instructions": Instruction,
    "verifiers": Candidates,
    "crosscheck": VerifiedInstruction,
    "completions": Completion,
    "scores": ScoredCompletion,
    "pairs": PreferencePair,
}
"""The stages that make records, in order."""

NAMES = (*RECORDS, "train", "evaluate")

SECTIONS: dict[str, tuple[str, ...]] = {
    "queries": ("seed", "queries"),
    "instructions": ("instructions", "writer"),
    "verifiers": ("verifiers", "writer", "crosscheck.method"),
    "crosscheck": ("crosscheck",),
    "completions": ("completions", "policy"),
    "scores": ("scores",),
    "pairs": ("pairs",),
    "train": ("train",),
    "evaluate": ("evaluate",),
}
"""What of the configuration each stage depends on: sections, or single keys of one."""

HARMLESS = {"concurrency", "timeout_seconds", "retries", "outage_minutes", "base_url", "api_key_env", "device"}
"""Engine settings that do not change what is asked, so a resumed run may change them."""

LIBRARIES = ("autoif", "torch", "transformers", "trl", "peft", "openvino-genai", "vllm", "lm-eval", "pydantic")


class RunDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def folder(self, name: str) -> Path:
        return self.path / f"{NAMES.index(name) + 1:02d}_{name}"

    def stage(self, name: str) -> Stage[Any]:
        return Stage(self.folder(name), RECORDS[name])

    def finished(self, name: str) -> Stage[Any]:
        """The stage, to read from. Raises InputError when it is not done."""
        stage = self.stage(name)
        if not stage.done:
            raise InputError(f"{stage.folder}: this stage is not finished; run `autoif {name} CONFIG` first.")
        return stage

    def stages(self) -> Iterator[Stage[Any]]:
        """The record stages that have begun, in order."""
        yield from (self.stage(name) for name in RECORDS if self.folder(name).exists())

    def round(self, number: int) -> RunDirectory:
        """Where a round after the first is: a run directory inside this one, with whose stages 1 to 4 it begins."""
        folder = self.path / f"round_{number}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES[:4]:
            link = folder / self.folder(name).name
            if not link.is_symlink():
                link.symlink_to(Path("..") / link.name, target_is_directory=True)
        return RunDirectory(folder)

    @property
    def is_round(self) -> bool:
        """Whether it is a later round, inside the directory of its run."""
        return RunDirectory(self.path.parent).config_path.exists()

    def rounds(self) -> list[RunDirectory]:
        """This directory, which is the first round, and the rounds after it."""
        numbers = sorted(int(folder.name[6:]) for folder in self.path.glob("round_*") if folder.name[6:].isdecimal())
        return [self, *(RunDirectory(self.path / f"round_{number}") for number in numbers)]

    def begin_with(self, other: RunDirectory, config: Config, allowed: Collection[str] = ()) -> tuple[list[str], str]:
        """Links the finished stages of another run that `config` would make alike, up to the first that it would not.

        Returns their names, and why it stopped there ("" when it did not). Raises InputError when `other` is no run.
        """
        theirs = _filled(other.saved()["config"])
        linked: list[str] = []
        for name in NAMES:
            here, there = self.folder(name), other.folder(name)
            if here.exists() and not here.is_symlink():
                return linked, f"{here} is there already"
            if not (there / "done").exists():
                return linked, f"{there} is not finished"
            for key, before, now in changes(SECTIONS[name], theirs, config, allowed):
                return linked, f"{key} is {before!r} there and {now!r} here"
            if not here.is_symlink():
                here.symlink_to(there.absolute(), target_is_directory=True)
            linked.append(name)
        return linked, ""

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def report_path(self) -> Path:
        return self.path / "report.html"

    def saved(self) -> dict[str, Any]:
        """config.json. Raises InputError when this is not a run directory."""
        try:
            return dict(json.loads(self.config_path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise InputError(f"{self.path}: not a run directory (no readable config.json in it).") from None

    def read_config(self) -> Config:
        """The configuration that it was made with. Raises InputError when this version cannot read it."""
        try:
            return Config.model_validate(self.saved()["config"])
        except (KeyError, ValidationError):
            raise InputError(
                f"{self.config_path}: made by a version of autoif with other keys; use that version."
            ) from None

    def claim(self, config: Config, allowed: Collection[str] = ()) -> list[str]:
        """Writes config.json, after making sure that no stage already begun was made with other settings.

        Returns what was upgraded since the process before, such as "torch 2.12.0 to 2.13.0"; its versions stay in
        `earlier`. Raises InputError with the key that has changed, unless it or its section is in `allowed`.
        """
        made: dict[str, Any] = {"versions": versions(), "git_commit": _git_commit()}
        content = {
            "config": config.model_dump(mode="json"),
            **made,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "earlier": [],
        }
        upgrades: list[str] = []
        if self.config_path.exists():
            saved = self.saved()
            self._refuse_changes(_filled(saved["config"]), config, allowed)
            before = {key: saved[key] for key in made}
            content["created"] = saved["created"]
            content["earlier"] = saved.get("earlier", []) + ([before] if before != made else [])
            upgrades = list(_upgrades(saved["versions"], made["versions"]))
        write_atomically(self.config_path, json.dumps(content, indent=1) + "\n")
        return upgrades

    def _refuse_changes(self, saved: dict[str, Any], config: Config, allowed: Collection[str]) -> None:
        for name in NAMES:
            begun = self.folder(name)
            if not begun.exists() or (name == "evaluate" and not (begun / "done").exists()):
                continue  # stage 9 keeps every answer with its question: what is asked otherwise is asked again
            for key, before, after in changes(SECTIONS[name], saved, config, allowed):
                raise InputError(
                    f"{key}: was {before!r} when {begun} began and is now {after!r}; put it back, delete {begun} "
                    f"and the folders after it to make them again, choose another --run, or say --allow {key}."
                )


def changes(
    sections: Iterable[str], saved: dict[str, Any], config: Config, allowed: Collection[str] = ()
) -> Iterator[tuple[str, Any, Any]]:
    """(key, before, now) of what is not as a saved configuration has it and not `allowed` to differ."""
    now = config.model_dump(mode="json")
    for section in sections:
        for key, before, after in _differences(section, _at(saved, section), _at(now, section)):
            if not any(f"{key}.".startswith(f"{one}.") for one in allowed):
                yield key, before, after


def _filled(saved: dict[str, Any]) -> dict[str, Any]:
    """A saved configuration with the defaults of keys that its version did not have yet."""
    try:
        return Config.model_validate(saved).model_dump(mode="json")
    except ValidationError:  # it has keys that this version has no more
        return saved


def _upgrades(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for name in LIBRARIES:
        if before.get(name) != now.get(name):
            yield f"{name} {before.get(name, 'not installed')} to {now.get(name, 'not installed')}"


def _at(config: dict[str, Any], path: str) -> Any:
    """The value at a path such as crosscheck.method; None where a config of another version has none."""
    value: Any = config
    for name in path.split("."):
        value = (value or {}).get(name)
    return value


def _differences(key: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in after:
            if name not in HARMLESS:
                yield from _differences(f"{key}.{name}", before.get(name), after[name])
    elif before != after:
        yield key, before, after


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """The commit of the checkout this package runs from, or None when it was installed from a wheel."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
