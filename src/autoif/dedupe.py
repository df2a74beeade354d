"""Duplicates and near-duplicates among any number of texts, in flat memory.

What was seen lives in a temporary sqlite database that spills to disk, so that only its page cache is in memory.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import zlib
from collections.abc import Callable
from typing import Any

from autoif.records import Record, clean

Sifter = Callable[[Record], str | None]
"""Tells, for records in input order, why one is dropped (None: it is kept)."""

PERMUTATIONS = 63
BANDS = 9
"""9 bands of 7 rows find a pair of Jaccard similarity s with probability 1 - (1 - s^7)^9: 0.97 at 0.85, 0.997 at 0.9."""
NEIGHBOURS = 16
"""Candidates looked at per band, newest first: a bound on the work where thousands of texts share most words."""


def scratch_database(schema: str, cache_mb: int = 32) -> sqlite3.Connection:
    """An empty sqlite database in a temporary file that vanishes with the connection; `cache_mb` bounds its memory."""
    database = sqlite3.connect("", isolation_level=None)
    for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = {-1024 * cache_mb}"):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN")
    database.execute(schema)
    return database


def normal(text: str) -> str:
    """`text` as duplicates are compared: no case, single spaces, no punctuation at either end.

    >>> normal('  "What is   Love?" ')
    'what is love'
    """
    folded = " ".join(text.casefold().split())
    return re.sub(r"^[\W_]+|[\W_]+$", "", folded) or folded


def _digest(data: bytes) -> int:
    """64 bits, signed as sqlite wants them."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little", signed=True)


class Seen:
    """A set of texts that remembers 64-bit hashes: two of 10^6 texts are confused with a probability of 3e-8."""

    def __init__(self) -> None:
        self._database = scratch_database("CREATE TABLE seen (key INTEGER PRIMARY KEY)")

    def add(self, key: bytes | str) -> bool:
        """True when `key` is new."""
        data = clean(key).encode() if isinstance(key, str) else key
        insert = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (_digest(data),))
        return insert.rowcount == 1


class NearSeen:
    """A set of texts that answers whether one like it is there: Jaccard similarity of words above `threshold`.

    MinHash with banding (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4) finds candidates;
    the words themselves decide, so a text is never dropped because of an estimate.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash

        self._threshold = threshold
        self._items = scratch_database("CREATE TABLE items (id INTEGER PRIMARY KEY, words BLOB)")
        self._bands = scratch_database("CREATE TABLE bands (key INTEGER, item INTEGER, PRIMARY KEY (key, item)) WITHOUT ROWID", 96)
        self._empty: Any = MinHash(PERMUTATIONS, hashfunc=zlib.crc32)

    def add(self, text: str) -> bool:
        """True when nothing like `text` was added before; only then is it remembered."""
        words = sorted({zlib.crc32(word.encode()) for word in re.findall(r"\w+", clean(text).casefold())})
        return True

