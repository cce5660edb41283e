"""Acknowledging a finding: it is shown no more, who did it is kept, and what comes later is another finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = """
INSERT INTO pggit.commits (hash, branch_id, kind, objects_changed) VALUES ('a', 1, 'baseline', 0);
INSERT INTO pggit.external_migrations (migration_id, tool_name, source, sequence, status, success, pggit_commit_id)
VALUES (1, 'flyway', 's', 1, 'applied', true, 1), (5, 'flyway', 's', 2, 'applied', true, 1),
       (6, 'flyway', 's', 3, 'failed', false, NULL);
"""
Connection = psycopg.Connection[Any]


@pytest.fixture
def conn(installed_database: str) -> Iterator[Connection]:
    with psycopg.connect(installed_database, autocommit=True) as connection:
        connection.execute(RECORDED)
        yield connection


def findings(conn: Connection) -> dict[str, str]:
    """Return status and name of what validation says, but for what the daemon has not come to."""
    rows = conn.execute("SELECT status, finding FROM pggit.validate_migrations() WHERE status <> 'pending'").fetchall()
    return dict(rows)


def acknowledge(conn: Connection, finding: str) -> None:
    conn.execute("SELECT pggit.acknowledge_finding(%s, 'known')", [finding])


def test_an_acknowledged_finding_is_shown_no_more_and_can_come_back(conn: Connection) -> None:
    assert findings(conn) == {"gap": "gap:s:2-4", "failed": "failed:s:6@3"}
    acknowledge(conn, "gap:s:2-4")
    acknowledge(conn, "gap:s:2-4")  # again: a notice
    assert findings(conn) == {"failed": "failed:s:6@3"}
    kept = conn.execute(
        "SELECT finding, message, reason, acknowledged_by FROM pggit.acknowledged_findings()"
    ).fetchall()
    assert kept == [("gap:s:2-4", "Missing migrations 2 to 4", "known", "postgres")]
    conn.execute("SELECT pggit.reopen_finding('gap:s:2-4')")
    assert "gap" in findings(conn)


def test_what_comes_later_is_another_finding(conn: Connection) -> None:
    """A number of the gap comes after all; the migration fails again; the next drift is not the last one."""
    for finding in findings(conn).values():
        acknowledge(conn, finding)
    drift = "INSERT INTO pggit.commits (hash, branch_id, kind, objects_changed) VALUES (%s, 1, 'out_of_band', 1)"
    conn.execute(drift, ["b"])
    acknowledge(conn, findings(conn)["drift"])
    assert findings(conn) == {}
    conn.execute(drift, ["c"])
    conn.execute("UPDATE pggit.external_migrations SET sequence = 4 WHERE migration_id = 6")
    conn.execute(
        "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, sequence, pggit_commit_id)"
        " VALUES (2, 'flyway', 's', 1, 1)"
    )
    assert findings(conn) == {"gap": "gap:s:3-4", "failed": "failed:s:6@4", "drift": "drift:3"}


@pytest.mark.parametrize(("kind", "who"), [("out_of_band", "ann"), ("snapshot", "an unknown session")])
def test_drift_that_a_comparison_found_is_of_an_unknown_session(conn: Connection, kind: str, who: str) -> None:
    """The daemon is the author of what it found, and changed nothing."""
    conn.execute(
        "INSERT INTO pggit.commits (hash, branch_id, kind, objects_changed, author, message)"
        " VALUES ('b', 1, %s, 1, 'ann', 'what')",
        [kind],
    )
    found = conn.execute("SELECT message FROM pggit.validate_migrations() WHERE status = 'drift'").fetchall()
    assert found == [(f"1 commit outside migrations since the last one, the newest by {who}: what",)]


def test_gaps_of_the_history_and_what_was_put_aside_are_findings(conn: Connection) -> None:
    conn.execute("INSERT INTO pggit.commits (hash, branch_id, kind, objects_changed) VALUES ('g', 1, 'gap', 0)")
    conn.execute("INSERT INTO pggit_daemon.quarantine (lsn, raw, reason) VALUES ('0/7', 'x', 'no JSON')")
    found = conn.execute(
        "SELECT status, message, finding FROM pggit.validate_migrations() WHERE source IS NULL"
    ).fetchall()
    assert ("quarantined", "What came at 0/7 could not be recorded: no JSON", "quarantined:1") in found
    assert ("history_gap", "history_gap:2") in [(status, finding) for status, _message, finding in found]
    acknowledge(conn, "history_gap:2")
    acknowledge(conn, "quarantined:1")
    assert {"history_gap", "quarantined"}.isdisjoint(findings(conn))


def test_a_changed_checksum_is_acknowledged_by_resolving_its_conflict(conn: Connection) -> None:
    conn.execute(
        "INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)"
        " VALUES ('checksum_changed', 'migration', 's 5', 'x')"
    )
    acknowledge(conn, findings(conn)["checksum_changed"])
    assert "checksum_changed" not in findings(conn)
    assert conn.execute("SELECT status, resolution FROM pggit.conflicts").fetchall() == [("resolved", "known")]


def test_what_cannot_be_acknowledged_is_refused(conn: Connection) -> None:
    for call, error in (
        ("acknowledge_finding('gap:s:9', 'x')", errors.UndefinedObject),
        ("acknowledge_finding('gap:s:2-4', ' ')", errors.InvalidParameterValue),
        ("acknowledge_finding('pending', 'x')", errors.UndefinedObject),
        ("reopen_finding('gap:s:2-4')", errors.UndefinedObject),
    ):
        with pytest.raises(error):
            conn.execute(f"SELECT pggit.{call}".encode())


def test_only_migrators_acknowledge(conn: Connection, installed_database: str) -> None:
    """A member of pggit_migrator may, and is named; a stranger may not, whichever way he calls."""
    conn.execute("DROP ROLE IF EXISTS finding_member, finding_stranger")
    conn.execute(
        "CREATE ROLE finding_member LOGIN; CREATE ROLE finding_stranger LOGIN; GRANT pggit_migrator TO finding_member"
    )
    try:
        with psycopg.connect(installed_database, user="finding_stranger", autocommit=True) as stranger:
            for schema in ("pggit", "pggit_daemon"):
                with pytest.raises(errors.InsufficientPrivilege):
                    stranger.execute(f"SELECT {schema}.acknowledge_finding('gap:s:2-4', 'mine')".encode())
                with pytest.raises(errors.InsufficientPrivilege):
                    stranger.execute(f"SELECT {schema}.reopen_finding('gap:s:2-4')".encode())
        with psycopg.connect(installed_database, user="finding_member", autocommit=True) as member:
            acknowledge(member, "gap:s:2-4")
        assert conn.execute("SELECT acknowledged_by FROM pggit.acknowledged_findings()").fetchall() == [
            ("finding_member",)
        ]
    finally:
        conn.execute("DROP ROLE finding_member, finding_stranger")
