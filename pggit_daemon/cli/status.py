"""`status`: how far the daemon has come in each database, and what needs somebody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose, choose_database
from pggit_daemon.cli.output import moment, print_json, print_pairs, print_table, print_text, shown, size
from pggit_daemon.errors import COUNTED, NAME_STANDBYS, NOT_LOGICAL, SET_LOGICAL, PggitDaemonError
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.transaction import TableName
from pggit_daemon.query.connect import connection
from pggit_daemon.sql import load_queries
from pggit_daemon.tools.doubts import doubts
from pggit_daemon.tools.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pggit_daemon.config import Database
    from pggit_daemon.query.connect import Connection
    from pggit_daemon.tools.doubts import Doubt


def status(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Show how far the daemon has come, its slot, the migrations by source, and what is open."""
    databases = (choose_database(config, dsn, database),) if database else choose(config, dsn).databases
    documents: dict[str, dict[str, Any]] = {}
    failures: list[PggitDaemonError] = []
    for chosen in databases:
        try:
            documents[chosen.name] = _read(chosen)
        except PggitDaemonError as exc:
            if len(databases) == 1:
                raise
            # The others' state is still worth showing; the exit code says that one failed.
            documents[chosen.name] = {"error": exc.message, "hint": exc.hint}
            failures.append(exc)
    if json:
        print_json({"databases": documents})
    else:
        for name, document in documents.items():
            _print(name, document)
    if failures:
        raise failures[0]


def _read(database: Database) -> dict[str, Any]:
    with connection(database.dsn, purpose="status") as conn:
        row = conn.execute(load_queries("cli")["status"]).fetchone()
        document: dict[str, Any] = row[0] if row else {}
        document["doubts"] = [
            {"table": str(one.table), "why": str(one), "hint": one.hint} for one in _doubts(conn, database, document)
        ]
    return document


def _doubts(conn: Connection, database: Database, document: Mapping[str, Any]) -> list[Doubt]:
    """Tables that somebody may take for followed, and that are not."""
    wanted = Registry(database.presets).wanted
    rows = conn.execute(
        load_queries("load")["tables"],
        {
            "sets": [json.dumps(sorted(names)) for names in wanted.columns],
            "companions": sorted(wanted.companions),
            "named": [],
        },
    ).fetchall()
    tables = {TableName(schema, name): Shape.parse(json.loads(shape)) for schema, name, _, shape in rows if shape}
    known = {TableName(one["schema"], one["table"]) for one in document["sources"] if one["table"] is not None}
    found = doubts(database.presets, tables, known)
    return [one for one in found if database.discovery.allows(one.table)]


def _print(name: str, document: Mapping[str, Any]) -> None:
    if "error" in document:
        print_text(f"{name}: {document['error']}")
        return
    progress, slot, head = document["progress"] or {}, document["slot"], document["head"] or {}
    print_pairs(
        [
            ("database", f"{name} ({document['database']}, PostgreSQL {document['server_version']})"),
            (
                "head",
                f"{head['id']} {head['hash'][:12]} {head['message']}" if head else "no commit yet",
            ),
            ("handled up to", f"{progress['end_lsn']} at {_at(progress['updated_at'])}" if progress else "nothing yet"),
            ("slot", _slot(slot, progress)),
            ("commits", _counts(document["commits"])),
            ("objects", f"{document['recorded_objects']} recorded"),
            ("verified", _verified(document["verified"])),
            ("event triggers", _triggers(document["event_triggers_off"])),
            ("findings", _open(document["findings"], "pggit-daemon findings")),
            ("conflicts", _open(document["conflicts"], "SELECT * FROM pggit.list_conflicts()")),
            ("quarantined", document["quarantined"]),
            ("capture", "; ".join(document["capture"]) or "every statement is recorded"),
        ]
    )
    if document["sources"]:
        print_table(
            ("source", "tool", "table", "found by", "migrations", "newest", "unlinked"),
            [
                (
                    s["name"],
                    s["tool"],
                    f"{s['schema']}.{s['table']}" + _TABLE_STATES[s["state"]] if s["table"] is not None else "",
                    s["origin"],
                    _counts(s["migrations"]),
                    s["newest"],
                    s["unlinked"],
                )
                for s in document["sources"]
            ],
        )
    if document["wal_level"] != "logical":
        print_text(f"{NOT_LOGICAL.format(document['wal_level'])}\n  hint: {SET_LOGICAL}")
    if slot is not None and slot["is_standby"]:
        print_text(f"{COUNTED}\n  hint: {NAME_STANDBYS}")
    for source in document["sources"]:
        if source["state"] in {"unreadable", "read"} and source["detail"]:
            print_text(f"source {source['name']}: {source['detail']}")
    for doubt in document["doubts"]:
        print_text(f"not followed: {doubt['why']}\n  hint: {doubt['hint']}")


_TABLE_STATES = {
    "read": "",
    "missing": " (waiting for its table)",
    "unreadable": " (is not read)",
    "locked": " (locked by others)",
}


def _slot(slot: Mapping[str, Any] | None, progress: Mapping[str, Any]) -> str:
    if slot is None:
        return f"{progress['slot']} is missing" if progress else "none yet"
    state = f"read by process {slot['active_pid']}" if slot["active"] else "not read by anybody"
    parts = [
        f"{slot['name']} ({slot['plugin']}), {state}",
        f"{size(slot['lag_bytes'])} behind" if slot["lag_bytes"] is not None else None,
        f"{size(slot['retained_bytes'])} kept" if slot["retained_bytes"] is not None else None,
        f"{size(slot['safe_wal_bytes'])} left before it is lost" if slot["safe_wal_bytes"] is not None else None,
        f"WAL {slot['wal_status']}" if slot["wal_status"] not in {None, "reserved"} else None,
    ]
    return ", ".join(part for part in parts if part)


def _verified(last: Mapping[str, Any] | None) -> str:
    """The last comparison of the whole catalog with the record."""
    if last is None:
        return "not yet"
    unreadable = f", {last['unreadable']} could not be read" if last["unreadable"] else ""
    # How many were looked at is another number than those recorded, as ours and some of the server's are not.
    differing = f"{last['differing']} were not as recorded{unreadable}"
    return f"all objects of the catalog at {_at(last['at'])}; {differing}"


def _at(moment_text: str) -> str:
    return shown(moment(moment_text))


def _open(counts: Mapping[str, int], listed_by: str) -> str:
    return f"{_counts(counts)}; see {listed_by}" if counts else "none"


def _triggers(off: list[str]) -> str:
    return f"missing or off: {', '.join(off)}; pggit-daemon init makes them anew" if off else "all on"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{total} {name}" for name, total in sorted(counts.items()))
