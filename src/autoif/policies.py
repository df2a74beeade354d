"""Which engine runs the policy before and after training: the same at the same precision, or nothing compares."""

from __future__ import annotations

import os
from pathlib import Path

from autoif.config import Config, EngineConfig
from autoif.engines.models import resolve_model
from autoif.training import reference_gguf, write_gguf

TUNED_GGUF = "policy.gguf"


def cache_folder() -> Path:
    """Where converted models are kept: $XDG_CACHE_HOME/autoif, or ~/.cache/autoif."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autoif"


def reference_engine(config: Config) -> EngineConfig:
    """The untrained policy, with the very weights that training starts from.

    A quantised GGUF file is first written out at F16, because training dequantises it: the policy that answers is then
    the policy that learns. Raises InputError or EngineUnavailableError when there is no such model.
    """
    base = _gguf(config.policy)
    if base is None:
        return config.policy
    return config.policy.model_copy(update={"model": str(reference_gguf(base, cache_folder()))})


def tuned_engine(config: Config, folder: Path) -> EngineConfig:
    """The policy that was trained into `folder`, run as the reference was."""
    base = _gguf(config.policy)
    if base is None:
        return config.policy.model_copy(update={"model": str(folder / "checkpoint")})
    tuned = folder / TUNED_GGUF
    if not tuned.exists():
        write_gguf(folder / "checkpoint", base, tuned)
    return config.policy.model_copy(update={"model": str(tuned)})


def evaluation_engines(config: Config, folder: Path) -> dict[str, EngineConfig]:
    """The engines that answer for `reference` and `policy`. A server loads no new weights: transformers runs both."""
    if config.policy.engine == "openai":
        local = {"engine": "transformers", "model": config.train.model or config.policy.model, "concurrency": 16}
        config = config.model_copy(update={"policy": config.policy.model_copy(update=local)})
    return {"reference": reference_engine(config), "policy": tuned_engine(config, folder)}


def evaluation_weights(config: Config, folder: Path) -> dict[str, str]:
    """The models whose probabilities are read for `reference` and `policy`, as transformers loads them."""
    return {"reference": config.train.model or config.policy.model, "policy": str(folder / "checkpoint")}


def _gguf(policy: EngineConfig) -> Path | None:
    """The GGUF file that the openvino engine would read, if it is one."""
    if policy.engine != "openvino":
        return None
    model = resolve_model(policy.model)
    return model if isinstance(model, Path) and model.suffix == ".gguf" else None
