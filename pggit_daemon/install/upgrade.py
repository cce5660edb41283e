"""Install and upgrade: the steps not yet applied, the repeatable files if they changed, the daemon's role.

In: a superuser's connection. Out: a report, or an error and nothing changed. Running it again on an
installed database changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pggit_daemon.errors import InstallError
from pggit_daemon.install.roles import permit
from pggit_daemon.install.state import (
    applied_steps,
    exclusive,
    installed_version,
    object_list,
    queries,
    repeatable_digest,
    run_file,
)
from pggit_daemon.sql import SqlFile, digest, repeatable, steps

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What an installation did.

    `from_version` is None on a database without us; `steps` and `repeatable` are the files that ran;
    `notes` are statements that a DBA should still run, each with its reason as a comment.
    """

    from_version: int | None
    to_version: int
    steps: tuple[str, ...]
    repeatable: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps or self.repeatable)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is still to do."""

    steps: tuple[SqlFile, ...]
    repeatable: tuple[SqlFile, ...]


def install(conn: psycopg.Connection[Any], *, daemon_role: str | None = None) -> InstallReport:
    """Install or upgrade; with `daemon_role`, also give that role the rights the daemon needs."""
    with exclusive(conn):
        before = installed_version(conn)
        work = _open_work(conn)
        if work.steps or work.repeatable:
            _apply(conn, work, first_time=before is None)
        notes = permit(conn, daemon_role) if daemon_role else ()
        return InstallReport(
            from_version=before,
            to_version=steps()[-1].number,
            steps=tuple(file.name for file in work.steps),
            repeatable=tuple(file.name for file in work.repeatable),
            notes=notes,
        )


def plan(conn: psycopg.Connection[Any]) -> str:
    """Return the SQL that `install` would run now; changes nothing."""
    with conn.transaction(force_rollback=True):
        work = _open_work(conn)
        version = installed_version(conn)
    if not work.steps and not work.repeatable:
        return f"-- Nothing to do: version {version} is installed.\n"
    files = [*work.steps, *work.repeatable]
    if version is None:
        files.insert(0, SqlFile("bookkeeping", queries["bookkeeping"] + "\n"))
    parts = [f"-- {file.name}\n{file.text}" for file in files]
    return "BEGIN;\n\n" + "\n".join(parts) + f"\n{queries['close_to_public']}\n\nCOMMIT;\n"


def _open_work(conn: psycopg.Connection[Any]) -> _Work:
    known = steps()
    done = applied_steps(conn)
    newest = max(done, default=0)
    if newest > known[-1].number:
        raise InstallError(
            f"the database holds version {newest}, this program knows versions up to {known[-1].number}",
            hint="upgrade pggit-daemon on this machine",
        )
    files = repeatable()
    current = repeatable_digest(conn) == digest(files)
    return _Work(tuple(step for step in known if step.number not in done), () if current else files)


def _apply(conn: psycopg.Connection[Any], work: _Work, *, first_time: bool) -> None:
    before = object_list(conn)
    run_file(conn, "bookkeeping", queries["bookkeeping"])
    if first_time:
        conn.execute(queries["remember_before"])
    for step in work.steps:
        run_file(conn, step.name, step.text)
        conn.execute(queries["record_step"], {"number": step.number, "name": step.name, "sha256": digest((step,))})
    if first_time:
        conn.execute(queries["remember_heads"])
    for file in work.repeatable:
        run_file(conn, file.name, file.text)
    conn.execute(queries["record_repeatable"], {"sha256": digest(repeatable())})
    run_file(conn, "close_to_public", queries["close_to_public"])
    added = [
        {"type": kind, "identity": identity}
        for (kind, identity), schema in object_list(conn).items()
        if (kind, identity) not in before and (schema == "pggit" or (kind, identity) == ("schema", "pggit"))
    ]
    with conn.cursor() as cursor:
        cursor.executemany(queries["record_added"], added)
