"""What this machine offers to contain untrusted code, for `autoif doctor`."""

from __future__ import annotations

import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The mechanisms that a zygote could apply here."""

    system: str
    """Operating system and processor, such as `Linux x86_64`."""
    seccomp: bool
    landlock: int
    """Version of the interface; 0 where there is none."""
    namespaces: tuple[str, ...]

    @property
    def strict(self) -> bool:
        """Whether hostile code is contained here: seccomp or Landlock is there."""
        return self.seccomp or self.landlock > 0


def capabilities() -> Capabilities:
    """Starts one zygote and asks what it could lock. Raises SandboxError when none can be started."""
    from autoif.sandbox.worker import Settings, Worker

    worker = Worker(Settings(mode="weak"), hash_seed=0)
    try:
        locks = worker.hello()
    finally:
        worker.close()
    return describe(locks)


def describe(locks: dict[str, object]) -> Capabilities:
    namespaces = locks["namespaces"]
    assert isinstance(namespaces, list)
    system = f"{platform.system()} {platform.machine()}"
    return Capabilities(system, bool(locks["seccomp"]), int(str(locks["landlock"])), tuple(namespaces))
