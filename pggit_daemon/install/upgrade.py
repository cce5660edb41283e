"""Install and upgrade: the steps not yet applied, the repeatable files if they changed, the daemon's role.

In: a superuser's connection. Out: a report, or an error and nothing changed. Running it again on an
installed database changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import errors

from pggit_daemon.errors import InstallError, PrerequisiteError
from pggit_daemon.install import state
from pggit_daemon.install.needs import still_to_do
from pggit_daemon.install.script import Grants, Work, as_text, opening, statements
from pggit_daemon.install.state import (
    applied_steps,
    broken_parts,
    exclusive,
    installed_version,
    is_restored,
    repeatable_digest,
    restored_steps,
    run_file,
)
from pggit_daemon.sql import digest, load_queries, repeatable, steps

if TYPE_CHECKING:
    import psycopg

_queries = load_queries("install_rights")


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What an installation did.

    `from_version` is None on a database without us; `steps` and `repeatable` are the files that ran;
    `granted`: somebody has rights now who had them not, or fewer;
    `notes` are statements that a DBA should still run, each with its reason as a comment.
    """

    from_version: int | None
    to_version: int
    steps: tuple[str, ...]
    repeatable: tuple[str, ...]
    granted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.steps or self.repeatable or self.granted)


def install(
    conn: psycopg.Connection[Any],
    *,
    daemon_role: str | None = None,
    read_all_data: bool = False,
    migrators: tuple[str, ...] = (),
    plugin: str = "auto",
) -> InstallReport:
    """Install or upgrade; with `daemon_role`, also give that role what the daemon needs, making it if it is missing.

    With `read_all_data` it may read every table. `migrators` may record migrations, beside the database's owner.
    `plugin` is what the server must be able to load later.
    """
    grants = Grants(daemon_role, read_all_data, migrators)
    with exclusive(conn):
        before = installed_version(conn)
        work = _open_work(conn, grants)
        rights = _rights(conn, grants)
        for part in statements(work):
            run_file(conn, part.name, part.text)
        return InstallReport(
            from_version=before,
            to_version=steps()[-1].number,
            steps=tuple(file.name for file in work.steps),
            repeatable=tuple(file.name for file in work.repeatable),
            granted=_rights(conn, grants) != rights,
            notes=still_to_do(conn, daemon_role, plugin),
        )


def _rights(conn: psycopg.Connection[Any], grants: Grants) -> object:
    """Return what is another value once something was granted."""
    roles = [*grants.migrators, *([grants.daemon_role] if grants.daemon_role is not None else [])]
    return conn.execute(_queries["given"].encode(), {"roles": roles}).fetchall()


def plan(
    conn: psycopg.Connection[Any],
    *,
    daemon_role: str | None = None,
    read_all_data: bool = False,
    migrators: tuple[str, ...] = (),
) -> str:
    """Return the SQL that `install` would run now, as a script for psql; changes nothing.

    Anybody may have it for a database without us; what is installed, a superuser may look at.
    """
    try:
        with conn.transaction(force_rollback=True):
            work = _open_work(conn, Grants(daemon_role, read_all_data, migrators))
            version = installed_version(conn)
    except errors.InsufficientPrivilege as exc:
        raise PrerequisiteError(
            f"the role may not see what is installed in this database: {exc.diag.message_primary}",
            hint="connect as a superuser, as who runs the printed SQL must",
        ) from exc
    parts = statements(work)
    if not parts:
        return f"-- Nothing to do: version {version} is installed.\n"
    return as_text((*opening(state.LOCK_TIMEOUT), *parts))


def _open_work(conn: psycopg.Connection[Any], grants: Grants) -> Work:
    known = steps()
    restored = is_restored(conn)
    done = restored_steps(conn) if restored else applied_steps(conn)
    newest = max(done, default=0)
    if newest > known[-1].number:
        raise InstallError(
            f"the database holds version {newest}, this program knows versions up to {known[-1].number}",
            hint="upgrade pggit-daemon on this machine",
        )
    files = repeatable()
    missing = tuple(step for step in known if step.number not in done)
    # With each step, as what it changes of the bookkeeping is a function, too.
    current = not missing and repeatable_digest(conn) == digest(files) and not broken_parts(conn)
    return Work(
        steps=missing,
        repeatable=() if current else files,
        first_time=installed_version(conn) is None and not restored,
        grants=grants,
        restored=restored,
        restored_steps=tuple(step for step in known if restored and step.number in done),
    )
