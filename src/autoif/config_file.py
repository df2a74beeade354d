"""From a YAML file and `--set` overrides to a configuration, and from what is wrong with them to one sentence."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from autoif.config import Config, Section
from autoif.errors import InputError


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Reads a YAML file and applies `a.b=c` overrides. Raises InputError with the place of what is wrong."""
    raw = _read_yaml(path)
    for override in overrides:
        _override(raw, override)
    config = parse_config(raw, str(path))
    return config if config.run else config.model_copy(update={"run": f"runs/{path.stem}"})


def parse_config(raw: dict[str, Any], where: str) -> Config:
    """Validates a mapping. Raises InputError that names the key, what was expected, and the nearest known key."""
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{where}: " + "; ".join(_explain(dict(e)) for e in error.errors()) + ".") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the path of a YAML config.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; give the path of a YAML config.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: an impossible date
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
        raise InputError(f"{path}{line}: is not valid YAML ({problem}).") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected `key: value` lines at the top level, found a {type(raw).__name__}.")
    return raw


def _override(raw: dict[str, Any], override: str) -> None:
    keys, sep, value = override.partition("=")
    if not sep or not keys:
        raise InputError(f"--set {override}: expected key=value, such as completions.per_instruction=16.")
    *parents, last = keys.strip().split(".")
    for key in parents:
        raw = raw.setdefault(key, {})
        if not isinstance(raw, dict):
            raise InputError(f"--set {override}: {key} is a value, not a section.")
    try:
        raw[last] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InputError(f"--set {override}: {value!r} is not a YAML value.") from None


def _explain(error: dict[str, Any]) -> str:
    """One clause for one of pydantic's errors."""
    *parents, key = [str(part) for part in error["loc"]] or ["the config"]
    place = ".".join([*parents, key])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, _known_keys(parents), 1, cutoff=0)
        return f"unknown key {place}; the nearest known key is {'.'.join([*parents, *near])}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]} (found {error['input']!r:.80})"


def _known_keys(parents: list[str]) -> list[str]:
    section: Any = Config
    for parent in parents:
        field = section.model_fields.get(parent)
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())] if field else []
        section = next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)
        if section is None:
            return []
    return list(section.model_fields)
