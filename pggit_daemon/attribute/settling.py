"""A row that is decided: what is said of it and of the commits that it takes.

In: a row with its statements. Out: its link, and the attribution of its commits. Called by `matching.py` and those who
decide rows themselves; pure, over the state of attribution.
"""

from __future__ import annotations

from pggit_daemon.attribute.attribution import taker_of
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.state import State
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent
from pggit_daemon.model.decision import Link, LinkedCommit


def settle(state: State, row: WaitingRow) -> None:
    """The row has its DDL: say so, unless it is not known yet what the row is."""
    waiting = state.rows.get(row.source, [])
    if row in waiting:
        waiting.remove(row)
        if not waiting:
            del state.rows[row.source]
    if not row.is_settled:
        if row not in state.undecoded.setdefault(row.source, []):
            state.undecoded[row.source].append(row)
        for segment, _, _ in row.parts:
            state.undecided[segment.place] = segment
            state.update_attribution(segment)
        state.changed.rows[row.source, row.lsn] = row
        return
    state.changed.rows[row.source, row.lsn] = row
    if isinstance(row.event, HistoryRowEvent) and row.evidence is not None:
        made = [segment for segment, _, _ in row.parts]
        for segment in made:
            segment.takers.append(taker_of(row.event, row.evidence, part=segment is not made[-1]))
    for segment, _, _ in row.parts:
        state.update_attribution(segment)
    if row not in state.fresh:
        report(state, row)


def report(state: State, row: WaitingRow) -> None:
    """Report the link of a row as far as it is known."""
    if not isinstance(row.event, HistoryRowEvent):
        return
    commits, evidence = row.commits(), row.evidence
    if not commits and evidence is not None:
        # It ran nothing that lasted: what it stands for is the schema that it saw.
        evidence = evidence if evidence is Evidence.MANUAL else Evidence.NONE
        commits = (LinkedCommit(row.head, made=False),) if row.event.makes_commit and row.head is not None else ()
        evidence = evidence if row.event.makes_commit else None
    link = Link(
        row.event,
        evidence,
        row.note,
        commits,
        recorded=row.recorded,
        waiting=not row.matched,
        time=row.time,
        xid=row.xid,
    )
    row.recorded = True
    state.links.append(link)
