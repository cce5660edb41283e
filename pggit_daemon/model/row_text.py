"""Rows of history tables as text, alike whether they came from the WAL or from a SELECT.

In: decoded values. Out: PostgreSQL's text form of each (booleans spelt out), None for NULL. Comparing a
row of the stream with a row of the table needs one spelling.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal

from pggit_daemon.model.transaction import Row, Value

TextRow = Mapping[str, str | None]

LONGEST_KEY = 500
"""Characters; an entry of an index holds some 2,700 bytes, of which the source's name takes a few hundred."""


def as_text(row: Row) -> dict[str, str | None]:
    """The row with each value in its text form."""
    return {name: _spelt(value) for name, value in row.items()}


def _spelt(value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def row_key(row: TextRow, columns: Iterable[str]) -> str:
    """The identity of a row: a JSON array of its key columns, or a hash of it where it is too long for an index."""
    key = _JSON.encode([row.get(name) for name in columns])
    if len(key) <= LONGEST_KEY:
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def integer(text: str | None) -> int | None:
    """The value of a plain decimal integer that fits a migration id (below 10^18), otherwise None."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) < len(str(SYNTHETIC)) else None


def boolean(text: str | None) -> bool | None:
    """PostgreSQL's and the tools' ways to write a truth value; None for NULL and anything else."""
    if text is None:
        return None
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}.get(text.lower())


_JSON = json.JSONEncoder(ensure_ascii=False)
"""Made once: making one costs more than writing a key."""

SYNTHETIC = 10**18
"""Migration ids from here on are ours: for migrations whose own id is not a plain integer."""
