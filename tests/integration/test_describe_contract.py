"""What callers of describe rely on: same text whoever asks, addresses mapped to objects, nothing of ours inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.integration.describe_oracle import SNAPSHOT

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = """
    CREATE SCHEMA app;
    CREATE TYPE app.mood AS ENUM ('sad', 'ok');
    CREATE DOMAIN app.positive AS integer CHECK (VALUE > 0);
    CREATE TYPE app.span AS RANGE (SUBTYPE = float8);
    CREATE TABLE app.t (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        own serial, mood app.mood[],
        "select" float8 DEFAULT 0.1, at timestamptz DEFAULT '2020-06-01 12:00:00+02',
        during interval DEFAULT '1 mon -02:00',
        paid money DEFAULT '1.5', raw bytea DEFAULT '\\x00ff', words text DEFAULT 'back\\slash',
        CHECK (own > 0), UNIQUE (own));
    CREATE TABLE app.child (CHECK (own < 100)) INHERITS (app.t);
    CREATE TABLE app.ref (id integer REFERENCES app.t);
    CREATE VIEW app.v AS SELECT id, at > '2020-06-01 12:00:00+02' AS late FROM app.t;
    CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER tr BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.f();
    CREATE PUBLICATION pub FOR TABLE app.t;
    CREATE EXTENSION hstore WITH SCHEMA app;
"""
HOSTILE_SETTINGS = {
    "search_path": "app, public",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "enable_indexscan": "off",
}
# A statement that gives classid, objid and objsubid of a thing, and the key of what carries it (None: nothing of ours).
CARRIERS = [
    ("'pg_class'::regclass, 'app.t'::regclass, 2", "table app.t"),
    (
        "'pg_attrdef'::regclass, (SELECT oid FROM pg_attrdef WHERE adrelid = 'app.t'::regclass LIMIT 1), 0",
        "table app.t",
    ),
    ("'pg_type'::regclass, 'app.t'::regtype, 0", "table app.t"),
    ("'pg_type'::regclass, 'app.t[]'::regtype, 0", "table app.t"),
    ("'pg_type'::regclass, 'app.mood[]'::regtype, 0", "type app.mood"),
    ("'pg_type'::regclass, 'app.span_multirange'::regtype, 0", "type app.span"),
    ("'pg_type'::regclass, 'app.positive'::regtype, 0", "domain app.positive"),
    (
        "'pg_constraint'::regclass, (SELECT oid FROM pg_constraint WHERE conname = 'positive_check'), 0",
        "domain app.positive",
    ),
    ("'pg_class'::regclass, 'app.t_pkey'::regclass, 0", "table constraint t_pkey on app.t"),
    ("'pg_class'::regclass, 'app.t_id_seq'::regclass, 0", "table app.t"),
    ("'pg_class'::regclass, 'app.t_own_seq'::regclass, 0", "sequence app.t_own_seq"),
    ("'pg_class'::regclass, (SELECT reltoastrelid FROM pg_class WHERE oid = 'app.t'::regclass), 0", "table app.t"),
    ("'pg_rewrite'::regclass, (SELECT oid FROM pg_rewrite WHERE ev_class = 'app.v'::regclass), 0", "view app.v"),
    (
        "'pg_constraint'::regclass, (SELECT min(oid) FROM pg_constraint WHERE NOT conislocal), 0",
        "table app.child",
    ),
    (
        "'pg_trigger'::regclass, (SELECT min(oid) FROM pg_trigger WHERE tgrelid = 'app.ref'::regclass), 0",
        "table constraint ref_id_fkey on app.ref",
    ),
    (
        "'pg_publication_rel'::regclass, (SELECT oid FROM pg_publication_rel WHERE prrelid = 'app.t'::regclass), 0",
        "publication pub",
    ),
    ("'pg_type'::regclass, 'app.hstore'::regtype, 0", "extension hstore"),
    ("'pg_proc'::regclass, 'app.hstore(text, text)'::regprocedure, 0", "extension hstore"),
    ("'pg_class'::regclass, 'pg_class'::regclass, 0", None),
    ("'pg_class'::regclass, 'pggit.commits'::regclass, 0", None),
    ("'pg_class'::regclass, 'pggit_daemon.blob'::regclass, 0", None),
    ("'pg_authid'::regclass, 10, 0", None),
    ("'pg_class'::regclass, 0, 0", None),
    ("'pg_extension'::regclass, (SELECT oid FROM pg_extension WHERE extname = 'plpgsql'), 0", None),
]


@pytest.fixture
def conn(installed_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(installed_database) as conn:
        conn.execute(SCHEMA)
        yield conn


def test_settings_of_the_session_do_not_change_a_word(conn: psycopg.Connection[Any]) -> None:
    """Formats of values, quoting, search path and planner settings are the session's business, not the text's."""
    plain = conn.execute(SNAPSHOT).fetchall()
    for name, value in HOSTILE_SETTINGS.items():
        conn.execute("SELECT set_config(%s, %s, true)", [name, value])
    assert conn.execute(SNAPSHOT).fetchall() == plain


def test_a_role_without_rights_on_the_objects_gets_the_same(conn: psycopg.Connection[Any]) -> None:
    """The daemon's role owns nothing of what it describes."""
    plain = conn.execute(SNAPSHOT).fetchall()
    conn.execute("CREATE ROLE bystander; GRANT USAGE ON SCHEMA pggit_daemon TO bystander")
    conn.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pggit_daemon TO bystander; SET LOCAL ROLE bystander")
    assert conn.execute(SNAPSHOT).fetchall() == plain


