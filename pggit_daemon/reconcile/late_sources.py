"""A source that became known after its rows were written: a newer version knows its tool, the configuration named it.

In: its rows, who wrote them, and what of that is recorded as nobody's. Out: its own baseline, as one step. A row that
was written in the transaction of a recorded commit is linked to that commit, which is out of band no longer; the others
were there before, and are linked to the schema as it is. Pure; called by `history_tables.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pggit_daemon.attribute.attribution import late_attribution, taker_of
from pggit_daemon.attribute.segment import Taker
from pggit_daemon.db.history_rows import TableReading
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.decision import Link, LinkedCommit
from pggit_daemon.model.lsn import LSN
from pggit_daemon.versioning.plan import Step


@dataclass(frozen=True, slots=True)
class Ran:
    """The commits of one transaction, and when it committed."""

    commits: tuple[str, ...] = ()
    at: datetime | None = None


NOTHING = Ran()


def is_new(ledger: Ledger) -> bool:
    """Whether nothing of the source was ever recorded."""
    return not ledger.rows and not ledger.ids


def baseline(
    ledger: Ledger, table: TableReading, commits: Mapping[int, Ran], head: str | None, stored: LSN
) -> Step | None:
    """`commits`: by transaction, what it ran; `head`: the newest commit."""
    wrote = table.writers or [None] * len(table.rows)
    links: list[Link] = []
    takers: dict[str, list[Taker]] = {}
    for row, xid in sorted(zip(table.rows, wrote, strict=True), key=lambda one: ledger.order(one[0])):
        event = HistoryRowEvent((ledger.baseline(row),))
        ran = commits.get(xid, NOTHING) if xid is not None else NOTHING
        made = tuple(LinkedCommit(one, part=one != ran.commits[-1]) for one in ran.commits)
        seen = (LinkedCommit(head, made=False),) if head is not None else ()
        links.append(
            Link(event, Evidence.TRANSACTION if made else Evidence.BASELINE, commits=made or seen, time=ran.at)
        )
        for one in made:
            takers.setdefault(one.commit or "", []).append(taker_of(event, Evidence.TRANSACTION, part=one.part))
    if not links:
        return None
    attributions = tuple(late_attribution(commit, found) for commit, found in takers.items())
    return Step(None, tuple(links), (), (), datetime.now(UTC), None, stored, attributions=attributions)
