"""Names are quoted as pg_dump quotes them: every keyword of the server, and names that need quoting for other reasons.

One database holds them all as names of schemas, tables, columns, types, functions and roles; what pg_dump writes of
each is compared with what describe writes. And what providers of security labels would leave in the catalog.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.integration.kind_run import whole_dump

if TYPE_CHECKING:
    from collections.abc import Iterator

ODD_NAMES = [
    "Upper",
    "with space",
    'quo"te',
    "$dollar",
    "a$b",
    "1st",
    "_under",
    "d-ash",
    "é",
    "x" * 63,
    "do.t",
    "%s",
    "\\",
]
NAME = r'((?:"(?:[^"]|"")*"|[^" .(])+)'  # as it stands in a statement
# Where a name stands in both texts, with the kind of object whose name it is.
PLACES = {
    "schema": rf"^CREATE SCHEMA {NAME};$",
    "table": rf"^CREATE TABLE of_tables\.{NAME} \(",
    "column": rf"^    {NAME} integer,?$",
    "type": rf"^CREATE TYPE of_types\.{NAME} AS ENUM",
    "function": rf"^CREATE (?:OR REPLACE )?FUNCTION of_functions\.{NAME}\(\)",
    "role": rf"^GRANT SELECT ON TABLE of_tables\.granted_to TO {NAME};$",
}
ENOUGH = 400  # names that must be found in each place
LABELLED = 13
LABELS = """
    CREATE SCHEMA lab;
    CREATE TABLE lab.t ("a b" int);
    CREATE VIEW lab.v AS SELECT 1 AS x;
    CREATE MATERIALIZED VIEW lab.m AS SELECT 1 AS x;
    CREATE SEQUENCE lab.s;
    CREATE FUNCTION lab.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE PROCEDURE lab.p() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE lab.a(int) (SFUNC = int4pl, STYPE = int);
    CREATE TYPE lab.ty AS ENUM ();
    CREATE DOMAIN lab.d AS int;
    CREATE LANGUAGE lab_l HANDLER plpgsql_call_handler;
    CREATE PUBLICATION lab_p;
    SET allow_system_table_mods = on;
    INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label)
    SELECT objoid, classoid, objsubid, 'my "lab"', 'it''s'
      FROM (VALUES ('lab'::regnamespace::oid, 'pg_namespace'::regclass, 0),
                   ('lab.t'::regclass, 'pg_class'::regclass, 0),
                   ('lab.t'::regclass, 'pg_class'::regclass, 1), ('lab.v'::regclass, 'pg_class'::regclass, 0),
                   ('lab.m'::regclass, 'pg_class'::regclass, 0), ('lab.s'::regclass, 'pg_class'::regclass, 0),
                   ('lab.f'::regproc, 'pg_proc'::regclass, 0), ('lab.p'::regproc, 'pg_proc'::regclass, 0),
                   ('lab.a'::regproc, 'pg_proc'::regclass, 0), ('lab.ty'::regtype, 'pg_type'::regclass, 0),
                   ('lab.d'::regtype, 'pg_type'::regclass, 0),
                   ((SELECT oid FROM pg_language WHERE lanname = 'lab_l'), 'pg_language'::regclass, 0),
                   ((SELECT oid FROM pg_publication WHERE pubname = 'lab_p'), 'pg_publication'::regclass, 0))
           AS v (objoid, classoid, objsubid);
"""


NAMES = """
    DO $do$
    DECLARE
        names constant text[] := ARRAY(SELECT k.word FROM pg_get_keywords() k) || {odd}::text[];
        name  text;
    BEGIN
        CREATE SCHEMA of_tables; CREATE SCHEMA of_types; CREATE SCHEMA of_functions;
        CREATE TABLE of_tables.granted_to ();
        EXECUTE (SELECT format('CREATE TABLE of_tables.all_columns (%s)', string_agg(format('%I int', n), ', '))
                   FROM unnest(names) n);
        FOREACH name IN ARRAY names LOOP
            EXECUTE format('CREATE SCHEMA %I', name);
            EXECUTE format('CREATE TABLE of_tables.%I ()', name);
            EXECUTE format('CREATE TYPE of_types.%I AS ENUM ()', name);
            EXECUTE format('CREATE FUNCTION of_functions.%I() RETURNS int LANGUAGE sql AS $$SELECT 1$$', name);
            IF name NOT IN ('none', 'public') THEN
                EXECUTE format('CREATE ROLE %I', name);
                EXECUTE format('GRANT SELECT ON of_tables.granted_to TO %I', name);
            END IF;
        END LOOP;
    END $do$
"""
GRANTEES = """
    SELECT pg_get_userbyid(x.grantee) FROM pg_class c, aclexplode(c.relacl) x
     WHERE c.oid = 'of_tables.granted_to'::regclass AND x.grantee <> c.relowner
"""


@pytest.fixture
def named(installed_database: str) -> Iterator[str]:
    """Give a database in which all these names stand for everything."""
    with psycopg.connect(installed_database) as conn:
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE")  # only to be quicker
        conn.execute(sql.SQL(NAMES).format(odd=sql.Literal(ODD_NAMES)))
        roles = conn.execute(GRANTEES).fetchall()
    yield installed_database
    with psycopg.connect(installed_database) as conn:
        conn.execute("DROP TABLE of_tables.granted_to")
        for (role,) in roles:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def statements(dsn: str) -> str:
    with psycopg.connect(dsn) as conn:
        return "\n".join(row[0] for row in conn.execute("SELECT definition FROM pggit_daemon.snapshot()"))


def test_names_are_quoted_as_pg_dump_quotes_them(named: str) -> None:
    """Keywords of all categories, and other names, in every place where a name can stand."""
    ours, theirs = statements(named), whole_dump(named)
    for kind, place in PLACES.items():
        found = set(re.findall(place, ours, re.MULTILINE))
        assert len(found) > ENOUGH, kind
        assert found ^ set(re.findall(place, theirs, re.MULTILINE)) == set(), kind


def test_security_labels_are_those_of_pg_dump(installed_database: str) -> None:
    """No provider comes with PostgreSQL, so the labels are written into the catalog; pg_dump reads them there too."""
    with psycopg.connect(installed_database) as conn:
        conn.execute(LABELS)
    ours, theirs = (
        sorted(line for line in text.split("\n") if line.startswith("SECURITY LABEL "))
        for text in (statements(installed_database), whole_dump(installed_database))
    )
    assert len(ours) == LABELLED
    assert ours == theirs
