"""validate_migrations on a real server, held against a plain reference model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.examples import examples
from tests.validation_model import GIVEN, Finding, Row, findings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

Connection = psycopg.Connection[Any]

IDS = st.one_of(
    st.integers(1, 12),
    st.integers(-5, 130),
    st.sampled_from([99_999, 100_000, 100_002, 202401, 202403, 240131, 240132, 999_998, 999_999, 1_000_000]),
    st.integers(20240101, 20240110),
    st.integers(10**18, 10**18 + 3),
)
STATUSES = st.sampled_from(
    ["applied"] * 6 + ["failed", "started", "removed", "cleared", "deleted", "rolled_back", "baseline", "marked"]
)
ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from(["flyway", "liquibase"]),
        st.sampled_from(["a", "b b"]),
        IDS,
        st.integers(1, 20),
        STATUSES,
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, False]),
        st.sampled_from([None, "transaction", "manual"]),
        st.sampled_from([None, "it's 100% broken"]),
        st.sampled_from([None, None, "2.1", "7.10.3", "120.5", "3"]),
    ),
    min_size=3,
    max_size=25,
    unique_by=lambda row: (row.tool, row.source, row.number),
)


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[Connection]:
    """Give a connection to a database where rows that a test inserts are nobody's news."""
    cluster.create_database("api_validation", installed_template)
    with psycopg.connect(cluster.dsn("api_validation"), autocommit=True) as connection:
        connection.execute("ALTER TABLE pggit.external_migrations DISABLE TRIGGER USER")
        connection.execute("INSERT INTO pggit.commits (hash, branch_id, kind) VALUES ('h', 1, 'migration')")
        yield connection
    cluster.drop_database("api_validation")


