"""DDL of a session that used a tool's history table while nobody held the tool's lock: it may be a migration's, and
nothing proves it. golang-migrate takes another lock than we expect where its URL names the database otherwise, as
behind a pooler; Prisma's can be switched off; people write rows themselves.

In: transactions that nobody may claim. Out: of a row that finds no DDL, why that does not mean that it ran none. Called
by `opening.py` and `matching.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from collections.abc import Mapping

from pggit_daemon.attribute.claims import Claim, Seen
from pggit_daemon.attribute.proofs import proof_of
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Unlocked
from pggit_daemon.attribute.state import State
from pggit_daemon.model.lsn import LSN


def see_unlocked(state: State, seen: Seen, claims: Mapping[str, Claim], last: OpenSegment) -> None:
    """Where nobody may claim what a session ran: remember it for tools whose table it uses, but not their lock."""
    session = seen.session.key
    for source in state.sources.values() if not claims else ():
        tool = state.known.sessions.of(source.name)
        if source.name not in seen.used and session not in tool.unlocked:
            continue
        may_be = proof_of(source).may_go_without(source, seen, state.known)
        if not may_be or not state.known.may_write(source.name, seen):
            continue
        tool.see_unlocked(session, Unlocked(last.application, last.last, seen.time))
        state.changed.tools[source.name] = None


def unlocked_before(state: State, row: WaitingRow) -> str | None:
    """What the row may be of though its tool's lock was not held, for people; None where that is nothing."""
    source = state.sources[row.source]
    if row.bracket is not None or not row.may_run_ddl:
        return None
    some = [
        f"pid {session.pid} ({one.application})"
        for session, one in state.known.sessions.of(row.source).unlocked.items()
        if one.last < row.lsn
        and row.time - one.seen <= source.grace
        and (row.writer in {None, session} or not source.holds_lock_itself)
    ]
    return f"DDL before it ran without the tool's lock: {', '.join(some)}" if some else None


def close_unlocked(state: State, source: str, before: LSN) -> None:
    """A row of the source was dealt with: what stands before it is no later row's."""
    known = state.known.sessions.of(source).unlocked
    for session in [session for session, one in known.items() if one.last < before]:
        del known[session]
        state.changed.tools[source] = None
