"""Two tools whose history tables look the same, in two schemas of one database: each link is its own tool's."""

from __future__ import annotations

import zlib
from contextlib import ExitStack

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.acceptance.scenes import Scene

VERSIONS = ("20260101000001", "20260101000002", "20260101000003")
LINKED = """
SELECT m.tool_name, m.source, m.version, m.evidence,
       coalesce((SELECT string_agg(DISTINCT h.object_name, ' ' ORDER BY h.object_name)
                   FROM pggit_daemon.link AS l JOIN pggit.commit_changes AS h USING (commit_id)
                  WHERE (l.source, l.migration_id) = (m.source, m.migration_id) AND l.made), '')
  FROM pggit.external_migrations AS m ORDER BY m.source, m.version
"""


def test_dbmate_and_rails_with_the_same_versions_at_the_same_time(scene: Scene) -> None:
    """Their transactions overlap; Rails' lock is held meanwhile, and each has a migration of data alone."""
    lock = 2053462845 * zlib.crc32(str(conninfo_to_dict(scene.dsn)["dbname"]).encode())
    first, second, third = VERSIONS
    with ExitStack() as stack:
        dbmate, rails, sibling = (
            stack.enter_context(psycopg.connect(make_conninfo(scene.dsn, application_name=name), autocommit=True))
            for name in ("", "bin/rails", "bin/rails")
        )
        dbmate.execute("CREATE SCHEMA one")
        dbmate.execute("CREATE TABLE one.schema_migrations (version varchar(128) PRIMARY KEY)")
        rails.execute("CREATE SCHEMA two")
        rails.execute("CREATE TABLE two.schema_migrations (version varchar NOT NULL PRIMARY KEY)")
        rails.execute(
            "CREATE TABLE two.ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar,"
            " created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL)"
        )
        sibling.execute("SELECT pg_advisory_lock(%s)", [lock])
        rails.execute("SELECT version FROM two.schema_migrations")
        with dbmate.transaction(), rails.transaction():
            rails.execute("CREATE TABLE two.orders (id int)")
            dbmate.execute("CREATE TABLE one.orders (id int)")
            rails.execute("INSERT INTO two.schema_migrations VALUES (%s)", [first])
            dbmate.execute("INSERT INTO one.schema_migrations VALUES (%s)", [first])
        rails.execute("CREATE INDEX CONCURRENTLY late ON two.orders (id)")
        dbmate.execute("INSERT INTO one.schema_migrations VALUES (%s)", [second])
        rails.execute("INSERT INTO two.schema_migrations VALUES (%s)", [second])
        with dbmate.transaction():
            dbmate.execute("CREATE TABLE one.more (id int)")
            rails.execute("INSERT INTO two.schema_migrations VALUES (%s)", [third])
            dbmate.execute("INSERT INTO one.schema_migrations VALUES (%s)", [third])
        sibling.execute("SELECT pg_advisory_unlock(%s)", [lock])
    scene.caught_up()
    with psycopg.connect(scene.dsn) as conn:
        found = conn.execute(LINKED.encode()).fetchall()
    one, two = "one.schema_migrations", "two.schema_migrations"
    assert found == [
        ("dbmate", one, first, "transaction", "one.orders"),
        ("dbmate", one, second, "none", ""),
        ("dbmate", one, third, "transaction", "one.more"),
        ("rails", two, first, "transaction", "two.orders"),
        ("rails", two, second, "lock", "two.late"),
        ("rails", two, third, "none", ""),
    ]
