"""Temporary sqlite databases: room for any number of rows in flat memory."""

from __future__ import annotations

import sqlite3


def scratch_database(*tables: str, cache_mb: int = 32) -> sqlite3.Connection:
    """An empty database with `tables` in a temporary file that vanishes with the connection.

    Only its page cache, `cache_mb` MiB, is held in memory. It is never committed and survives nothing: rebuild it.
    """
    database = sqlite3.connect("", isolation_level=None)
    for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = {-1024 * cache_mb}"):
        database.execute(f"PRAGMA {setting}")
    database.execute("BEGIN")
    for table in tables:
        database.execute(f"CREATE TABLE {table}")
    return database
