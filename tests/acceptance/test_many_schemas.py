"""One tool in each of many schemas of a database, as those do who have a schema for each of their customers."""

from __future__ import annotations

import psycopg
import pytest

from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.scenes import Scene

SCHEMAS = 50

_LINKED = """
    SELECT m.source, m.version, m.evidence, string_agg(v.identity, ', ' ORDER BY v.identity)
    FROM pggit.external_migrations AS m
    JOIN pggit_daemon.link AS l USING (tool_name, source, migration_id)
    JOIN pggit_daemon.object_version AS v ON v.from_commit = l.commit_id
    WHERE v.identity LIKE '%.made_%' AND v.type = 'table'
    GROUP BY m.source, m.version, m.evidence
    ORDER BY m.source, m.version
"""


@pytest.mark.long
@BOTH_PLUGINS
def test_alembic_in_each_of_fifty_schemas(scene: Scene) -> None:
    """Each has its history table, found while the daemon runs, and its two revisions, and nothing of the others'."""
    names = [f"customer_{number:02}" for number in range(SCHEMAS)]
    with psycopg.connect(scene.dsn, autocommit=True) as conn:
        for name in names:
            conn.execute(f"CREATE SCHEMA {name}".encode())
            conn.execute(f"SET search_path = {name}".encode())
            with conn.transaction():
                conn.execute(
                    "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL,"
                    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
                )
                conn.execute("CREATE TABLE made_first (id integer)")
                conn.execute("INSERT INTO alembic_version VALUES ('a1')")
            with conn.transaction():
                conn.execute("CREATE TABLE made_second (id integer)")
                conn.execute("UPDATE alembic_version SET version_num = 'b2' WHERE version_num = 'a1'")
    scene.caught_up()
    with psycopg.connect(scene.dsn) as conn:
        found = conn.execute(_LINKED).fetchall()
    assert found == [
        (f"{name}.alembic_version", version, "transaction", f"{name}.made_{which}")
        for name in names
        for version, which in (("a1", "first"), ("b2", "second"))
    ]
