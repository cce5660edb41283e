"""Plans into tables, with the progress, in one call.

In: the steps of a settled prefix of the stream, and where it ends. Out: the `Durable` position, which is all that
may be acknowledged: there is no other way to get one. Called by `pipeline.py`, the reconcilers and the baseline.

What is written ahead (`put`) is visible at once and on the server's disk with the next call that waits for it: the WAL
is flushed in its order, so a call that is durable makes all before it durable. A server that dies in between has lost
results and the progress that was stored with them, and sends the same transactions again.

The plan goes to the server as one JSON document to one prepared function (sql/store/90_store.sql); that of one commit
or one row as its values, to another that writes the same (`store/usual.py`). The connection is in autocommit, so the
call is a transaction of its own: a commit, or a backlog of many, costs one round trip, and all of it is stored or none.
A plan too large for that (a transaction of thousands of tables) goes in pieces, within one transaction, so that no more
than a piece of it is in memory as a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any

import psycopg

from pggit_daemon.db.on_demand import Lender, Lent, OnDemand
from pggit_daemon.db.prepared import Prepared
from pggit_daemon.errors import RefusedError, StoreError
from pggit_daemon.model.lsn import LSN, Durable
from pggit_daemon.model.progress import Progress
from pggit_daemon.store.poison import OF_VALUES
from pggit_daemon.store.statement import Statement
from pggit_daemon.store.statements import statements
from pggit_daemon.store.usual import CALL, MOST, usual
from pggit_daemon.versioning.plan import Step

OUTBOXES = ("handled_events", "handled_requests")
"""The operations that take handled rows out of an outbox."""

DOCUMENT = "pggit_daemon.store($1::jsonb, $2::boolean)"

DURABLE = (
    "CASE WHEN pg_catalog.current_setting('synchronous_standby_names') <> '' AND pggit_daemon.may_be_standby()"
    " THEN pg_catalog.set_config('synchronous_commit', 'local', true) END"
)
"""Waits for the server's disk and for its standbys, but for none that may be ourselves."""

AHEAD = "pg_catalog.set_config('synchronous_commit', 'off', true)"
"""Does not wait for the server's disk: what counts is the setting at the end of the transaction."""

STORE = Prepared("pggit_daemon_store", f"SELECT {DOCUMENT}, {DURABLE}")
STORE_AHEAD = Prepared("pggit_daemon_store_ahead", f"SELECT {DOCUMENT}, {AHEAD}")
USUAL = Prepared("pggit_daemon_usual", f"SELECT {CALL}, {DURABLE}")
USUAL_AHEAD = Prepared("pggit_daemon_usual_ahead", f"SELECT {CALL}, {AHEAD}")

NOTHING: Mapping[str, Any] = {"handled_events": [], "handled_requests": [], "gone": [], "parked": False}
"""What the call says by NULL."""

PIECE = 2_000_000
"""Characters of one document."""

MOST_DUE = 100
"""Statements that may stay in the outbox handled: who looks for later ones there reads them again."""

PROGRESS_MOVED = "PGD01"
"""What `advance` raises where another daemon has stored meanwhile."""

REFUSED = frozenset({"22", "23", "54"})
"""Classes of SQLSTATE that come of the values themselves, so that the same plan would be refused again."""


class Store:
    """Writes through a connection, or one that is opened when there is something to write.

    `slot` is needed where progress is written. `due` are statements that are handled and still in the outbox: they go
    with the next call that waits for the server's disk, as their removal would make each commit later, and comes back
    in the stream. `left` are handled rows that could not be taken out of an outbox yet: a
    commit is decoded a moment before other sessions see it. `parked`: whether something waits for a row of a user's.
    `reconcile/outbox.py` tries both again.
    """

    def __init__(self, conn: psycopg.AsyncConnection[Any] | OnDemand, slot: str = "") -> None:
        self._link: Lender = conn if isinstance(conn, OnDemand) else Lent(conn)
        self._slot = slot
        self.due: set[int] = set()
        self.left: dict[str, set[int]] = {operation: set() for operation in OUTBOXES}
        self.parked = True  # an earlier run may have left something
        self.parkings = 0
        """How often a call has said that something is parked."""

    async def apply(self, steps: Iterable[Step], progress: Progress, before: LSN, *, brief: bool = False) -> Durable:
        """Write the steps and the progress; `before` is the commit position that must be stored now.

        StoreError when any of it could not be written (then none of it was), or when the progress has moved
        under another daemon; RefusedError where the server would refuse the same plan again.
        """
        due = self.due
        removal: list[Statement] = [("handled_events", {"ids": sorted(due)})] if due else []
        await self.run(chain(removal, self._plan(steps, progress, before)), brief=brief)
        self.due = self.due - due
        return Durable(progress.end)

    async def put(self, steps: Iterable[Step], progress: Progress, before: LSN) -> None:
        """Write as `apply` does, and ahead of the server's disk: nothing of it may be acknowledged yet."""
        due = set(self.due)
        await self.run(_removing_later(self._plan(steps, progress, before), due), ahead=True)
        self.due = due

    def _plan(self, steps: Iterable[Step], progress: Progress, before: LSN) -> Iterator[Statement]:
        for step in steps:
            yield from statements(step)
        yield self._advance(progress, before)

    def expect(self) -> None:
        """Something is to be written soon: let the connection be opened meanwhile."""
        self._link.expect()

    async def run(self, writes: Iterable[Statement], *, brief: bool = False, ahead: bool = False) -> None:
        """Run operations in one transaction; `brief`: the next will be long in coming; `ahead` of the server's disk."""
        handled: dict[str, set[int]] = {operation: set() for operation in OUTBOXES}
        try:
            plan = list(islice(writes := iter(writes), MOST + 1))
            values = None if self.parked else usual(plan, _JSON.encode)
            async with self._link.use(brief=brief) as conn:
                answers = await _usual(conn, values, ahead=ahead) if values is not None else None
                if answers is None:
                    pieces = _pieces(chain(plan, writes), handled)
                    carefully = self.parked or values is not None
                    answers = await _documents(conn, pieces, ahead=ahead, carefully=carefully)
                else:
                    _note_handled(plan, handled)
        except psycopg.Error as exc:
            raise _translated(exc) from exc
        except OF_VALUES as exc:
            raise RefusedError(f"results could not be written down: {type(exc).__name__}: {exc}") from exc
        self._note(handled, answers)

    def _note(self, handled: Mapping[str, set[int]], answers: Iterable[Mapping[str, Any]]) -> None:
        """What could not be done yet."""
        for operation in OUTBOXES:
            self.left[operation] -= handled[operation]
        for answer in answers:
            for operation in OUTBOXES:
                self.left[operation] |= set(answer[operation])
            self.left["handled_requests"] -= set(answer["gone"])
            self.parked = answer["parked"]
            self.parkings += self.parked

    def _advance(self, progress: Progress, before: LSN) -> Statement:
        return (
            "advance",
            {
                "slot": self._slot,
                "commit_lsn": str(progress.commit),
                "end_lsn": str(progress.end),
                "bound": str(progress.bound) if progress.bound is not None else None,
                "head": progress.head,
                "chain": progress.chain if progress.chain != progress.head else None,
                "context": progress.remembered,
                "before": str(before),
            },
        )


