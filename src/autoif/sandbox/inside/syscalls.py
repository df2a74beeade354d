"""System calls a verifier may make, per architecture, and the seccomp programs that refuse all others."""

from __future__ import annotations

import struct
from collections.abc import Iterable

Call = tuple[int, int]  # numbers on x86-64 and AArch64; -1 where the architecture lacks it
Instruction = tuple[int, int, int, int]  # struct sock_filter: code, jump if true, jump if false, k

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# Numbers: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
COMPUTING: dict[str, Call] = {
    # memory
    "brk": (12, 214),
    "madvise": (28, 233),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "mremap": (25, 216),
    "munmap": (11, 215),
    # time and waiting
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "futex": (202, 98),
    "gettimeofday": (96, 169),
    "nanosleep": (35, 101),
    "restart_syscall": (219, 128),
    "sched_yield": (24, 124),
    "times": (100, 153),
    # its own signal handlers, and the end
    "exit": (60, 93),
    "exit_group": (231, 94),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    # harmless facts
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

# Only with Landlock, which keeps them to the library folders: they make imports work.
READING: dict[str, Call] = {
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

# What the zygote needs beyond these: to fork, watch and end its children, and to talk to the parent.
WATCHING: dict[str, Call] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "close": (3, 57),
    "close_range": (436, 436),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "kill": (62, 129),
    "pipe2": (293, 59),
    "poll": (7, -1),
    "ppoll": (271, 73),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "read": (0, 63),
    "rseq": (334, 293),
    "set_robust_list": (273, 99),
    "wait4": (61, 260),
    "write": (1, 64),
}

OPENAT: Call = (257, 56)
WRITING_FLAGS = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o20000000  # access mode, CREAT, TRUNC, APPEND, TMPFILE

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCH, THIRD_ARGUMENT = 0, 4, 32  # offsets in struct seccomp_data
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # REFUSE: the call fails with EPERM
X32 = 0x40000000  # the numbers of x86-64's second interface, x32, begin here


def calls(reading: bool, watching: bool = False) -> dict[str, Call]:
    """The calls allowed to a child, or with `watching` to the zygote (openat, limited by its flags, comes on top)."""
    return COMPUTING | (READING if reading else {}) | (WATCHING if watching else {})


def program(machine: str, allowed: Iterable[Call], reading: bool) -> bytes:
    """The classic BPF program (array of struct sock_filter). Raises ValueError for an architecture without a table."""
    column = list(AUDIT_ARCH).index(machine)
    numbers = sorted({call[column] for call in allowed} - {-1})
    start = [(LOAD, 0, 0, ARCH), (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    x32 = [(JUMP_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    body = [*start, *x32, *(open_to_read(OPENAT[column]) if reading else []), *search(numbers)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in body)


def open_to_read(openat: int) -> list[Instruction]:
    """openat is allowed when its flags ask for reading alone."""
    test = [(LOAD, 0, 0, THIRD_ARGUMENT), (JUMP_ANY_BIT, 1, 0, WRITING_FLAGS)]
    return [(JUMP_EQUAL, 0, 4, openat), *test, (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]


def search(numbers: list[int]) -> list[Instruction]:
    """A binary search: the kernel runs the program once for every number when it is installed."""
    if len(numbers) <= 2:
        tests = [(JUMP_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
        return [*tests, (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    middle = len(numbers) // 2
    low, high = search(numbers[:middle]), search(numbers[middle:])
    return [(JUMP_AT_LEAST, len(low), 0, numbers[middle]), *low, *high]
