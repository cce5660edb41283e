"""How grave a change is: the rules, on definitions as the server gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

Connection = psycopg.Connection[Any]

SETUP = """
CREATE TABLE t (id int PRIMARY KEY, name varchar(20), note text DEFAULT 'a, b NOT NULL',
                born date NOT NULL DEFAULT now());
COMMENT ON TABLE t IS 'one; two';
CREATE TABLE "od d" ("a b" int, "c""d" text);
CREATE VIEW v AS SELECT 1 AS a;
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'GRANT x;
' $$;
CREATE INDEX i ON t (name);
CREATE SEQUENCE s;
GRANT SELECT, INSERT ON t TO pg_monitor;
GRANT SELECT (name), UPDATE (name, note) ON t TO pg_signal_backend WITH GRANT OPTION;
"""

ALTERED = {
    # the change, the object, its level
    "ALTER TABLE t DROP COLUMN note": ("table", "public.t", "high"),
    'ALTER TABLE "od d" DROP COLUMN "c""d"': ("table", 'public."od d"', "high"),
    "ALTER TABLE t ALTER name SET NOT NULL": ("table", "public.t", "high"),
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY": ("table", "public.t", "high"),
    "REVOKE INSERT ON t FROM pg_monitor": ("table", "public.t", "high"),
    "REVOKE ALL ON t FROM pg_monitor": ("table", "public.t", "high"),
    "REVOKE GRANT OPTION FOR SELECT (name) ON t FROM pg_signal_backend": ("table", "public.t", "high"),
    "REVOKE UPDATE (note) ON t FROM pg_signal_backend": ("table", "public.t", "high"),
    "REVOKE ALL ON FUNCTION f() FROM PUBLIC": ("function", "public.f()", "high"),
    "ALTER TABLE t ADD COLUMN more text NOT NULL DEFAULT ''": ("table", "public.t", "medium"),
    "ALTER TABLE t RENAME COLUMN note TO remark": ("table", "public.t", "medium"),
    "ALTER TABLE t ALTER name TYPE varchar(40)": ("table", "public.t", "medium"),
    "ALTER TABLE t ALTER note SET DEFAULT 'x'": ("table", "public.t", "medium"),
    "ALTER TABLE t ALTER born DROP NOT NULL": ("table", "public.t", "medium"),
    "ALTER TABLE t OWNER TO pg_read_all_data": ("table", "public.t", "medium"),
    "CREATE OR REPLACE VIEW v AS SELECT 1 AS a, 2 AS b": ("view", "public.v", "medium"),
    "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT ''$$": (
        "function",
        "public.f()",
        "medium",
    ),
    "ALTER SEQUENCE s INCREMENT BY 2": ("sequence", "public.s", "medium"),
    "COMMENT ON TABLE t IS 'three;\nGRANT nothing'": ("table", "public.t", "low"),
    "COMMENT ON COLUMN t.name IS 'who'": ("table", "public.t", "low"),
    "COMMENT ON TABLE t IS NULL": ("table", "public.t", "low"),
    "COMMENT ON FUNCTION f() IS 'x'": ("function", "public.f()", "low"),
    "GRANT DELETE ON t TO pg_monitor": ("table", "public.t", "low"),
    "GRANT ALL ON t TO pg_monitor": ("table", "public.t", "low"),
    "GRANT SELECT ON t TO pg_monitor WITH GRANT OPTION": ("table", "public.t", "low"),
    "GRANT SELECT ON s TO pg_monitor": ("sequence", "public.s", "low"),
    "ALTER INDEX i SET (fillfactor = 70)": ("index", "public.i", "low"),
    "COMMENT ON INDEX i IS 'fast'": ("index", "public.i", "low"),
}


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[Connection]:
    cluster.create_database("api_impact", installed_template)
    with psycopg.connect(cluster.dsn("api_impact"), autocommit=True) as connection:
        connection.execute(SETUP)
        yield connection
    cluster.drop_database("api_impact")


def _definition(conn: Connection, kind: str, identity: str) -> str:
    row = conn.execute(
        "SELECT definition || coalesce(later, '') FROM pggit_daemon.snapshot() WHERE type = %s AND identity = %s",
        [kind, identity],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _level(conn: Connection, kind: str, operation: str, old: str | None, new: str | None, *, rewritten: bool) -> str:
    row = conn.execute(
        "SELECT pggit_daemon.impact_level(%s, %s, %s, %s, %s)", [kind, operation, old, new, rewritten]
    ).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize("change", ALTERED)
def test_an_alter_is_judged_by_its_definitions(conn: Connection, change: str) -> None:
    kind, identity, level = ALTERED[change]
    with conn.transaction(force_rollback=True):
        old = _definition(conn, kind, identity)
        conn.execute(change.encode())
        new = _definition(conn, kind, identity)
        assert old != new
        assert _level(conn, kind, "ALTER", old, new, rewritten=False) == level
        # The way back is never graver than to lose what was added, and a rewrite always is.
        assert _level(conn, kind, "ALTER", old, new, rewritten=True) == "high"
        assert _level(conn, kind, "RENAME", old, new, rewritten=False) == max(level, "medium", key=_rank)


@pytest.mark.parametrize(
    ("kind", "created", "dropped"),
    [
        ("table", "medium", "high"),
        ("materialized view", "medium", "high"),
        ("sequence", "medium", "high"),
        ("schema", "medium", "high"),
        ("extension", "medium", "high"),
        ("policy", "medium", "high"),
        ("view", "medium", "medium"),
        ("function", "medium", "medium"),
        ("table constraint", "medium", "medium"),
        ("index", "low", "medium"),
        ("statistics object", "low", "medium"),
    ],
)
def test_creating_and_dropping(conn: Connection, kind: str, created: str, dropped: str) -> None:
    assert _level(conn, kind, "CREATE", None, "x", rewritten=False) == created
    assert _level(conn, kind, "DROP", "x", None, rewritten=False) == dropped


def test_what_a_migration_did_in_several_commits_is_one_row_each(conn: Connection) -> None:
    """Parts add up; what it made and dropped itself is nothing; indexes of one name are qualified."""
    with conn.transaction(force_rollback=True):
        conn.execute("""
            INSERT INTO pggit.commits (id, hash, branch_id, kind)
            SELECT n, 'c' || n, 1, 'migration' FROM generate_series(1, 5) n;
            INSERT INTO pggit_daemon.blob (sha256, definition, later, depends) VALUES
                ('a', E'CREATE TABLE public.t (\n    a integer\n);\n', NULL, '{}'),
                ('b', E'CREATE TABLE public.t (\n    b text\n);\n', NULL, '{}'),
                ('i', E'CREATE INDEX ...;\n', NULL, '{}'),
                ('s', E'CREATE SEQUENCE app.q;\n', E'ALTER SEQUENCE app.q OWNED BY public.t.a;\n', '{}');
            INSERT INTO pggit_daemon.object_version
                (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)
            VALUES
                ('table', 'public', 'public.t', 1259, 1, 'a', 1, 2),
                ('table', 'public', 'public.t', 1259, 1, 'b', 2, 3),
                ('table', 'public', 'public.t', 1259, 1, 'a', 3, 4),
                ('table', 'public', 'public.t', 1259, 1, 'b', 4, NULL),
                ('table', 'public', 'public.gone', 1259, 2, 'a', 2, 4),
                ('sequence', 'app', 'app.q', 1259, 3, 's', 4, NULL),
                ('index', 'public', 'public.i', 1259, 4, 'i', 2, NULL),
                ('index', 'app', 'app.i', 1259, 5, 'i', 1, NULL),
                ('index', 'app', 'app.j', 1259, 6, 'i', 4, NULL);
            INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id)
            VALUES (7, 'flyway', 's', 4), (8, 'flyway', 's', 5);
            INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part)
            VALUES ('flyway', 's', 7, 1, 'lock', false), ('flyway', 's', 7, 2, 'lock', true),
                   ('flyway', 's', 7, 4, 'lock', false);
        """)
        assert conn.execute("SELECT * FROM pggit.analyze_migration_impact(7)").fetchall() == [
            ("table", "public.t", "ALTER", "high", "flyway", "s"),
            ("index", "j", "CREATE", "low", "flyway", "s"),
            ("index", "public.i", "CREATE", "low", "flyway", "s"),
        ]
        assert conn.execute("SELECT * FROM pggit.analyze_migration_impact(8)").fetchall() == []
        # A table that somebody else changed between the parts is compared over all of them, and once.
        names = "SELECT object_name, operation, impact_level, tool, source FROM pggit.migration_diff(7)"
        assert sorted(conn.execute(names).fetchall()) == [
            ("app.j", "CREATE", "low", "flyway", "s"),
            ("app.q", "CREATE", "medium", "flyway", "s"),
            ("public.i", "CREATE", "low", "flyway", "s"),
            ("public.t", "ALTER", "high", "flyway", "s"),
        ]
        changes = "SELECT changes FROM pggit.migration_diff(7) WHERE object_name = 'public.t'"
        assert conn.execute(changes).fetchall() == [
            ("@@ -1,3 +1,3 @@\n CREATE TABLE public.t (\n-    a integer\n+    b text\n );",)
        ]
        assert conn.execute("SELECT * FROM pggit.migration_diff(8)").fetchall() == []


def test_a_migration_with_a_shared_commit_and_one_of_its_own(conn: Connection) -> None:
    """What others did in the shared one stays theirs, also what they made there and this migration altered."""
    with conn.transaction(force_rollback=True):
        conn.execute("""
            INSERT INTO pggit.commits (id, hash, branch_id, kind)
            SELECT n, 'c' || n, 1, 'migration' FROM generate_series(1, 2) n;
            INSERT INTO pggit_daemon.blob (sha256, definition, depends) VALUES ('a', 'A', '{}'), ('b', 'B', '{}');
            INSERT INTO pggit_daemon.object_version
                (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)
            VALUES
                ('view', 's', 's.mine', 1259, 1, 'a', 1, NULL), ('view', 's', 's.theirs', 1259, 2, 'a', 1, NULL),
                ('view', 's', 's.both', 1259, 3, 'a', 1, 2), ('view', 's', 's.both', 1259, 3, 'b', 2, NULL);
            INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id)
            VALUES (1, 'flyway', 's', 2);
            INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part, objects)
            VALUES ('flyway', 's', 1, 1, 'lock', true, '{view s.mine}'), ('flyway', 's', 1, 2, 'lock', false, NULL);
        """)
        expected = [("s.both", "ALTER"), ("s.mine", "CREATE")]
        for function in ("analyze_migration_impact", "migration_diff"):
            found = f"SELECT object_name, operation FROM pggit.{function}(1) ORDER BY 1"
            assert conn.execute(found.encode()).fetchall() == expected, function


def test_of_a_commit_that_several_share_each_has_its_own_objects(conn: Connection) -> None:
    """Flyway's group: one commit, linked to each of its migrations; and one that ran no DDL, linked to what it saw."""
    notices: list[str | None] = []
    conn.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    with conn.transaction(force_rollback=True):
        conn.execute("""
            INSERT INTO pggit.commits (id, hash, branch_id, kind, message) VALUES (1, 'c1', 1, 'migration', 'both');
            INSERT INTO pggit_daemon.blob (sha256, definition, later, depends) VALUES ('a', 'CREATE …', NULL, '{}');
            INSERT INTO pggit_daemon.object_version
                (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)
            SELECT 'table', 'public', 'public.' || name, 1259, place, 'a', 1, NULL
            FROM unnest('{one,two,three}'::text[]) WITH ORDINALITY AS made (name, place);
            INSERT INTO pggit.external_migrations (migration_id, tool_name, source, pggit_commit_id, evidence)
            VALUES (1, 'flyway', 's', 1, 'transaction'), (2, 'flyway', 's', 1, 'transaction'),
                   (3, 'flyway', 's', 1, 'none');
            INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, made, objects)
            VALUES ('flyway', 's', 1, 1, 'transaction', true, '{table public.one}'),
                   ('flyway', 's', 2, 1, 'transaction', true, '{table public.two,table public.three}'),
                   ('flyway', 's', 3, 1, 'none', false, NULL);
        """)
        found = "SELECT object_name FROM pggit.analyze_migration_impact(%s) ORDER BY 1"
        assert [conn.execute(found, [number]).fetchall() for number in (1, 2, 3)] == [
            [("public.one",)],
            [("public.three",), ("public.two",)],
            [],
        ]
        assert notices == ["migration 3 of flyway changed no schema: commit 1 is the one that it saw"]
        history = "SELECT commit_message, objects_changed FROM pggit.migration_history WHERE migration_id = 3"
        assert conn.execute(history).fetchall() == [("no schema change", 0)]


