"""Locks: what Linux offers to keep a process from touching the rest of the machine.

Every function here applies one mechanism to the calling process and raises OSError when the kernel refuses.
Sources: seccomp(2), landlock(7), namespaces(7), capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Collection
from contextlib import suppress

from . import syscalls

try:  # PyDLL keeps the interpreter's lock, so that fork is safe and each call is short
    libc = ctypes.PyDLL(None, use_errno=True)
except (OSError, TypeError):  # pragma: no cover
    libc = None  # type: ignore[assignment]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
PR_CAP_AMBIENT, CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_GET_ACTION_AVAIL, SECCOMP_MODE_FILTER = 2, 2
SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION_3 = 0x20080522
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_READ_FILE, LANDLOCK_READ_DIR = 1 << 2, 1 << 3
# Rights known to each version of Landlock's interface: files (first 13, then refer, truncate, ioctl), network, scopes.
LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
MOUNT_SETATTR, MOUNT_ATTR_RDONLY, MS_PRIVATE, AT_FDCWD, AT_RECURSIVE = 442, 1, 1 << 18, -100, 0x8000
NOBODY = 65534
NAMESPACES = {
    "user": 0x10000000,
    "mnt": 0x00020000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "pid": 0x20000000,
}


def call(name: str, *arguments: object) -> int:
    """A function of the C library; OSError when it returns -1."""
    result = int(getattr(libc, name)(*arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(*arguments: object) -> int:
    return call("syscall", *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))


def prctl(option: int, *arguments: object) -> None:
    values = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    call("prctl", option, *values, *[ctypes.c_ulong(0)] * (4 - len(values)))


def has_seccomp() -> bool:
    """Whether this kernel can filter system calls and this package has a table for the processor."""
    machine = platform.machine()
    if machine not in syscalls.AUDIT_ARCH or not hasattr(libc, "prctl"):
        return False
    try:
        syscall(
            SYS_SECCOMP[machine],
            SECCOMP_GET_ACTION_AVAIL,
            0,
            ctypes.byref(ctypes.c_uint32(syscalls.REFUSE & 0xFFFF0000)),
        )
    except OSError:
        return False
    return True


def landlock_version() -> int:
    """The version of Landlock's interface, 0 where there is none."""
    if platform.system() != "Linux":
        return 0
    try:
        return syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)
    except OSError:
        return 0


def enter_namespaces(without: Collection[str]) -> list[str]:
    """Leaves the shared network, processes, shared memory … behind; returns the names of those that were allowed."""
    entered = []
    for name in NAMESPACES:
        try:
            if name not in without:
                call("unshare", NAMESPACES[name])
                if name == "mnt":
                    mount_read_only()
                entered.append(name)
        except (OSError, AttributeError):
            pass
    return entered


def mount_read_only() -> None:
    """Every file system, in this mount namespace alone."""
    attributes = struct.pack("<QQQQ", MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, 0)
    syscall(MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, len(attributes))


def restrict_files(readable: Collection[str], version: int) -> None:
    """Landlock: read below the given folders, nothing else; no TCP, no signal or abstract socket to the outside."""
    files = (1 << LANDLOCK_FILE_RIGHTS.get(version, 16)) - 1
    attributes = struct.pack("<QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = syscall(LANDLOCK_CREATE_RULESET, attributes, size, 0)
    for folder in readable:
        handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("<Qi", LANDLOCK_READ_FILE | LANDLOCK_READ_DIR, handle)
        syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0)
        os.close(handle)
    syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def become_nobody() -> None:
    """Root without seccomp: only for an ordinary user does the limit of processes hold."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def drop_capabilities() -> None:
    """No capability in any set, now and for good."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # not allowed (an ordinary user), or past the last one
    with suppress(OSError):  # kernels before 4.3 have no such set
        prctl(PR_CAP_AMBIENT, CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("<Ii", CAPABILITY_VERSION_3, 0)
    syscall(SYS_CAPSET[platform.machine()], header, bytes(24))


def forbid_privileges() -> None:
    """No gain of privileges by execve (which seccomp and Landlock require), no core dump, no tracing from outside."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(name: str, value: int) -> None:
    """Lowers a resource limit, such as `AS`; limits that this system lacks or forbids are left alone."""
    number = getattr(resource, f"RLIMIT_{name}", None)
    if number is not None:
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with suppress(OSError, ValueError):  # macOS refuses some
            resource.setrlimit(number, (value, value))


class Filter:
    """A seccomp filter, assembled once; installing it is one system call."""

    def __init__(self, reading: bool, watching: bool = False) -> None:
        allowed = syscalls.calls(reading, watching).values()
        code = syscalls.program(platform.machine(), allowed, reading)
        self._code = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))
        zero = ctypes.c_ulong(0)
        self._arguments = (PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.c_char_p(program), zero, zero)
        self._prctl = libc.prctl

    def install(self) -> None:
        if self._prctl(*self._arguments):
            raise OSError(ctypes.get_errno(), "seccomp refused the filter")
