"""Validation as one would do it by hand, one source after the other: what the SQL is compared with.

In: migrations as they are recorded. Out: what is wrong with them, as (tool, source, id, status, message).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise

COUNTED = 1_000_000
GIVEN = 10**18
UNDONE = {"failed", "started", "removed", "cleared", "deleted", "rolled_back"}
SETTLED = {"removed", "cleared", "deleted"}

Finding = tuple[str, str, int | None, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One migration. `sequence` is the tool's own order, `version` its own name of it where that is no number."""

    tool: str
    source: str
    number: int
    sequence: int
    status: str = "applied"
    success: bool = True
    linked: bool = True
    evidence: str | None = None
    error: str | None = None
    version: str | None = None


def findings(rows: Iterable[Row]) -> set[Finding]:
    """Everything that is wrong."""

    def source(row: Row) -> tuple[str, str]:
        return row.tool, row.source

    found: set[Finding] = set()
    for (tool, name), group in groupby(sorted(rows, key=source), key=source):
        own = list(group)
        found |= {(tool, name, None, "gap", message) for message in _gaps(own)}
        found |= {(tool, name, row.number, status, message) for row in own for status, message in _of(row)}
        found |= {
            (tool, name, row.number, "out_of_order", f"Migration was applied after {highest}")
            for row, highest in _late(own)
        }
    return found


def _gaps(rows: list[Row]) -> Iterator[str]:
    counted = sorted(row.number for row in rows if 0 < row.number < COUNTED and row.status != "cleared")
    long = [number for number in counted if number >= COUNTED // 10]
    if long and all(map(_is_date, long)):
        counted = [number for number in counted if number not in long]
    dotted = [
        int(row.version.partition(".")[0])
        for row in rows
        if row.version is not None and "." in row.version and row.number >= GIVEN and row.status != "cleared"
    ]
    for before, after in pairwise(counted):
        if any(before <= chief < after for chief in dotted):
            continue
        if after == before + 2:
            yield f"Missing migration {before + 1}"
        elif after > before + 2:
            yield f"Missing migrations {before + 1} to {after - 1}"


def _is_date(number: int) -> bool:
    """Whether six digits may be YYYYMM or YYMMDD."""
    text = str(number)
    year_and_month = "1900" <= text[:4] <= "2099" and "01" <= text[4:] <= "12"
    return year_and_month or ("01" <= text[2:4] <= "12" and "01" <= text[4:] <= "31")


def _of(row: Row) -> Iterator[tuple[str, str]]:
    if row.status == "started":
        yield "started", "Migration started and has not ended"
    elif row.status in SETTLED:
        if row.status == "removed" and row.success:
            yield "missing", f"Migration is missing: its row vanished from {row.source}"
    elif not row.success:
        yield "failed", f"Migration failed: {row.error or 'the reason was not recorded'}"
    elif not row.linked and row.status != "rolled_back":
        yield "unlinked", "Migration not linked to pgGit commit"


def _late(rows: list[Row]) -> Iterator[tuple[Row, int]]:
    highest = 0
    for row in sorted(rows, key=lambda row: (row.sequence, row.number)):
        if 0 < row.number < GIVEN and row.success and row.status not in UNDONE and row.evidence != "manual":
            if row.number < highest:
                yield row, highest
            highest = max(highest, row.number)