def test_the_catalogs_ids_tell_a_rename_from_a_new_object(conn: Connection) -> None:
    """In one commit: a swapped pair, a name that another object took over, a drop and create of one name."""
    with conn.transaction(force_rollback=True):
        conn.execute("""
            INSERT INTO pggit.commits (id, hash, branch_id, kind) VALUES
                (1, 'c1', 1, 'migration'), (2, 'c2', 1, 'migration');
            INSERT INTO pggit_daemon.blob (sha256, definition, depends) VALUES ('a', 'x', '{}'), ('b', 'y', '{}');
            INSERT INTO pggit_daemon.object_version
                (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)
            VALUES
                ('view', 's', 's.left', 1259, 1, 'a', 1, 2), ('view', 's', 's.right', 1259, 1, 'a', 2, NULL),
                ('view', 's', 's.right', 1259, 2, 'b', 1, 2), ('view', 's', 's.left', 1259, 2, 'b', 2, NULL),
                ('view', 's', 's.taken', 1259, 3, 'a', 1, 2), ('view', 's', 's.moved', 1259, 3, 'a', 2, NULL),
                ('view', 's', 's.taken', 1259, 4, 'a', 2, NULL),
                ('view', 's', 's.again', 1259, 5, 'a', 1, 2), ('view', 's', 's.again', 1259, 6, 'b', 2, NULL),
                ('view', 's', 's.gone', 1259, 7, 'a', 1, 2);
        """)
        changes = [
            ("s.again", None, "ALTER"),
            ("s.gone", None, "DROP"),
            ("s.left", "s.right", "RENAME"),
            ("s.moved", "s.taken", "RENAME"),
            ("s.right", "s.left", "RENAME"),
            ("s.taken", None, "CREATE"),
        ]
        of_commit = "SELECT object_name, old_name, operation FROM pggit.commit_changes WHERE commit_id = 2 ORDER BY 1"
        assert conn.execute(of_commit).fetchall() == changes
        between = "SELECT object_name, old_name, operation FROM pggit.diff(1, 2) ORDER BY 1"
        assert conn.execute(between).fetchall() == changes


def _rank(level: str) -> int:
    return ["low", "medium", "high"].index(level)
