"""Where a history begins, and where it begins again.

In: a database with no slot of ours (or one whose WAL is lost). Out: a slot, and one commit of everything as it was
at exactly the slot's first position: kind `baseline`, or `gap` where there was a history before.

The slot comes first and the catalog is read under the snapshot that it exports: what is committed later comes
through the stream, and nothing comes twice. A crash in between leaves a slot without progress, and it starts over.
No lock outlives the piece that was read under it (`snapshot.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import structlog

from pggit_daemon.db.history_rows import TableReading, TableState
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.interpret.requests import REQUESTS, parse_request
from pggit_daemon.interpret.sql_api import Api
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.decision import CommitKind, Link
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.progress import Progress
from pggit_daemon.model.transaction import Row, RowChange, RowOp
from pggit_daemon.reconcile.snapshot import read_snapshot
from pggit_daemon.replication.connection import CreatedSlot, ReplicationConnection
from pggit_daemon.store.loader import State
from pggit_daemon.store.statement import Statement
from pggit_daemon.store.writer import Store
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.plan import Step, make_commit
from pggit_daemon.versioning.record import Applied, Record

log = structlog.get_logger(__name__)

SLOT_TIMEOUT = 600.0
"""Seconds to wait for the transactions that are open when the slot is made."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What a baseline found: how many objects, how many rows of history tables; `unread` could not be read in time."""

    objects: int
    rows: int
    unread: int


async def begin(
    replication: ReplicationConnection,
    conn: psycopg.AsyncConnection[Any],
    store: Store,
    registry: Registry,
    *,
    slot: str,
    plugin: str,
    before: State | None,
) -> Begun:
    """Make the slot and store the first commit; `before` is the state of a history whose slot was lost."""
    # Before anything is in the stream: statements are to tell the locks of these tools.
    await store.run([("put_tools", registry.capture_settings)])
    created = await replication.create_slot(slot, plugin, snapshot="export", timeout=SLOT_TIMEOUT)
    log.info("slot_created", slot=slot, position=str(created.consistent_point))
    if created.snapshot_name is None:
        raise RuntimeError("a slot made with an exported snapshot has its name")
    found = await read_snapshot(conn, created.snapshot_name, [source.table for source in registry.histories])
    record = before.record if before is not None else Record()
    applied = record.begin(found.objects, keeping=found.unread)
    ledgers = before.ledgers if before is not None else {}
    evidence = Evidence.BASELINE if before is None else Evidence.SNAPSHOT
    at = created.consistent_point
    links = [
        Link(recorded, evidence)
        for source in registry.histories
        if source.name not in registry.unreadable  # the comparisons say so
        for recorded in _rows(ledgers, source, found.tables[source.table], at, again=before is not None)
    ]
    links += _requested(before.api if before is not None else Api(), found.requests, at, evidence)
    head = before.progress.head if before is not None else None
    events = found.outbox if before is None else ()
    step = _step(created, record, applied, links, head, events=events, gap=before is not None)
    step = replace(step, requests=tuple(int(str(row["id"])) for row in found.requests))
    newest = step.commit.hash if step.commit is not None else head
    progress = Progress(at, at, newest, "{}", chain=newest).reserving
    await store.run(source_statements(registry))
    await store.apply([step], progress, before.progress.commit if before is not None else ZERO)
    return Begun(len(found.objects), len(links), len(found.unread))


def source_statements(registry: Registry) -> list[Statement]:
    """How the sources are remembered, and what the capture is to look for of their tools."""
    return [*(_source(registry, source) for source in registry.histories), ("put_tools", registry.capture_settings)]


def _source(registry: Registry, source: Source) -> Statement:
    return (
        "put_source",
        {
            "name": source.name,
            "tool": source.tool,
            "preset": source.preset_name,
            "schema": source.table.schema,
            "table": source.table.table,
            "lock_table": source.bracket_table.table if source.bracket_table is not None else None,
            "origin": source.origin,
            "objid": registry.oid(source.table),
            "number_order": source.preset.migration.order,
        },
    )


def _rows(
    ledgers: dict[str, Ledger], source: Source, table: TableReading, at: LSN, *, again: bool
) -> list[HistoryRowEvent]:
    """The rows of a source's table: all at the beginning, what differs from the ledger after a gap.

    What may not be read is unknown, and stays as it was.
    """
    ledger = ledgers.setdefault(source.name, Ledger(source.name, source.preset))
    if again and table.state is TableState.MISSING:
        gone = ledger.cleared(at, "drop")
        return [HistoryRowEvent(gone)] if gone else []
    if table.state is not TableState.READ:
        return []  # the comparisons say so, and go on trying
    if again:
        return [HistoryRowEvent((change,)) for change in ledger.compare(at, table.rows)]
    return [HistoryRowEvent((ledger.baseline(row),)) for row in sorted(table.rows, key=ledger.order)]


def _requested(api: Api, rows: Iterable[Row], at: LSN, evidence: Evidence) -> list[Link]:
    """What the SQL API recorded before the stream begins: its commit is this one, whatever it ran."""
    found = []
    for row in rows:
        try:
            request = parse_request(RowChange(at, RowOp.INSERT, REQUESTS, row, {}))
            recorded = [*api.read(request, ran=True)]
        except (KeyError, TypeError, ValueError):
            log.warning("request_unreadable", request_id=row["id"])
            continue
        found += [Link(one, None if one.principal.meaning is Meaning.STARTED else evidence) for one in recorded]
    return found


def _step(
    created: CreatedSlot,
    record: Record,
    applied: Applied,
    links: list[Link],
    head: str | None,
    *,
    events: Iterable[int],
    gap: bool,
) -> Step:
    time = datetime.now(UTC)
    kind = CommitKind.GAP if gap else CommitKind.BASELINE
    said = (
        "gap: the slot was lost; what changed meanwhile was found by comparing"
        if gap
        else "baseline: the schema as it was when its history began"
    )
    commit = make_commit(
        kind=kind,
        tree_hash=record.logged.tree.hash,
        parent=head,
        message=said,
        author="pggit-daemon",
        time=time,
        lsn=created.consistent_point,
        xid=None,
        metadata={"slot": created.name, "objects": len(record.recorded.keys), "migrations": len(links)},
        changes=applied.changes,
    )
    known = record.recorded.tree.hash
    if known != commit.tree_hash:
        commit = replace(commit, recorded_tree=known)
    return Step(
        commit,
        tuple(links),
        (),
        tuple(events),
        time,
        None,
        created.consistent_point,
        moved=record.recorded.take_moved(),
        told=applied.told,
    )
