"""The Ray cluster that a run with `executor: ray` works on."""

from __future__ import annotations

import logging
import signal
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from autoif.errors import InputError, MissingExtraError

SECONDS = 10.0
"""How long the cluster's head may take to accept a connection."""


def connect(address: str | None) -> Any:
    """The `ray` module, connected to the cluster at HOST:PORT; none is RAY_ADDRESS, or else a new one of this machine.

    Raises MissingExtraError without the library, InputError when no cluster can be reached.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("ray", "ray") from None
    if ray.is_initialized():
        return ray
    if address:
        _knock(address)
    stop = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(_unreachable(address or "RAY_ADDRESS", error)) from None
    with suppress(ValueError):  # not the main thread, where Ray takes SIGTERM for itself
        signal.signal(signal.SIGTERM, stop)
    return ray


def here() -> Any:
    """The strategy that keeps a task or an actor on this machine, whose end is the end of the run anyway."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _knock(address: str) -> None:
    """Finds out at once what Ray finds out in a minute."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        if parts.hostname and parts.port:
            socket.create_connection((parts.hostname, parts.port), SECONDS).close()
    except (OSError, ValueError) as error:
        raise InputError(_unreachable(address, error)) from None


def _unreachable(address: str, error: Exception) -> str:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return (
        f"ray.address: no Ray cluster can be reached at {address} ({said}); start one with `ray start --head`, "
        "or leave ray.address out to use this machine alone."
    )
