"""A changeset cut into what becomes commits, by its content alone.

In: a changeset. Out: its segments in WAL order, each of which becomes a commit if it changes an object. Pure; called by
`pipeline.py`.

A commit must never depend on whose it turns out to be, or when. So a transaction is cut only where its own content says
so: at history rows that may have run DDL, and where statements on a tool's own tables, or of a migration that the SQL
API has open, begin and end.
"""

from __future__ import annotations

from pggit_daemon.model.changeset import Changeset, Ddl, HistoryRowEvent, Item, Segment, UndecodableRow
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.meaning import Meaning


def segments(changeset: Changeset) -> tuple[Segment, ...]:
    """The transaction's statements, cut."""
    found: list[tuple[Ddl, list[DdlEvent]]] = []
    cut = True
    for item in changeset.items:
        if isinstance(item, Ddl):
            if cut or not _continues(found[-1][0], item):
                found.append((item, []))
            found[-1][1].append(item.event)
            cut = False
        elif _cuts(item):
            cut = True
    return tuple(
        Segment(changeset, ordinal, tuple(events), first.housekeeping, first.part_of)
        for ordinal, (first, events) in enumerate(found)
    )


def _continues(first: Ddl, item: Ddl) -> bool:
    return first.housekeeping == item.housekeeping and first.part_of is item.part_of


def _cuts(item: Item) -> bool:
    """Whether a row parts statements: it ended a migration, or began one. A marker does neither."""
    if isinstance(item, HistoryRowEvent):
        return item.ran_ddl or item.principal.meaning is Meaning.STARTED
    return isinstance(item, UndecodableRow)
