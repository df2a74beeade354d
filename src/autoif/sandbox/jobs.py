"""What goes into the sandbox and what comes out: jobs, verdicts, results, and their wire format.

A job's frame is `length: u64, count: u32`, then `length` bytes: count + 1 sizes (u32), the source, and the inputs, in
UTF-8 with lone surrogates let through. A result's frame is `count: u32`, then one byte per call. Labels never travel.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence
from dataclasses import dataclass

JOB_HEADER = struct.Struct("<QI")
RESULT_HEADER = struct.Struct("<I")


class Verdict(enum.Enum):
    """What became of one call of `evaluate`."""

    TRUE = 1
    """It returned True itself."""
    FALSE = 2
    """It returned False itself."""
    NOT_BOOL = 3
    """It returned anything else: 1, "true", None, an object that equals True."""
    ERROR = 4
    """It raised an exception."""
    TIMEOUT = 5
    """It ran longer than a call, or the function longer than all its calls, may take."""
    CRASH = 6
    """Its process died: a segmentation fault, os._exit, the memory limit in C code."""
    SKIPPED = 7
    """Not called: the same function had two time-outs or crashes before, or its time was used up."""
    NO_COMPILE = 8
    """The source cannot be compiled, fails when its module level runs, or defines no callable `evaluate`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One verifier to call on each of the inputs, in their order. `source` defines `evaluate(response)`."""

    id: str
    source: str
    inputs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict per input. `deterministic` is False when a second pass was asked for and disagreed."""

    id: str
    verdicts: tuple[Verdict, ...]
    deterministic: bool = True


def encode_job(job: Job, order: Sequence[int]) -> bytes:
    """The frame of a job with its inputs in the given order (a permutation of their indices)."""
    texts = [text.encode("utf-8", "surrogatepass") for text in (job.source, *(job.inputs[i] for i in order))]
    sizes = struct.pack(f"<{len(texts)}I", *map(len, texts))
    return b"".join([JOB_HEADER.pack(len(sizes) + sum(map(len, texts)), len(order)), sizes, *texts])


def decode_verdicts(codes: bytes, order: Sequence[int]) -> tuple[Verdict, ...]:
    """Verdicts in the order of the job's inputs. Raises ValueError for a byte that is no verdict."""
    verdicts = list(codes)
    for code, i in zip(codes, order, strict=True):
        verdicts[i] = code
    return tuple(map(Verdict, verdicts))
