"""What is installed, who may change it, and the one transaction in which that happens.

In: a connection. Out: facts about the database, and `exclusive`, the transaction of `install` and
`uninstall`: alone by an advisory lock, and never queueing for long in front of the users' sessions.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors

from pggit_daemon.errors import ConnectError, InstallError, PrerequisiteError
from pggit_daemon.install.script import LOCK_KEY, opening
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK_TIMEOUT = "5s"
OLDEST_SERVER = 140000

queries = load_queries("install", "install_restored", "install_rights")


def installed_version(conn: psycopg.Connection[Any]) -> int | None:
    """Return the number of the last step that was applied; None where nothing is installed."""
    if not _value(conn, queries["is_installed"]):
        return None
    version: int | None = _value(conn, queries["version"])
    return version


def is_restored(conn: psycopg.Connection[Any]) -> bool:
    """Whether our tables came from a dump of the schema alone: they are there, and no row says so."""
    return bool(
        _value(conn, queries["is_installed"])
        and installed_version(conn) is None
        and _value(conn, queries["is_restored"])
    )


def restored_steps(conn: psycopg.Connection[Any]) -> frozenset[int]:
    """Return the steps that such a dump had."""
    said = "restored_steps" if _value(conn, queries["has_copy"]) else "steps_by_their_marks"
    return frozenset(row[0] for row in rows(conn, queries[said]))


def broken_parts(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return what of an installation was disabled, changed or dropped since, and can be repaired."""
    if not _value(conn, queries["can_tell_state"]):
        return ("function pggit_daemon.capture_state is missing",)
    return tuple(f"{part} {problem}" for part, problem in rows(conn, queries["repairable"]))


def replicated_by(conn: psycopg.Connection[Any]) -> tuple[tuple[str, str], ...]:
    """Return publications FOR ALL TABLES, each with the statements that leave our tables out."""
    return tuple((name, statement) for name, statement in rows(conn, queries["all_tables_publications"]))


def applied_steps(conn: psycopg.Connection[Any]) -> frozenset[int]:
    if not _value(conn, queries["is_installed"]):
        return frozenset()
    return frozenset(row[0] for row in rows(conn, queries["applied_steps"]))


def repeatable_digest(conn: psycopg.Connection[Any]) -> str | None:
    """Return the digest of the repeatable files as they ran last; None before the first time."""
    if not _value(conn, queries["is_installed"]):
        return None
    digest: str | None = _value(conn, queries["repeatable_digest"])
    return digest


def object_list(conn: psycopg.Connection[Any]) -> dict[tuple[str, str], str | None]:
    """Return the schema of every object, by type and identity, of users and ours alike."""
    return {(row[0], row[1]): row[2] for row in rows(conn, queries["objects"])}


def check_rights(conn: psycopg.Connection[Any]) -> None:
    """Raise PrerequisiteError unless this is a superuser on a server we know."""
    superuser, role, server = rows(conn, queries["rights"])[0]
    if server < OLDEST_SERVER:
        raise PrerequisiteError(f"PostgreSQL 14 or later is needed, this server is {server // 10000}")
    if not superuser:
        raise PrerequisiteError(
            f"init and uninstall need a superuser, and {role} is none: only a superuser makes event triggers",
            # Never that the role be made one: it may be the daemon's, which is to have the least rights possible.
            hint='pass the connection string of a superuser, as --dsn "dbname=… user=postgres"',
        )


@contextmanager
def exclusive(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Open the transaction; errors of the server come out as InstallError, and nothing was changed then."""
    try:
        with conn.transaction():
            check_rights(conn)
            for part in opening(LOCK_TIMEOUT):
                conn.execute(part.text.encode())
            yield
    except errors.LockNotAvailable as exc:
        raise InstallError(
            f"waited {LOCK_TIMEOUT} for a lock and gave up, nothing was changed; in the way: {_holders(conn)}",
            hint="wait for that session, or end it: SELECT pg_terminate_backend(<pid>);",
        ) from exc
    except psycopg.OperationalError as exc:
        raise ConnectError(f"the connection was lost, nothing was changed: {exc}") from exc
    except psycopg.Error as exc:
        raise InstallError(f"nothing was changed: {exc}") from exc


def run_file(conn: psycopg.Connection[Any], name: str, text: str) -> None:
    """Run a file of statements; an error names the file."""
    try:
        conn.execute(text.encode())
    except errors.LockNotAvailable:
        raise
    except psycopg.OperationalError:
        raise
    except psycopg.Error as exc:
        raise InstallError(f"{name} failed, nothing was changed: {exc}") from exc


def _holders(conn: psycopg.Connection[Any]) -> str:
    try:
        found = rows(conn, queries["lock_holders"], {"key": LOCK_KEY})
    except psycopg.Error:
        return "unknown (this connection is inside a failed transaction)"
    words = [
        f"pid {pid} ({user}, {application or 'no application_name'}, {state}: {query!r})"
        for pid, user, application, state, query in found
    ]
    return "; ".join(words) or "nobody any more"


def rows(
    conn: psycopg.Connection[Any], query: str, parameters: Mapping[str, object] | None = None
) -> list[tuple[Any, ...]]:
    """Run a query and return its rows as tuples, whatever the connection's own row factory."""
    with conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _value(conn: psycopg.Connection[Any], query: str) -> Any:  # noqa: ANN401  the one column of any query
    found = rows(conn, query)
    return found[0][0] if found else None
