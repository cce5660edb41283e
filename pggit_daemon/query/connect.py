"""A connection for one command, with the server's errors put into ours.

In: a connection string. Out: a synchronous connection in a `with` block; errors by SQLSTATE, with a hint.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.config import redact, redact_dsn
from pggit_daemon.db import session
from pggit_daemon.db.beside import LOOK_INTERVAL, SILENCE, Verdict, beside, same_server, shut_down
from pggit_daemon.db.refusals import CHECK_LOGIN, check_encoding, libpq_said, right_missing
from pggit_daemon.db.transport import transport
from pggit_daemon.db.watched import RV, heard
from pggit_daemon.errors import ConnectError, PggitDaemonError, PrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.abc import PQGen

_INIT = "pggit-daemon init --dsn DSN, as a superuser"
_WHO_READS = (
    "log in as the daemon's role (pggit-daemon init, as a superuser, gives it what it lacks) or as a superuser;"
    " people read by SQL: GRANT pggit_reader TO … (docs/sql-api.md#privileges)"
)

Connection = psycopg.Connection[Any]


class WatchedConnection(psycopg.Connection[Any]):
    """A connection whose waits end when the server is gone without a word, as the worker's do."""

    _heard_at: float | None = None  # None while nothing is waited for
    _lost: str | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Run psycopg's wait, and note what is heard meanwhile."""
        self.heard()
        try:
            return super().wait(heard(gen, self), interval, timeout)
        except psycopg.OperationalError as exc:
            if self._lost is None:
                raise
            raise psycopg.OperationalError(self._lost) from exc
        finally:
            self._heard_at = None

    def heard(self) -> None:
        self._heard_at = time.monotonic()

    @contextmanager
    def watched(self, dsn: str) -> Iterator[None]:
        """Have a thread look whether the server still works for us, while this block waits for it."""
        ended = threading.Event()
        threading.Thread(target=self._watch, args=[dsn, ended], name="watch", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _watch(self, dsn: str, ended: threading.Event) -> None:
        verdict = Verdict()
        where = same_server(self, dsn)
        while not ended.wait(LOOK_INTERVAL):
            heard_at = self._heard_at
            if heard_at is None or time.monotonic() - heard_at < SILENCE:
                verdict = Verdict()
                continue
            look, _waits_for = asyncio.run(beside(where, self.info.backend_pid))
            if self._heard_at == heard_at and verdict.lost(look):
                self._lost = f"no word for {time.monotonic() - heard_at:.0f} s: {look.value}"
                shut_down(self)
                return


@contextmanager
def connection(dsn: str, *, purpose: str, autocommit: bool = True) -> Iterator[Connection]:
    """Connect, and translate what goes wrong inside the block."""
    try:
        conn = WatchedConnection.connect(with_name(dsn, f"pggit-daemon {purpose}"), autocommit=True)
    except psycopg.Error as exc:
        where = f" ({redact_dsn(dsn)})" if dsn else ""
        raise ConnectError(f"cannot connect{where}: {_reason(exc)}", hint=CHECK_LOGIN) from exc
    try:
        with conn, conn.watched(dsn):
            _pin(conn)
            conn.autocommit = autocommit
            yield conn
    except psycopg.Error as exc:
        raise translate(exc) from exc


def with_name(dsn: str, application_name: str) -> str:
    """Add a name, where the connection string has none, and what holds for every connection of ours."""
    given = conninfo_to_dict(dsn).get("application_name")
    return transport(make_conninfo(dsn, application_name=given or application_name))


def _pin(conn: Connection) -> None:
    """Set what our statements depend on; not through a pooler, which would hand these settings to other clients."""
    check_encoding(conn)
    row = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    if row is not None and row[0] != conn.info.backend_pid:
        raise PrerequisiteError(
            "the connection goes through a pooler, which shares its sessions with others",
            hint="connect to PostgreSQL itself, as the daemon must for its replication slot",
        )
    pins = session.settings(conn.info.server_version, lock_timeout="0")
    conn.execute(f"{session.statements(pins)}; {session.DURABLE}; {session.UNCHECKED}".encode())


def translate(error: psycopg.Error) -> PggitDaemonError:
    """Say what an error of the server means for a command."""
    reason = _reason(error)
    match error:
        case pg.UndefinedTable() | pg.InvalidSchemaName() | pg.UndefinedFunction() | pg.UndefinedColumn():
            return PrerequisiteError(
                f"pggit-daemon is not installed in this database, or by an older version: {reason}", hint=_INIT
            )
        case pg.InsufficientPrivilege():
            return right_missing(error, f"the role lacks a right: {reason}", hint=_WHO_READS)
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
            return ConnectError(f"the connection broke: {reason}", hint="run the command again")
        case _:
            return PggitDaemonError(f"the server says: {reason}")


def _reason(error: psycopg.Error) -> str:
    diagnostics = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
    said = " · ".join(part for part in diagnostics if part) or libpq_said(error)
    return redact(" ".join(said.split()))