@pytest.mark.parametrize(("address", "key"), CARRIERS)
def test_addresses_map_to_the_object_that_carries_them(
    conn: psycopg.Connection[Any],
    address: str,
    key: str | None,
) -> None:
    """Whatever the server names leads to one object of the tree, or to none."""
    row = conn.execute(
        sql.SQL(
            "SELECT d.type || ' ' || d.identity FROM pggit_daemon.canonical_address({}) n,"
            " LATERAL pggit_daemon.describe(n.classid, n.objid) d",
        ).format(sql.SQL(address)),
    ).fetchone()
    assert (row[0] if row else None) == key


def test_snapshot_is_describe_over_all_objects(conn: psycopg.Connection[Any]) -> None:
    """Each line of the snapshot is what describe says of that address, and no key comes twice."""
    differing = conn.execute(
        "SELECT count(*) FROM pggit_daemon.snapshot() s"
        " WHERE s IS DISTINCT FROM pggit_daemon.describe(s.classid, s.objid)",
    ).fetchone()
    twice = conn.execute(
        "SELECT type, identity FROM pggit_daemon.snapshot() GROUP BY 1, 2 HAVING count(*) > 1",
    ).fetchall()
    assert (differing, twice) == ((0,), [])


def test_what_is_not_ours_is_not_described(conn: psycopg.Connection[Any]) -> None:
    """Temporary objects, members of extensions, our own schemas, and what is gone."""
    conn.execute("CREATE TEMP TABLE passing (x integer PRIMARY KEY); CREATE TEMP VIEW pv AS SELECT 1")
    found = conn.execute(
        "SELECT s.identity FROM pggit_daemon.snapshot() s"
        " WHERE s.identity LIKE ANY"
        " (ARRAY['pg\\_%', 'pggit%', 'information_schema%', '%passing%', '%pv', '%hstore(%'])",
    ).fetchall()
    gone = conn.execute("SELECT (pggit_daemon.describe('pg_class'::regclass, 1)).type").fetchone()
    assert (found, gone) == ([], (None,))


def test_half_a_definition_is_refused(conn: psycopg.Connection[Any]) -> None:
    """What the server cannot write any more is an error with the object's name, not an object without text."""
    conn.execute("CREATE VIEW public.torn AS SELECT 1 AS one")
    conn.execute("DELETE FROM pg_rewrite WHERE ev_class = 'public.torn'::regclass")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=r"cannot describe view public\.torn"):
        conn.execute("SELECT pggit_daemon.describe('pg_class'::regclass, 'public.torn'::regclass)")


def test_no_secret_is_described(conn: psycopg.Connection[Any]) -> None:
    """Passwords of user mappings and subscriptions stay in the catalog."""
    conn.execute("""
        CREATE FOREIGN DATA WRAPPER w;
        CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', api_key 'hushhush');
        CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS ("user" 'bob', password 'hushhush', other 'hushhush');
        CREATE SUBSCRIPTION one CONNECTION 'host=h password=''hush hush'' dbname=d' PUBLICATION p
            WITH (connect = false, slot_name = NONE);
        CREATE SUBSCRIPTION two CONNECTION 'postgresql://bob:hushhush@h/d?sslpassword=hushhush' PUBLICATION p
            WITH (connect = false, slot_name = NONE);
    """)
    text = "\n".join(row[2] for row in conn.execute(SNAPSHOT).fetchall())
    assert "hush" not in text
    assert "host=h password=*** dbname=d" in text
    assert "postgresql://bob:***@h/d?sslpassword=***" in text
    assert "\"user\" 'bob'" in text
    conn.rollback()
