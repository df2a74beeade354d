"""System calls a verifier may make, per architecture, and the seccomp program that refuses all others."""

from __future__ import annotations

import struct
from collections.abc import Collection

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# name: (x86-64, AArch64); -1 where the architecture lacks it. Numbers: the kernel's syscall_64.tbl and unistd.h.
ALLOWED = {
    # Memory
    "brk": (12, 214),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    # Time and waiting
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "futex": (202, 98),
    "gettimeofday": (96, 169),
    "nanosleep": (35, 101),
    "restart_syscall": (219, 128),
    "sched_yield": (24, 124),
    "times": (100, 153),
    # Its own signal handlers, and the end
    "exit": (60, 93),
    "exit_group": (231, 94),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    # Harmless facts
    "getcwd": (79, 17),
    "getegid": (108, 177),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getrandom": (318, 278),
    "getrusage": (98, 165),
    "gettid": (186, 178),
    "getuid": (102, 174),
    "sched_getaffinity": (204, 123),
    "sysinfo": (99, 179),
    "uname": (63, 160),
}

# Only with Landlock, which limits them to the library folders: they make imports work.
READING = {
    "close": (3, 57),
    "fstat": (5, 80),
    "getdents64": (217, 61),
    "lseek": (8, 62),
    "lstat": (6, -1),
    "newfstatat": (262, 79),
    "pread64": (17, 67),
    "read": (0, 63),
    "stat": (4, -1),
    "statx": (332, 291),
}
OPENAT = (257, 56)
WRITING_FLAGS = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o20000000  # access mode, CREAT, TRUNC, APPEND, TMPFILE

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCH, THIRD_ARGUMENT = 0, 4, 32  # offsets in struct seccomp_data
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # REFUSE: the call fails with EPERM
X32 = 0x40000000  # the x32 interface on x86-64 has numbers of its own, from here


def program(machine: str, reading: bool) -> bytes:
    """The classic BPF program (array of struct sock_filter). Raises KeyError for an architecture without a table."""
    column = list(AUDIT_ARCH).index(machine)
    table = ALLOWED | READING if reading else ALLOWED
    numbers = sorted(row[column] for row in table.values() if row[column] >= 0)
    start = [(LOAD, 0, 0, ARCH), (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    x32 = [(JUMP_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    body = start + x32 + (_open_to_read(OPENAT[column]) if reading else []) + _search(numbers)
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in body)


def _open_to_read(openat: int) -> list[tuple[int, int, int, int]]:
    flags = [
        (LOAD, 0, 0, THIRD_ARGUMENT),
        (JUMP_ANY_BIT, 1, 0, WRITING_FLAGS),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    return [(JUMP_EQUAL, 0, len(flags), openat), *flags]


def _search(numbers: list[int]) -> list[tuple[int, int, int, int]]:
    """A binary search, since the kernel runs the program for every number once when it is installed."""
    if len(numbers) <= 2:
        tests = [(JUMP_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
        return [*tests, (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    middle = len(numbers) // 2
    low, high = _search(numbers[:middle]), _search(numbers[middle:])
    return [(JUMP_AT_LEAST, len(low), 0, numbers[middle]), *low, *high]


def names(reading: bool) -> Collection[str]:
    """The allowed calls, for the documentation and the tests."""
    return {*ALLOWED, *READING, "openat"} if reading else set(ALLOWED)