def _insert(conn: Connection, rows: list[Row]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO pggit.external_migrations (tool_name, source, migration_id, sequence, status, success,"
            " pggit_commit_id, evidence, error_message, version)"
            " VALUES (%s, %s, %s, %s, %s, %s, (SELECT id FROM pggit.commits WHERE %s), %s, %s, %s)",
            [
                (
                    *(r.tool, r.source, r.number, r.sequence, r.status, r.success, r.linked, r.evidence, r.error),
                    r.version if r.number >= GIVEN else None,
                )
                for r in rows
            ],
        )


def _found(conn: Connection, tool: str | None = None) -> list[Finding]:
    return _found_by(conn, tool)[0]


def _found_by(conn: Connection, *tools: str | None) -> list[list[Finding]]:
    """Ask for each of these, in one statement: to plan it takes longer than to run it."""
    rows = conn.execute(
        "SELECT asked.place, tool_name, source, migration_id, status,"
        " regexp_replace(message, '^(Migration started) at .* and', '\\1 and')"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS asked (tool, place),"
        " pggit.validate_migrations(asked.tool) WHERE status <> 'pending'",
        [list(tools)],
    ).fetchall()
    found: list[list[Finding]] = [[] for _ in tools]
    for place, *one in rows:
        found[place - 1].append((one[0], one[1], one[2], one[3], one[4]))
    return found


@examples(100)
@given(rows=ROWS)
@example([])
@example([Row("liquibase", "a", 1, 1)])
@example([Row("flyway", "a", 1, 1), Row("flyway", "a", 100_000, 1, status="cleared"), Row("flyway", "a", 202401, 1)])
def test_it_says_what_the_model_says(conn: Connection, rows: list[Row]) -> None:
    """Gaps, failures, late ones and all others: the same findings, each once; by tool and by source as well."""
    with conn.transaction(force_rollback=True):
        _insert(conn, rows)
        named = ["b b"] if any(row.source == "b b" for row in rows) else []
        found, *by_name = _found_by(conn, None, "flyway", *named)
        assert len(found) == len(set(found))
        assert set(found) == findings(rows)
        for name, of_name in zip(["flyway", *named], by_name, strict=True):
            assert set(of_name) == {one for one in findings(rows) if name in one[:2]}


def test_the_documents_example(conn: Connection) -> None:
    """A gap comes where its first migration would."""
    with conn.transaction(force_rollback=True):
        _insert(
            conn,
            [
                Row("flyway", "s", 101, 1),
                Row("flyway", "s", 105, 2, linked=False),
                Row("flyway", "s", 106, 3),
                Row("flyway", "s", 107, 4, status="failed", success=False, error="Constraint violation"),
            ],
        )
        rows = conn.execute("SELECT migration_id, status, message FROM pggit.validate_migrations('flyway')").fetchall()
        assert [row for row in rows if row[1] != "pending"] == [
            (None, "gap", "Missing migrations 102 to 104"),
            (105, "unlinked", "Migration not linked to pgGit commit"),
            (107, "failed", "Migration failed: Constraint violation"),
        ]
        counts = conn.execute(
            "SELECT tool_name, COUNT(*) FILTER (WHERE status = 'gap'), COUNT(*) FILTER (WHERE status = 'failed'),"
            " COUNT(*) FILTER (WHERE status = 'unlinked') FROM pggit.validate_migrations() GROUP BY tool_name"
        ).fetchall()
        assert ("flyway", 1, 1, 1) in counts


def test_numbers_are_missing_only_between_whole_ones(conn: Connection) -> None:
    """With 2.1 between 1 and 4 nothing tells which numbers there should have been; elsewhere a hole is a hole."""
    with conn.transaction(force_rollback=True):
        dotted = Row("flyway", "s", GIVEN + 2, 2, version="2.1")
        _insert(conn, [Row("flyway", "s", 1, 1), dotted, Row("flyway", "s", 4, 3)])
        assert _found(conn) == []
        _insert(conn, [Row("flyway", "s", 6, 4), Row("flyway", "another", 1, 1), Row("flyway", "another", 4, 2)])
        assert [(row[1], row[4]) for row in _found(conn)] == [
            ("another", "Missing migrations 2 to 3"),
            ("s", "Missing migration 5"),
        ]


def test_a_changed_checksum_counts_while_its_conflict_is_open(conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        _insert(conn, [Row("flyway", "my source", 1, 1)])
        conn.execute(
            "INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)"
            " VALUES ('checksum_changed', 'migration', 'my source 1', 'x')"
        )
        assert [row[2:4] for row in _found(conn)] == [(1, "checksum_changed")]
        conn.execute("SELECT pggit.resolve_conflict(conflict_id, 'wanted') FROM pggit.list_conflicts()")
        assert _found(conn) == []


@pytest.mark.parametrize("seen", ["next", "o"])
def test_ddl_without_a_row_counts_until_its_source_goes_on(conn: Connection, seen: str) -> None:
    """Also where the next row made no commit, as its DDL is there already, and is linked to this one."""
    with conn.transaction(force_rollback=True):
        conn.execute(
            "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)"
            " VALUES ('s', 'flyway', 'flyway', 'public', 's', 'discovered');"
            "INSERT INTO pggit.commits (hash, branch_id, kind, message, metadata)"
            """ VALUES ('o', 1, 'tool', 'left', '{"source": "s", "orphan": true}')"""
        )
        assert [row[:4] for row in _found(conn, "flyway")] == [("flyway", "s", None, "orphan")]
        conn.execute("INSERT INTO pggit.commits (hash, branch_id, kind) VALUES ('next', 1, 'migration')")
        conn.execute(
            "INSERT INTO pggit.external_migrations (tool_name, source, migration_id, pggit_commit_id)"
            " SELECT 'flyway', 's', 1, id FROM pggit.commits WHERE hash = %s",
            [seen],
        )
        assert _found(conn) == []


def test_a_lock_that_a_crashed_run_left_is_a_finding_and_a_row_that_waits_is_none(conn: Connection) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("""
            INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, lock_table, origin)
            VALUES ('app.databasechangelog', 'liquibase', 'liquibase', 'app', 'databasechangelog',
                    'databasechangeloglock', 'discovered');
            INSERT INTO pggit.external_migrations (migration_id, tool_name, source, status, success)
            VALUES (1, 'liquibase', 'app.databasechangelog', 'applied', true),
                   (2, 'liquibase', 'app.databasechangelog', 'applied', true);
            INSERT INTO pggit_daemon.attribution (kind, key, state)
            SELECT 'bracket', name, jsonb_build_object('schema', 'app', 'table', name, 'opened', '0/9',
                                                       'at', '2026-03-01T00:00:00+00:00', 'abandoned', abandoned)
            FROM (VALUES ('databasechangeloglock', true), ('other', false)) AS bracket (name, abandoned)
            UNION ALL SELECT 'row', '0/7', '{"source": "app.databasechangelog", "migration_id": 2}'::jsonb;
        """)
        found = conn.execute(
            "SELECT migration_id, status, message FROM pggit.validate_migrations('liquibase')"
        ).fetchall()
        held = "app.databasechangeloglock is held since 2026-03-01 00:00:00+00 by a session that is gone:"
        assert [row for row in found if row[1] != "pending"] == [
            (1, "unlinked", "Migration not linked to pgGit commit"),
            (None, "abandoned_lock", f"{held} release it with the tool"),
        ]


def test_without_a_daemon_it_says_that_nothing_is_recorded(conn: Connection) -> None:
    assert conn.execute("SELECT status, message FROM pggit.validate_migrations()").fetchall() == [
        ("pending", "The daemon has not recorded this database yet")
    ]


def test_four_times_the_migrations_take_about_four_times_as_long(conn: Connection) -> None:
    """Nobody waits for a square: what 40,000 rows cost in seconds tells of the machine, their ratio does not."""

    def took(first: int, last: int) -> float:
        conn.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, sequence, pggit_commit_id)"
            " SELECT n, 'flyway', 's', n, id FROM generate_series(%s::int, %s) AS n, pggit.commits"
            " WHERE n %% 1000 <> 7",
            (first, last),
        )
        conn.execute("ANALYZE pggit.external_migrations")
        times = []
        for _ in range(3):
            began = time.monotonic()
            assert len(_found(conn)) == last // 1000
            times.append(time.monotonic() - began)
        return min(times)

    with conn.transaction(force_rollback=True):
        few, many = took(1, 10_000), took(10_001, 40_000)
        assert many < 12 * few  # a square would take sixteen times as long
