"""What this machine offers, found out without loading any of it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from autoif.engines.models import EMBEDDED, resolve_model
from autoif.errors import EngineUnavailableError

LIBRARIES = {
    "openvino": ("openvino_genai",),
    "transformers": ("transformers", "torch"),
    "vllm": ("vllm",),
    "openai": ("openai",),
    "scripted": (),
}


@dataclass(frozen=True, slots=True)
class Available:
    """An engine, whether it can be loaded here, and what is missing or what it runs on."""

    engine: str
    usable: bool
    note: str


def available() -> list[Available]:
    """Every engine there is, in the order of the configuration's documentation."""
    return [_engine(name, libraries) for name, libraries in LIBRARIES.items()]


def accelerators() -> list[str]:
    """The GPUs that the system reports, by name; empty on a machine with none."""
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    found = [_model(card.read_text(encoding="utf-8", errors="replace")) for card in cards]
    if not found and Path("/dev/nvidiactl").exists():
        found.append("NVIDIA GPU")
    if Path("/dev/kfd").exists():
        found.append("AMD GPU")
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append("Apple GPU (mps)")
    return found


def embedded_model() -> str | None:
    """Why the embedded model cannot be used, or None when it can."""
    try:
        resolve_model(EMBEDDED)
    except EngineUnavailableError as error:
        return str(error)
    return None


def _engine(name: str, libraries: tuple[str, ...]) -> Available:
    missing = [library for library in libraries if util.find_spec(library) is None]
    if missing:
        extra = "vllm" if name == "vllm" else "local"
        return Available(name, False, f"{', '.join(missing)} not installed: pip install 'autoif[{extra}]'")
    if name == "openai":
        key = "OPENAI_API_KEY is set" if os.environ.get("OPENAI_API_KEY") else "OPENAI_API_KEY is not set"
        return Available(name, True, f"any OpenAI-compatible server; {key}")
    if name == "scripted":
        return Available(name, True, "canned replies, for dry runs")
    return Available(name, True, f"on {', '.join(accelerators()) or 'the CPU'}" if name != "openvino" else "on the CPU")


def _model(information: str) -> str:
    names = [line.partition(":")[2].strip() for line in information.splitlines() if line.startswith("Model:")]
    return names[0] if names else "NVIDIA GPU"
