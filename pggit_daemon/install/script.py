"""Everything that an installation runs, as text.

In: what is installed, and who is to get rights. Out: the statements in their order, each part with its name. Pure:
`install` runs exactly these, and `init --dry-run` prints exactly these, so that psql can do the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from pggit_daemon.sql import SqlFile, digest, load_queries
from pggit_daemon.tools.capture_settings import capture_settings
from pggit_daemon.tools.preset import packaged

LOCK_KEY = 0x7067676974  # "pggit": the advisory lock of whoever installs or removes

_queries = load_queries("install", "install_restored", "install_rights")


@dataclass(frozen=True, slots=True)
class Grants:
    """Who is to get rights: the daemon's role, and whether it may read every table; who records migrations."""

    daemon_role: str | None = None
    read_all_data: bool = False
    migrators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """What a database lacks: steps, and the repeatable files if they are not there as they are now."""

    steps: tuple[SqlFile, ...]
    repeatable: tuple[SqlFile, ...]
    first_time: bool
    grants: Grants = Grants()
    restored: bool = False  # from a dump of the schema alone: the rows of the bookkeeping come first
    restored_steps: tuple[SqlFile, ...] = ()  # the steps of such a dump

    @property
    def changes(self) -> bool:
        return bool(self.steps or self.repeatable)


def opening(lock_timeout: str) -> tuple[SqlFile, ...]:
    """Return what begins the transaction of every installation and removal: pinned settings and the lock."""
    return (
        SqlFile("settings", _filled("settings", lock_timeout=lock_timeout)),
        SqlFile("lock", _filled("lock", key=LOCK_KEY)),
    )


def statements(work: Work) -> tuple[SqlFile, ...]:
    """Return what follows the opening, part by part."""
    # The repeatable files make their role.
    migrators = _migrators(work.grants) if work.repeatable or (work.grants.migrators and not work.steps) else []
    permitted = work.changes or work.grants.daemon_role is not None
    return (*(_changes(work) if work.changes else ()), *(_grants(work.grants) if permitted else ()), *migrators)


def as_text(parts: tuple[SqlFile, ...]) -> str:
    """Return the parts as one script for psql."""
    return "BEGIN;\n\n" + "".join(f"-- {part.name}\n{part.text.rstrip()}\n\n" for part in parts) + "COMMIT;\n"


def _changes(work: Work) -> list[SqlFile]:
    parts = [_named("bookkeeping"), _named("objects_before", "before", "objects")]
    if work.restored:
        parts += restored_bookkeeping(work.restored_steps)
    if work.first_time:
        parts.append(_named("remember_before"))
    for step in work.steps:
        record = _filled("record_step", **_recorded(step))
        parts += [step, SqlFile(f"{step.name} is done", record)]
    if work.first_time:
        parts.append(_named("remember_heads"))
    if work.repeatable:
        looked_for = _filled("put_tools", tools=json.dumps(capture_settings(dict(packaged())) | {"adds": True}))
        parts += [*work.repeatable, SqlFile("what is looked for of tools", looked_for)]
    parts += [_named("close_to_public"), _named("what was added", "added_since", "objects"), _named("copy_bookkeeping")]
    if work.repeatable:
        # Last: it remembers every function of ours as it is, also the one that holds the copy.
        parts.append(SqlFile("repeatable files are done", _repeatable_done(work.repeatable)))
    return parts


def restored_bookkeeping(there: Iterable[SqlFile]) -> tuple[SqlFile, ...]:
    """Return what gives a restored database, in which these steps were, the rows that say what is installed."""
    rows = _named("restore_bookkeeping", "restore_bookkeeping", "objects")
    named = [SqlFile(f"{step.name} was there", _filled("restore_step", **_recorded(step))) for step in there]
    return (rows, *named)


def _recorded(step: SqlFile) -> dict[str, object]:
    return {"number": step.number, "name": step.name, "sha256": digest((step,))}


def _grants(grants: Grants) -> list[SqlFile]:
    text = _filled("permit_daemon", role=grants.daemon_role, read_all_data=grants.read_all_data)
    return [SqlFile("the daemon's role", text)]


def _migrators(grants: Grants) -> list[SqlFile]:
    return [SqlFile("who records migrations", _filled("permit_migrators", migrators=list(grants.migrators)))]


def _repeatable_done(files: tuple[SqlFile, ...]) -> str:
    return _filled("record_repeatable", sha256=digest(files))


def _named(name: str, query: str | None = None, inner: str | None = None) -> SqlFile:
    text = _queries[query or name]
    if inner is not None:
        text = text.replace("{objects}", _queries[inner].rstrip().rstrip(";"))
    return SqlFile(name, text)


def _filled(query: str, **values: object) -> str:
    literals = {name: sql.Literal(value) for name, value in values.items()}
    return sql.SQL(_queries[query]).format(**literals).as_string(None)
