"""What the server says about our replication slot, and about what a slot needs.

In: a connection (ordinary or replication) and the slot's name. Out: frozen values. Called before streaming, by
the retention metrics and by `refusals.py`. The SQL is in sql/queries/slot.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.progress import Progress
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """A slot as pg_replication_slots shows it; sizes in bytes.

    `retained_bytes` is the WAL that the slot holds back, `safe_wal_size` what may still be written before the
    server takes the slot's WAL away (None: no limit is set). `invalidation_reason` is None while it is usable.
    """

    name: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    restart_lsn: LSN | None
    confirmed_lsn: LSN | None
    wal_status: str | None
    safe_wal_size: int | None
    retained_bytes: int
    invalidation_reason: str | None

    @property
    def is_lost(self) -> bool:
        return self.invalidation_reason is not None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the server and our role bring for logical decoding.

    `plugin_libraries` is the server's list of allowed output plugins, None where it has no such list or does
    not show it to our role.
    """

    wal_level: str
    major_version: int
    plugin_libraries: str | None
    max_wal_senders: int
    max_replication_slots: int
    wal_senders: int
    role_name: str
    may_replicate: bool


async def read_slot(conn: AsyncConnection[Any], slot: str) -> SlotFacts | None:
    """Return the slot's facts, None when there is no such slot."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(load_queries("slot")["slot"].encode(), {"slot": slot})
        row = await cursor.fetchone()
    if row is None:
        return None
    return SlotFacts(
        name=row["slot_name"],
        plugin=row["plugin"],
        database=row["database"],
        active_pid=row["active_pid"],
        restart_lsn=_position(row["restart_lsn"]),
        confirmed_lsn=_position(row["confirmed_lsn"]),
        wal_status=row["wal_status"],
        safe_wal_size=row["safe_wal_size"],
        retained_bytes=row["retained_bytes"],
        invalidation_reason=row["invalidation_reason"],
    )


async def read_requirements(conn: AsyncConnection[Any]) -> Requirements:
    """Return what could be the reason when the server refuses to make or read a slot."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(load_queries("slot")["requirements"].encode())
        row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return Requirements(**row)


def loss(slot: SlotFacts | None, progress: Progress) -> str | None:
    """Why the slot does not bring all that was committed after the stored progress; None where it does.

    Whoever made a slot again under its name (an operator, a tool for failovers, we ourselves before we were killed)
    made one that begins later. Nothing beyond the progress's bound is ever acknowledged, so ours has confirmed no more.
    """
    if slot is None:
        return "is missing"
    if slot.is_lost:
        return f"is invalidated: {slot.invalidation_reason}"
    if slot.confirmed_lsn is None:
        return "was never ready"
    if progress.bound is not None and slot.confirmed_lsn > progress.bound:
        return f"was made again: it begins at {slot.confirmed_lsn}, and only what lies before {progress.bound} was read"
    return None


def _position(text: str | None) -> LSN | None:
    return None if text is None else LSN.parse(text)
