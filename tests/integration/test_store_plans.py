"""What the store writes costs what changed, not what is recorded: however much that is, and whatever the planner knows.

Each operation of sql/store runs on tables with thousands of rows, by a plan made now or kept from the time when they
were nearly empty. Counted are the rows that it had to look at, those of foreign key checks among them.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.db import session
from pggit_daemon.db.connections import STORING
from pggit_daemon.store.usual import CALL, usual

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = 6
MANY = 3000
LOOKED_AT = 40
"""Rows of one table or index that one operation may look at."""

FILL = """
    INSERT INTO pggit_daemon.blob
    SELECT decode(lpad(to_hex(n), 64, '0'), 'hex'), 'x', NULL, '{}' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit.commits (id, hash, branch_id, kind, source_lsn, source_xid, author)
    SELECT n, lpad(to_hex(n), 64, '0'), 1, 'out_of_band', ('0/' || to_hex(n * 16))::pg_lsn, n, 'somebody'
    FROM generate_series(1, %(rows)s) AS n;
    SELECT setval(pg_get_serial_sequence('pggit.commits', 'id'), 100000);
    INSERT INTO pggit_daemon.object_version (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)
    SELECT 'table', 'app', 'app.t' || n, 1259, n, decode(lpad(to_hex(n), 64, '0'), 'hex'), n,
           CASE version WHEN 1 THEN n + 1 END
    FROM generate_series(1, %(rows)s - 1) AS n, generate_series(1, 2) AS version;
    INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id, source_lsn)
    SELECT n, 'flyway', 'history', n, ('0/' || to_hex(n * 16))::pg_lsn FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence)
    SELECT 'flyway', 'history', n, n, 'lock' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.history_event (source, meaning, operation, occurred_at, commit_id)
    SELECT 'history', 'applied', 'insert', now(), n FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.source_row (source, row_key, columns)
    SELECT 'history', n, '{}' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description, commit_id, status)
    SELECT kind, 'table', 'app.t' || n, 'd', n, status FROM generate_series(1, %(rows)s) AS n,
           unnest('{out_of_band,tree_differs,checksum_changed}'::text[]) AS kind,
           unnest('{resolved,unresolved}'::text[]) AS status;
    INSERT INTO pggit_daemon.quarantine (lsn, raw, reason)
    SELECT ('0/' || to_hex(n * 16))::pg_lsn, 'r', 'x' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit.deployments (deployment_id, deployment_name, status, started_by, started_at, pid, backend_start)
    SELECT lpad(n::text, 32, '0')::uuid, 'd', 'ended', 'somebody', now(), n, now()
    FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.ddl_event (id, recorded_at, kind, command_tag, pid, application_name, session_user_name,
                                        current_user_name, objects) OVERRIDING SYSTEM VALUE
    SELECT n, now(), 'ddl', 'CREATE TABLE', 1, '', 'u', 'u', '[]' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.attribution (kind, key, state)
    SELECT 'claim', lpad(n::text, 32, '0')::uuid, '{}' FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.open_run (run_key, state, pid, backend_start, user_name, started_at, tool_name, wrapped,
                                       waits)
    SELECT lpad(n::text, 32, '0')::uuid, 'open', n, now(), 'u', now(), 'x', false, false
    FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.logged_otherwise (type, schema_name, identity)
    SELECT 'table', 'app', 'app.t' || n FROM generate_series(1, %(rows)s) AS n;
    INSERT INTO pggit_daemon.request (id, recorded_at, action, pid, backend_start, user_name, arguments)
    OVERRIDING SYSTEM VALUE
    SELECT n, now(), 'link', 1, now(), 'u', '{}' FROM generate_series(1, %(rows)s) AS n;
"""
EMPTY = """
    DELETE FROM pggit_daemon.open_run; DELETE FROM pggit_daemon.attribution;
    DELETE FROM pggit_daemon.request; DELETE FROM pggit_daemon.ddl_event; DELETE FROM pggit.deployments;
    DELETE FROM pggit_daemon.quarantine; DELETE FROM pggit.conflicts; DELETE FROM pggit_daemon.source_row;
    DELETE FROM pggit_daemon.history_event; DELETE FROM pggit_daemon.link; DELETE FROM pggit.external_migrations;
    DELETE FROM pggit_daemon.logged_otherwise;
    DELETE FROM pggit_daemon.object_version; DELETE FROM pggit.commits; DELETE FROM pggit_daemon.blob;
