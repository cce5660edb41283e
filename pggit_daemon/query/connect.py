"""A connection for one command, with the server's errors put into ours.

In: a connection string. Out: a synchronous connection in a `with` block; errors by SQLSTATE, with a hint.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.config import redact, redact_dsn
from pggit_daemon.errors import ConnectError, PggitDaemonError, PrerequisiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT_SECONDS = 10  # unless the connection string or PGCONNECT_TIMEOUT says otherwise
_INIT = "pggit-daemon init --dsn DSN"

Connection = psycopg.Connection[Any]


@contextmanager
def connection(dsn: str, *, purpose: str, autocommit: bool = True) -> Iterator[Connection]:
    """Connect, and translate what goes wrong inside the block."""
    try:
        conn = psycopg.connect(with_defaults(dsn, f"pggit-daemon {purpose}"), autocommit=autocommit)
    except psycopg.Error as exc:
        where = f" ({redact_dsn(dsn)})" if dsn else ""
        raise ConnectError(
            f"cannot connect{where}: {_reason(exc)}",
            hint="check the connection string, pg_hba.conf and that the server runs; psql takes the same string",
        ) from exc
    try:
        with conn:
            yield conn
    except psycopg.Error as exc:
        raise translate(exc) from exc


def with_defaults(dsn: str, application_name: str) -> str:
    """Add a name and a connect timeout where the connection string has none."""
    given = conninfo_to_dict(dsn)
    wanted = {"application_name": application_name, "connect_timeout": str(_CONNECT_SECONDS)}
    return make_conninfo(dsn, **{key: value for key, value in wanted.items() if key not in given})


def translate(error: psycopg.Error) -> PggitDaemonError:
    """Say what an error of the server means for a command."""
    reason = _reason(error)
    match error:
        case pg.UndefinedTable() | pg.InvalidSchemaName() | pg.UndefinedFunction() | pg.UndefinedColumn():
            return PrerequisiteError(
                f"pggit-daemon is not installed in this database, or by an older version: {reason}", hint=_INIT
            )
        case pg.InsufficientPrivilege():
            return PrerequisiteError(
                f"the role lacks a right: {reason}",
                hint=f"{_INIT} --role ROLE, as a superuser; or use a role that has it",
            )
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
            return ConnectError(f"the connection broke: {reason}", hint="run the command again")
        case _:
            return PggitDaemonError(f"the server says: {reason}")


def _reason(error: psycopg.Error) -> str:
    diagnostics = [error.diag.message_primary, error.diag.message_detail, error.diag.message_hint]
    said = " · ".join(part for part in diagnostics if part) or str(error)
    return redact(" ".join(said.split()))
