"""Duplicates and near-duplicates among any number of texts, in flat memory."""

from __future__ import annotations

import hashlib
import re
import zlib
from array import array
from collections.abc import Callable
from typing import Any

from autoif.records import Instruction, Query, Record, clean
from autoif.scratch import scratch_database

Sifter = Callable[[Record], str | None]
"""Called with records in input order; returns why one is dropped, or None to keep it."""

PERMUTATIONS = 64
RECALL = 0.95
"""Share of the pairs just as similar as the threshold that must be found; of more similar ones more are."""


def query_sifter() -> Sifter:
    """Drops a query that was there before, whatever its case, spacing and closing punctuation."""
    seen = Seen()

    def sift(record: Record) -> str | None:
        assert isinstance(record, Query)
        return None if seen.add(normal(record.text)) else "duplicate"

    return sift


def instruction_sifter(near_duplicate: float) -> Sifter:
    """Drops repeated instructions: model-written ones by text alone, seeds by text and queries together.

    A seed is meant to meet many queries. With `near_duplicate` below 1, a model-written instruction whose
    words are at least that similar to those of a kept one is dropped as `near_duplicate`.
    """
    seen, seeds = Seen(), Seen()
    near = NearSeen(near_duplicate) if near_duplicate < 1 else None

    def sift(record: Record) -> str | None:
        assert isinstance(record, Instruction)
        if record.origin == "seed":
            key = "\n".join([record.text, *(query.id for query in record.queries)])
            return None if seeds.add(key) else "duplicate"
        if not seen.add(normal(record.text)):
            return "duplicate"
        return None if near is None or near.add(record.text) else "near_duplicate"

    return sift


def normal(text: str) -> str:
    """`text` as duplicates are compared: no case, single spaces, no punctuation at either end.

    >>> normal('  "What is   Love?" ')
    'what is love'
    """
    folded = " ".join(text.casefold().split())
    start = next((i for i, char in enumerate(folded) if char.isalnum()), 0)
    end = next((i for i, char in enumerate(reversed(folded)) if char.isalnum()), 0)
    return folded[start : len(folded) - end]


class Seen:
    """A set of strings that keeps a 64-bit hash of each: among 10^6 two are confused with a probability of 3e-8."""

    def __init__(self) -> None:
        self._database = scratch_database("seen (key INTEGER PRIMARY KEY)")

    def add(self, key: bytes | str) -> bool:
        """True when `key` is new."""
        data = clean(key).encode() if isinstance(key, str) else key
        digest = hashlib.blake2b(data, digest_size=8).digest()
        number = int.from_bytes(digest, "little", signed=True)
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount == 1


class NearSeen:
    """A set of texts that tells whether it holds one like another: Jaccard similarity of words from `threshold` up.

    MinHash with bands proposes candidates (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", sections 3.3 and
    3.4) and their words decide, so that no text is called a near-duplicate because of an estimate. A bucket of a band
    remembers its newest text only, which bounds the work where thousands of texts share most of their words.
    """

    def __init__(self, threshold: float) -> None:
        import numpy as np
        from datasketch import MinHash

        self._threshold = threshold
        self._database = scratch_database(
            "texts (id INTEGER PRIMARY KEY, words BLOB)", "bands (key INTEGER PRIMARY KEY, text INTEGER)", cache_mb=96
        )
        rows = _rows_per_band(threshold)
        self._band = np.arange(PERMUTATIONS // rows, dtype=np.uint64)
        self._multipliers = np.random.default_rng(0).integers(1, 2**63, rows, dtype=np.uint64)
        self._minhash = MinHash(len(self._band) * rows, hashfunc=int)  # words come hashed

    def add(self, text: str) -> bool:
        """True when nothing like `text` was added before; only then is it remembered."""
        words = {zlib.crc32(word.encode()) for word in re.findall(r"\w+", text.casefold())}
        if not words:
            return True
        keys = self._keys(words)
        if any(self._alike(words, other) for other in self._candidates(keys)):
            return False
        self._remember(keys, words)
        return True

    def _keys(self, words: set[int]) -> list[int]:
        """One 64-bit key per band: the band's number plus a random linear combination of its rows, modulo 2^64."""
        self._minhash.clear()
        self._minhash.update_batch(words)
        rows: Any = self._minhash.hashvalues.reshape(len(self._band), -1).astype("uint64")
        keys: list[int] = (rows @ self._multipliers + self._band).view("int64").tolist()
        return keys

    def _candidates(self, keys: list[int]) -> list[set[int]]:
        marks = ",".join("?" * len(keys))
        query = f"SELECT words FROM texts WHERE id IN (SELECT text FROM bands WHERE key IN ({marks}))"
        return [set(array("I", words)) for (words,) in self._database.execute(query, keys)]

    def _alike(self, one: set[int], other: set[int]) -> bool:
        common = len(one & other)
        return common >= self._threshold * (len(one) + len(other) - common)

    def _remember(self, keys: list[int], words: set[int]) -> None:
        text = self._database.execute("INSERT INTO texts (words) VALUES (?)", (array("I", words).tobytes(),)).lastrowid
        rows = ",".join(["(?, ?)"] * len(keys))
        values = [value for key in keys for value in (key, text)]
        self._database.execute(f"INSERT OR REPLACE INTO bands VALUES {rows}", values)


def _rows_per_band(threshold: float) -> int:
    """The most rows, so the fewest false candidates, with which a pair of similarity s = `threshold` is still found.

    Bands of r rows find it with probability 1 - (1 - s^r)^bands: 7 rows in 9 bands, 0.97, for 0.85.
    """
    found = {rows: 1 - (1 - threshold**rows) ** (PERMUTATIONS // rows) for rows in range(1, PERMUTATIONS + 1)}
    return max((rows for rows, share in found.items() if share >= RECALL), default=1)
