"""What this machine offers to contain untrusted code, for `autoif doctor`."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

from autoif.sandbox.worker import Settings, Worker


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The mechanisms that a zygote could apply here, one after the other."""

    system: str
    """Operating system and processor, such as `Linux x86_64`."""
    seccomp: bool
    """Only the system calls on a list."""
    landlock: int
    """The version of Landlock's interface; 0 where there is none."""
    namespaces: tuple[str, ...]
    """user, mnt (all read-only), net, ipc, uts, pid: those of them that could be entered."""

    @property
    def contains_hostile_code(self) -> bool:
        """What strict mode asks for: seccomp; or Landlock with the namespaces that stop what it lets through."""
        return self.seccomp or (self.landlock > 0 and {"mnt", "ipc", "pid"} <= set(self.namespaces))

    def contained(self) -> dict[str, bool]:
        """Kinds of attack and whether they are contained here."""
        locked, hostile = self.seccomp or self.landlock > 0, self.contains_hostile_code
        return {
            "endless loops, memory bombs, crashes, output floods, forged neighbours' verdicts": True,
            "starting processes and threads": hostile,
            "reading files (library folders stay readable with Landlock), writing any": locked,
            "network": locked or "net" in self.namespaces,
            "signals to and tracing of other processes": hostile,
            "rare system calls, the larger attack surface of the kernel": self.seccomp,
        }


def capabilities() -> Capabilities:
    """Starts one zygote and asks what it could lock. Raises SandboxError when none can be started."""
    worker = Worker(Settings(mode="weak"), hash_seed=0)
    try:
        return describe(worker.hello())
    finally:
        worker.close()


def describe(locks: dict[str, Any]) -> Capabilities:
    """What a zygote said that it locked."""
    system = f"{platform.system()} {platform.machine()}"
    return Capabilities(system, locks["seccomp"], locks["landlock"], tuple(locks["namespaces"]))