Answers = list[Mapping[str, Any]]


async def _usual(conn: psycopg.AsyncConnection[Any], values: Sequence[bytes | None], *, ahead: bool) -> Answers | None:
    """A usual plan; None where somebody holds a row or a table: it is to be stored carefully, as a document."""
    try:
        return [_read(await (USUAL_AHEAD if ahead else USUAL).run(conn, *values))]
    except psycopg.errors.LockNotAvailable:
        return None


async def _documents(
    conn: psycopg.AsyncConnection[Any], pieces: Iterator[str], *, ahead: bool, carefully: bool
) -> Answers:
    """One document, which is a transaction, or several in one; carefully, too, where somebody holds a row or table."""
    query = STORE_AHEAD if ahead else STORE

    async def stored(piece: str, *, carefully: bool) -> Mapping[str, Any]:
        return _read(await query.run(conn, piece.encode(), b"t" if carefully else b"f"))

    first, second = next(pieces), next(pieces, None)
    if second is not None:
        async with conn.transaction():
            return [await stored(piece, carefully=True) for piece in chain([first, second], pieces)]
    try:
        return [await stored(first, carefully=carefully)]
    except psycopg.errors.LockNotAvailable:
        if carefully:
            raise
        return [await stored(first, carefully=True)]


def _read(row: Sequence[str | None]) -> Mapping[str, Any]:
    return json.loads(row[0]) if row[0] is not None else NOTHING


def _removing_later(writes: Iterable[Statement], due: set[int]) -> Iterator[Statement]:
    """Put off what takes handled statements out of their outbox: they are added to `due`, and go once they are many."""
    for operation, values in writes:
        if operation == "handled_events":
            due.update(values["ids"])
        else:
            yield operation, values
    if len(due) > MOST_DUE:
        yield "handled_events", {"ids": sorted(due)}
        due.clear()


def _pieces(writes: Iterable[Statement], handled: Mapping[str, set[int]]) -> Iterator[str]:
    """Operations as JSON, in documents of at most `PIECE` unless one alone is larger; notes what they handle.

    There is one also without any operation: the call tries again what is parked.
    """
    parts: list[str] = []
    size = 0
    for operation, values in writes:
        _note_handled([(operation, values)], handled)
        text = _JSON.encode((operation, values))
        if parts and size + len(text) > PIECE:
            yield f"[{','.join(parts)}]"
            parts, size = [], 0
        parts.append(text)
        size += len(text)
    yield f"[{','.join(parts)}]"


def _note_handled(plan: Iterable[Statement], handled: Mapping[str, set[int]]) -> None:
    for operation, values in plan:
        if operation in handled:
            handled[operation].update(values["ids"])


def _translated(exc: psycopg.Error) -> StoreError:
    if exc.sqlstate == PROGRESS_MOVED:
        return StoreError("another daemon has stored progress meanwhile; nothing was written")
    # The detail behind the first line repeats whole rows.
    said = exc.diag.message_primary or " ".join(str(exc).split())
    kind = RefusedError if (exc.sqlstate or "")[:2] in REFUSED else StoreError
    return kind(f"results could not be stored: {exc.sqlstate or 'connection'}: {said}")


def _spelt(value: object) -> object:
    """What JSON has no word for, as the functions of sql/store read it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a plan cannot hold a {type(value).__name__}")


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_spelt)
