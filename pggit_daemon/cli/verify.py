"""`verify`: the recorded tree compared with the catalog, now.

In: a database. Out: what differs, by name. It compares by itself and only reads; what it finds is looked at again after
the daemon has handled everything up to then (`model/differences.py`). The daemon, asked, records what is certain.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_json, print_text
from pggit_daemon.decode.plugin import VERIFY
from pggit_daemon.errors import REPAIR, RESTORED, NotAsRecorded, PggitDaemonError, PrerequisiteError
from pggit_daemon.model.differences import CHUNK, LOOKS, Difference, certain, read, readable
from pggit_daemon.query.connect import Connection, connection
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from pggit_daemon.config import Database

_SOON = 0.1  # seconds between looks at whether the daemon has compared
_NOT_READ = (
    "nobody reads the slot {}: what ran since the daemon stopped is not in the history yet, be it a migration that"
    " changed no object, or a change that was undone"
)


def verify(
    *,
    timeout: Annotated[
        float, typer.Option(min=0, help="Wait so many seconds for the daemon to have read what is committed now.")
    ] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report; do not have the daemon record it.")] = False,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the recorded schema with the catalog, object by object. Exit code 6 where they differ."""
    chosen = choose_database(config, dsn, database)
    began = time.monotonic()
    with connection(chosen.dsn, purpose="verify") as conn:
        if conn.execute(load_queries("load")["installation"]).fetchone() != (True,):
            raise PrerequisiteError(RESTORED.format(conn.info.dbname), hint=REPAIR)
        wanted = conn.execute(load_queries("load")["addresses"]).fetchall()
        found = [one for at in range(0, len(wanted), CHUNK) for one in _differing(conn, wanted[at : at + CHUNK])]
        seconds = time.monotonic() - began
        found = _looked_at_again(conn, found, timeout, chosen) if readable(found) else found
        different = readable(found)
        recorded = _recorded(conn, timeout) if different and not dry_run else None
        broken = [row[0] for row in conn.execute(load_queries("cli")["capture_state"]).fetchall()]
        unread = conn.execute(load_queries("cli")["unread"]).fetchone()
    unreadable = [one for one in found if one.unreadable is not None]
    if json:
        document = {"database": chosen.name, "objects": len(wanted), "seconds": round(seconds, 3), "commit": recorded}
        document |= {"capture": broken, "note": _NOT_READ.format(unread[0]) if unread is not None else None}
        lists = {"differences": different, "unreadable": unreadable}
        print_json(document | {name: [_as_json(one) for one in some] for name, some in lists.items()})
    else:
        print_text(
            f"{len(wanted)} objects of the catalog, our own among them, compared in {seconds:.2f} s,"
            f" {len(different)} differ from the record"
        )
        for one in [*different, *unreadable]:
            print_text(f"  {one.says}")
        for part in broken:
            print_text(f"  {part}")
        if recorded is not None:
            print_text(f"recorded as commit {recorded[:12]}")
    if unread is not None:
        sys.stderr.write(f"note: {_NOT_READ.format(unread[0])}\n")
    if different:
        count = f"{len(different)} objects are" if len(different) > 1 else "1 object is"
        raise NotAsRecorded(
            f"{count} not as recorded",
            hint="docs/operations.md has the usual reasons"
            if recorded is None
            else f"pggit-daemon show {recorded[:12]}",
        )
    if broken:
        raise PrerequisiteError(
            f"what is recorded is as the catalog is, but not every statement is recorded: {broken[0]}",
            hint="pggit-daemon init as a superuser repairs it",
        )


def _differing(conn: Connection, oids: list[tuple[int, int]]) -> list[Difference]:
    values = {"classids": [classid for classid, _ in oids], "objids": [objid for _, objid in oids]}
    return [read(row) for row in conn.execute(load_queries("load")["differing"], values).fetchall()]


def _looked_at_again(conn: Connection, found: list[Difference], timeout: float, chosen: Database) -> list[Difference]:
    """Only what is found the same a second time, after the daemon has come that far, is no work in progress."""
    for _ in range(LOOKS):
        row = conn.execute("SELECT pggit.wait_for_sync(make_interval(secs => %s))", [timeout]).fetchone()
        if row != (True,):
            raise PggitDaemonError(
                f"{len(found)} objects differ so far, but within {timeout:g} s the daemon of {chosen.name}"
                f" has not handled what was committed before; the first: {found[0].says}",
                hint="pggit-daemon status shows how far it is; then run verify again",
            )
        second = _differing(conn, [(one.oid.classid, one.oid.objid) for one in found])
        sure = certain(found, second)
        if len(sure) == len(readable(second)):
            return second
        found = second
    raise PggitDaemonError(
        f"{len(found)} objects keep changing; the first: {found[0].says}",
        hint="run verify again when fewer changes run",
    )


def _recorded(conn: Connection, timeout: float) -> str | None:
    """Ask the daemon to compare, and wait for the commit that it makes of it; None where it does not come."""
    (asked,) = conn.execute("SELECT pggit_daemon.ask_verification()").fetchone() or (None,)
    conn.execute("SELECT pggit_daemon.ping(%s, true)", [VERIFY])
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        row = conn.execute(load_queries("cli")["verified_since"], {"asked": asked}).fetchone()
        if row is not None:
            return None if row[0] is None else str(row[0])
        time.sleep(_SOON)
    return None


def _as_json(one: Difference) -> dict[str, Any]:
    return {
        "type": one.key.type if one.key else None,
        "schema": one.key.schema if one.key else None,
        "identity": one.key.identity if one.key else None,
        "says": one.says,
        "in_catalog": one.now is not None,
        "recorded": one.recorded is not None,
        "definition": one.blob.definition if one.blob else None,
    }
