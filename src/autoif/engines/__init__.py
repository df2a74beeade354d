"""Engines answer requests. Each is loaded only when a configuration names it."""

from autoif.config import EngineConfig
from autoif.engines.base import Engine, Reply, Request, Sampling, ask
from autoif.engines.inventory import available

__all__ = ["Engine", "EngineConfig", "Reply", "Request", "Sampling", "ask", "available", "load_engine"]


def load_engine(config: EngineConfig) -> Engine:
    """The engine that `config` names, ready to answer.

    Raises MissingExtraError (its library is not installed), EngineUnavailableError (no such model or server) or
    InputError (a wrong path or option).
    """
    if config.engine == "scripted":
        from autoif.engines.scripted import load_scripted

        return load_scripted(config)
    if config.engine == "openvino":
        from autoif.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(config)
    if config.engine == "transformers":
        from autoif.engines.transformers import TransformersEngine

        return TransformersEngine(config)
    if config.engine == "openai":
        from autoif.engines.openai import OpenAIEngine

        return OpenAIEngine(config)
    from autoif.engines.vllm import VllmEngine

    return VllmEngine(config)
