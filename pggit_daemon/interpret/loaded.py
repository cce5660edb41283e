"""Rows that came with a schema: a dump or a file of it that was loaded in one transaction (psql -1, pg_restore -1).

In: the items of a transaction. Out: the same, in which rows that ran nothing say so. Pure; called by `transaction.py`.
Whatever was loaded stands before all of such rows, so the first of them would take it for its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pggit_daemon.model.changeset import Ddl, HistoryRowEvent, Item
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowOp
from pggit_daemon.tools.seen import created_tables
from pggit_daemon.tools.source import Source


def tell_loaded(items: Sequence[Item], sources: Mapping[str, Source], maker: str | None) -> Sequence[Item]:
    """Say which rows ran nothing. `maker`: the source whose tool was taken for the maker of the schemas."""
    rows: dict[str, list[HistoryRowEvent]] = {}
    for item in items:
        if isinstance(item, HistoryRowEvent) and item.ran_ddl and item.certain is None:
            rows.setdefault(item.source, []).append(item)
    if not rows or not any(isinstance(item, Ddl) for item in items):
        return items
    loaded = {name for name, own in rows.items() if name in sources and _is_loaded(own, items, sources[name])}
    return [_told(item, loaded, maker) for item in items] if loaded else items


def _told(item: Item, loaded: set[str], maker: str | None) -> Item:
    if isinstance(item, HistoryRowEvent) and item.source in loaded and item.ran_ddl:
        return replace(item, loaded=True)
    if isinstance(item, Ddl) and item.housekeeping == maker in loaded and item.event.tag == "CREATE SCHEMA":
        return replace(item, housekeeping=None)
    return item


def _is_loaded(rows: Sequence[HistoryRowEvent], items: Iterable[Item], source: Source) -> bool:
    """Whether no tool wrote these rows of a source."""
    events = [item.event for item in items if isinstance(item, Ddl)]
    if _gets_its_key_later(rows[0].lsn, events, source):
        return True
    first = rows[0].principal
    if source.moves_one_row and first.operation == RowOp.INSERT.value and first.old is None:
        return True  # tools of one number begin with the number that means none
    return (
        source.has_transactions_alone
        and len(rows) > 1
        and not any(rows[0].lsn < event.lsn < rows[-1].lsn for event in events)
    )


def _gets_its_key_later(row: LSN, events: Sequence[DdlEvent], source: Source) -> bool:
    """Whether the table has no key yet when its rows come, as in a dump, which adds keys to tables that are full."""
    if all(event.lsn < row for event in events):
        return False
    keys = [
        (event.lsn, bool(seen.shape.key))
        for event in events
        for seen in created_tables(event)
        if source.holds(seen.table) and seen.shape.key is not None
    ]
    before = [has for lsn, has in keys if lsn < row]
    return bool(before) and not before[-1] and any(has for lsn, has in keys if lsn > row)