"""
LOOKS = """
    SELECT relname, pg_stat_get_xact_tuples_returned(oid) FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'i') AND relnamespace IN ('pggit'::regnamespace, 'pggit_daemon'::regnamespace)
"""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def statements(n: int) -> Iterator[tuple[str, dict[str, Any]]]:  # noqa: PLR0915  # one of each
    """Each statement about one object, commit, migration and so on: those of number `n`."""
    commit, lsn = f"{n:064x}", f"0/{n * 16:X}"
    keys = {"type": ["table"], "identity": [f"app.t{n}"]}
    key = f"00000000-0000-0000-0000-{n:012}"
    of = {"tool": "flyway", "source": "history", "migration_id": n}
    migration = of | dict.fromkeys(
        ("name", "checksum", "applied_at", "applied_by", "execution_ms", "error_message", "rollback_of", "version")
    )
    migration |= {"sequence": n, "success": True, "status": "applied", "evidence": "lock", "lsn": lsn, "xid": 0}
    event = dict.fromkeys(("row_key", "old", "new", "evidence", "xid"))
    event |= {"source": "history", "meaning": "applied", "operation": "insert", "migration_id": n}
    event |= {"lsn": lsn, "occurred_at": NOW}
    at = ({"hash": commit, "at": None}, {"hash": None, "at": lsn}, {"hash": None, "at": None})

    blob = (n + 100_000).to_bytes(32)
    made = {"hash": f"{n + 100_000:064x}", "parent": commit, "message": "m", "author": "a", "time": NOW}
    made |= {"tree_hash": "t", "metadata": {}, "kind": "out_of_band", "lsn": lsn, "xid": n, "changed": 1}
    versions = [[["table", "new", f"new.{t}{n}", 1259, n + 100_000, blob, "x", None, ["schema new"]]] for t in "tuv"]
    other, gone = ({"type": ["table"], "identity": [f"app.t{n + more}"]} for more in (1, 2))
    yield "insert_commit", {**made, "ended": other, "begun": versions[0]}
    yield "move_versions", keys | {"classid": [1259], "objid": [n]}
    yield "close_versions", keys | {"hash": commit}
    yield "put_logged", {"names": [["table", "app", f"app.t{n}", True, 1259, n, blob]]}
    yield "open_versions", {"hash": commit, "begun": versions[1]}
    seen = {
        "row_key": str(n),
        "new": {},
        "row_migration_id": n,
        "meaning": "applied",
        "operation": "insert",
        "made": True,
    }
    yield "record_migration", migration | seen | {"hash": commit, "part": False, "occurred_at": NOW}
    for commit_is in at:
        yield "put_migration", migration | commit_is
        yield "link_known", migration | commit_is | {"anywhere": True, "records": True}
        yield "record_event", event | commit_is
        yield "link", of | commit_is | {"evidence": "lock", "part": False, "made": True, "objects": None, "detail": {}}
        yield "link_row", of | commit_is | {"row_source": "history", "lsn": lsn, "evidence": "lock"}
    yield "attribute_commit", {"hash": commit, "kind": "migration", "message": "m", "metadata": {}}
    yield "decided_out_of_band", {"hash": commit}
    yield "decided_migration", {"hash": commit}
    fact = {"kind": ["claim"], "key": [key]}
    yield "remember", fact | {"state": [{}]}
    yield "forget", fact
    yield "amend_any", {"tool": "flyway", "migration_id": n, "status": "rolled_back", "sources": ["sql"]}
    yield "amend_migration", of | {"status": None, "sets_checksum": True, "checksum": "c", "name": None}
    yield "abandon", {"keys": [key]}
    row = {"source": "history", "row_key": str(n)}
    yield "put_row", row | {"columns": {}, "migration_id": n}
    yield "delete_row", row
    yield "mark_part", {"source": "sql", "row_key": key, "last_part": lsn}
    run = {"key": key, "pid": n, "backend_start": NOW}
    begun = {"user": "u", "started_at": NOW, "tool": "x", "waits": False, "wrapped": False, "name": "d"}
    begun |= dict.fromkeys(("migration_id", "xact", "failed_at", "last_part"))
    yield "put_run", run | begun | {"state": "deployment"}
    yield "end_run", run | {"deployed": True, "ended_at": NOW, "message": None, "tags": ["a", None]}
    yield "quarantine", {"lsn": lsn, "xid": n, "raw": "r", "reason": "x"}
    yield "handled_events", {"ids": [n]}
    yield "handled_requests", {"ids": [n]}
    yield "out_of_band_conflicts", keys | {"hash": f"{FEW:064x}"}
    yield "tree_conflicts", keys | {"hash": commit, "description": ["d"]}
    yield "undone_conflicts", keys
    yield "settle_conflicts", keys
    yield "checksum_conflict", {"identity": f"history {n}", "description": "d"}
    compared = {"began_at": NOW, "objects": n, "differing": 0, "unreadable": 0, "seconds": 0.1}
    yield "put_verification", compared | {"commit": None, "writer": "w", "horizon": "1", "names": 1}
    source = {"name": "history", "tool": "flyway", "preset": "flyway", "schema": "s", "table": "t"}
    yield "put_source", source | {"lock_table": None, "origin": "config", "objid": n, "number_order": None}
    yield (
        "put_tools",
        {
            "locks": [[18028, 0, 1], [0, n, 1]],
            "applications": ["a program"],
            "watch": True,
            "shapes": {"p": {"tool": "t", "columns": ["c"], "keyed": True}},
        },
    )
    yield (
        "advance",
        {"slot": "s", "commit_lsn": lsn, "end_lsn": lsn, "head": None, "context": "{}", "before": f"0/{4 * 16:X}"},
    )
    of_number = {"migration_id": n + 100_000, "row_key": f"{n} again", "hash": f"{n + 200_000:064x}", "part": False}
    yield (
        "usual",
        {
            "insert_commit": {**made, "hash": of_number["hash"], "ended": gone, "begun": versions[2]},
            "record_migration": migration | seen | of_number | {"occurred_at": NOW},
            "settle_conflicts": keys,
            "advance": {"slot": "s", "commit_lsn": lsn, "end_lsn": lsn, "context": "{}", "before": lsn},
        },
    )


def fill(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, cursor_factory=psycopg.ClientCursor) as conn:
        conn.execute("SET pggit_daemon.storing = 'on'")
        conn.execute(EMPTY)
        conn.execute(FILL, {"rows": rows})


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("known", ["nothing", "few rows", "nothing, and few rows were there"])
def test_no_statement_looks_through_the_history(installed_database: str, mode: str, known: str) -> None:
    with psycopg.connect(installed_database) as conn:
        pins = session.statements(session.settings(conn.info.server_version, lock_timeout="5s"))
        conn.execute(f"{pins}; {STORING}; SET plan_cache_mode = {mode}".encode())
        conn.commit()
        if known != "nothing":
            fill(installed_database, FEW)
            if known == "few rows":
                with psycopg.connect(installed_database, autocommit=True) as other:
                    other.execute("VACUUM ANALYZE")
            for name, values in statements(4):
                store(conn, name, values)
            conn.commit()
        fill(installed_database, MANY)
        looked: dict[str, dict[str, int]] = {}
        for name, values in statements(MANY // 2):
            before = _looks(conn)
            store(conn, name, values)
            grown = {where: looks - before[where] for where, looks in _looks(conn).items()}
            # One row a preset: no history, and written when a daemon starts.
            grown.pop("tool_shape")
            looked[name] = {where: looks for where, looks in grown.items() if looks > LOOKED_AT}
        assert {name: where for name, where in looked.items() if where} == {}
        operations = conn.execute(
            "SELECT substr(proname, 7) FROM pg_proc WHERE proname LIKE 'store\\_%'"
            " AND proname NOT IN ('store_on_migration', 'store_parked')"
        ).fetchall()
        assert {(name,) for name in looked} == set(operations), "an operation is not tried here"


def store(conn: psycopg.Connection[Any], operation: str, values: dict[str, Any]) -> None:
    if operation == "usual":
        parameters = usual(list(values.items()), encoded)
        assert parameters is not None
        call = "SELECT " + re.sub(r"\$\d+", "%s", CALL)
        given = [one.decode() if one is not None else None for one in parameters]
        conn.execute(call.encode(), given, prepare=True)
    else:
        conn.execute("SELECT pggit_daemon.store(%s::jsonb)", [encoded([[operation, values]])], prepare=True)


def encoded(value: object) -> str:
    return json.dumps(value, default=lambda one: one.hex() if isinstance(one, bytes) else str(one))


def _looks(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """The rows that this transaction has read of each table, and by each index."""
    return dict(conn.execute(LOOKS, prepare=False).fetchall())
