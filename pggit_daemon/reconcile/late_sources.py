"""Rows that the stream did not bring: a newer version knows their tool, the configuration named their table, a
publication was given the table when they were there.

In: the rows, who wrote them, and what of that is recorded as nobody's. Out: one step. A row that was written in the
transaction of a recorded commit is linked to that commit, which is out of band no longer. Of a source that is new the
others are its baseline, linked to the schema as it is; of one that is known nothing tells what they ran. Pure; called
by `history_tables.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pggit_daemon.attribute.attribution import late_attribution, taker_of
from pggit_daemon.attribute.segment import Taker
from pggit_daemon.db.history_rows import TableReading
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.decision import Link, LinkedCommit
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.migration import HistoryChange
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.source import Source
from pggit_daemon.versioning.plan import Step


@dataclass(frozen=True, slots=True)
class Ran:
    """The commits of one transaction that are nobody's, and when it committed; `pending`: of more it is not known."""

    commits: tuple[str, ...] = ()
    at: datetime | None = None
    pending: bool = False


NOTHING = Ran()


def is_new(ledger: Ledger) -> bool:
    """Whether nothing of the source was ever recorded."""
    return not ledger.rows and not ledger.ids


def waiting(sources: Iterable[Source], ledgers: Mapping[str, Ledger], missing: Collection[str]) -> dict[str, TableName]:
    """The tables that are missing, or were emptied or dropped: what makes one again may have filled it unseen, as the
    restoring of a dump does, which gives it its key in the end.
    """
    empty = {name for name, ledger in ledgers.items() if not ledger.rows and ledger.ids}
    return {source.name: source.table for source in sources if source.name in missing or source.name in empty}


def lacks_writers(ledger: Ledger, table: TableReading) -> bool:
    """Whether some rows are new or changed, and it was not asked who wrote them."""
    return not table.writers and any(map(ledger.differs, table.rows))


def baseline(
    ledger: Ledger, table: TableReading, commits: Mapping[int, Ran], head: str | None, stored: LSN
) -> Step | None:
    """`commits`: by transaction, what it ran; `head`: the newest commit."""
    seen = (LinkedCommit(head, made=False),) if head is not None else ()
    links = []
    for row, ran in sorted(_ran(table, commits), key=lambda one: ledger.order(one[0])):
        event = HistoryRowEvent((ledger.baseline(row),))
        links.append(linked(event, ran) or Link(event, Evidence.BASELINE, commits=seen, time=ran.at))
    return step_of(links, stored)


def found(
    ledger: Ledger, changes: Sequence[HistoryChange], table: TableReading, commits: Mapping[int, Ran], stored: LSN
) -> Step | None:
    """Of a source whose rows the stream brings, those `changes` that it did not bring.

    Whoever wrote a row last wrote the last of its changes.
    """
    wrote = {ledger.key_of(row): ran for row, ran in _ran(table, commits)}
    last = {change.row_key: change for change in changes}
    links = []
    for change in changes:
        event = HistoryRowEvent((change,))
        ran = wrote.get(change.row_key, NOTHING) if event.ran_ddl and last[change.row_key] is change else NOTHING
        links.append(linked(event, ran) or Link(event, None))
    return step_of(links, stored)


def _ran(table: TableReading, commits: Mapping[int, Ran]) -> Iterator[tuple[TextRow, Ran]]:
    """Each row, with what its transaction ran."""
    wrote = table.writers or [None] * len(table.rows)
    for row, xid in zip(table.rows, wrote, strict=True):
        yield row, commits.get(xid, NOTHING) if xid is not None else NOTHING


def linked(event: HistoryRowEvent, ran: Ran) -> Link | None:
    """The link of a row to what its transaction ran, if that ran anything."""
    made = tuple(LinkedCommit(one, part=one != ran.commits[-1]) for one in ran.commits)
    return Link(event, Evidence.TRANSACTION, commits=made, time=ran.at) if made else None


def step_of(links: Sequence[Link], stored: LSN) -> Step | None:
    """A step that stores these links, and what they say of commits that were recorded before."""
    if not links:
        return None
    takers: dict[str, list[Taker]] = {}
    for link in links:
        for one in link.commits if link.evidence is Evidence.TRANSACTION else ():
            taker = taker_of(link.row, Evidence.TRANSACTION, part=one.part)
            takers.setdefault(one.commit or "", []).append(taker)
    attributions = tuple(late_attribution(commit, some) for commit, some in takers.items())
    return Step(None, tuple(links), (), (), datetime.now(UTC), None, stored, attributions=attributions)
