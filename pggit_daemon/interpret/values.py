"""Values of history tables in the units of the record. Pure.

In: text of a column, and the unit that the preset says. Out: milliseconds; a moment as ISO 8601. None for what is
neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from pggit_daemon.model.row_text import TextRow, integer

_PER_MS: Mapping[str, Decimal] = {"ns": Decimal(10**6), "us": Decimal(1000), "ms": Decimal(1), "s": Decimal("0.001")}
_INTERVAL = re.compile(r"(?:(\d+) days? ?)?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**31 - 1
"""Milliseconds, 24 days: no migration takes longer, and an interval of PostgreSQL holds it."""


def cell(row: TextRow, column: str | None) -> str | None:
    """The value of a column, None where the preset has no such column."""
    return None if column is None else row.get(column)


def milliseconds(text: str | None, unit: str) -> int | None:
    """How long it took; negative values stand for what is not known yet."""
    if text is None:
        return None
    if unit == "interval":
        found = _INTERVAL.fullmatch(text)
        if found is None:
            return None
        days, hours, minutes = (int(part or 0) for part in found.groups()[:3])
        value = Decimal(found[4]) * 1000 + (minutes * 60 + hours * 3600 + days * 86400) * 1000
    else:
        try:
            value = Decimal(text) / _PER_MS[unit]
        except InvalidOperation:
            return None
    return int(value) if value.is_finite() and 0 <= value <= _MOST else None


def moment(text: str | None, form: str) -> str | None:
    """A time of the tool's; what is counted from 1970 is spelt out, and UTC said where it is meant.

    One that has no zone means the server's, which is that of the session in which it is stored.
    """
    if text is None or form in {"local", "time"}:
        return text
    if form == "utc":
        return _in_utc(text)
    count = integer(text)
    if count is None:
        return None
    try:
        return (_EPOCH + timedelta(milliseconds=count * (1000 if form == "epoch_s" else 1))).isoformat()
    except OverflowError:
        return None


def _in_utc(text: str) -> str | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).isoformat()
