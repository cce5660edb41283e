"""Each kind dropped and made again, made and dropped, renamed and made again, within one transaction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.integration.reach_support import Reach, captured, run, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured

# What the statements below need.
GROUND = """
    CREATE TABLE t (a int, b int, c text)
    CREATE TABLE p (a int) PARTITION BY LIST (a)
    CREATE FUNCTION fn(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'
    CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'
    CREATE TYPE en AS ENUM ('a')
    CREATE FOREIGN DATA WRAPPER w
    CREATE SERVER sv FOREIGN DATA WRAPPER w
"""

# What makes an object called `x`, what drops it, and what gives it the name `y` (where it can have another).
KINDS = {
    "schema": ("CREATE SCHEMA x", "DROP SCHEMA x", "ALTER SCHEMA x RENAME TO y"),
    "table": ("CREATE TABLE x (i serial PRIMARY KEY)", "DROP TABLE x", "ALTER TABLE x RENAME TO y"),
    "partition": ("CREATE TABLE x PARTITION OF p DEFAULT", "DROP TABLE x", ""),
    "column": ("ALTER TABLE t ADD x int UNIQUE", "ALTER TABLE t DROP x", "ALTER TABLE t RENAME x TO y"),
    "constraint": (
        "ALTER TABLE t ADD CONSTRAINT x CHECK (a > 0)",
        "ALTER TABLE t DROP CONSTRAINT x",
        "ALTER TABLE t RENAME CONSTRAINT x TO y",
    ),
    "key": (
        "ALTER TABLE t ADD CONSTRAINT x PRIMARY KEY (a)",
        "ALTER TABLE t DROP CONSTRAINT x",
        "",
    ),
    "index": ("CREATE INDEX x ON t (a)", "DROP INDEX x", "ALTER INDEX x RENAME TO y"),
    "partitioned index": ("CREATE INDEX x ON p (a)", "DROP INDEX x", "ALTER INDEX x RENAME TO y"),
    "statistics": ("CREATE STATISTICS x ON a, b FROM t", "DROP STATISTICS x", "ALTER STATISTICS x RENAME TO y"),
    "sequence": ("CREATE SEQUENCE x", "DROP SEQUENCE x", "ALTER SEQUENCE x RENAME TO y"),
    "view": ("CREATE VIEW x AS SELECT a FROM t", "DROP VIEW x", "ALTER VIEW x RENAME TO y"),
    "materialized view": (
        "CREATE MATERIALIZED VIEW x AS SELECT a FROM t",
        "DROP MATERIALIZED VIEW x",
        "ALTER MATERIALIZED VIEW x RENAME TO y",
    ),
    "function": (
        "CREATE FUNCTION x(t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION x",
        "ALTER FUNCTION x RENAME TO y",
    ),
    "procedure": (
        "CREATE PROCEDURE x(int) LANGUAGE sql AS 'SELECT 1'",
        "DROP PROCEDURE x",
        "ALTER PROCEDURE x RENAME TO y",
    ),
    "aggregate": (
        "CREATE AGGREGATE x(int) (sfunc = fn, stype = int)",
        "DROP AGGREGATE x(int)",
        "ALTER AGGREGATE x(int) RENAME TO y",
    ),
    "enum": ("CREATE TYPE x AS ENUM ('a', 'b')", "DROP TYPE x", "ALTER TYPE x RENAME TO y"),
    "composite type": ("CREATE TYPE x AS (i int)", "DROP TYPE x", "ALTER TYPE x RENAME TO y"),
    "range": (
        "CREATE TYPE x AS RANGE (subtype = int, multirange_type_name = xm)",
        "DROP TYPE x",
        "",  # its constructors keep their name, so that the old name is not free
    ),
    "shell": ("CREATE TYPE x", "DROP TYPE x", ""),
    "domain": ("CREATE DOMAIN x AS int CHECK (value > 0)", "DROP DOMAIN x", "ALTER DOMAIN x RENAME TO y"),
    "operator": (
        "CREATE OPERATOR ## (leftarg = int, rightarg = int, function = fn)",
        "DROP OPERATOR ## (int, int)",
        "",
    ),
    "operator family": (
        "CREATE OPERATOR FAMILY x USING btree",
        "DROP OPERATOR FAMILY x USING btree",
        "ALTER OPERATOR FAMILY x USING btree RENAME TO y",
    ),
    "operator class": (
        "CREATE OPERATOR CLASS x FOR TYPE int USING btree AS FUNCTION 1 btint4cmp(int, int)",
        "DROP OPERATOR FAMILY x USING btree",
        "ALTER OPERATOR FAMILY x USING btree RENAME TO y; ALTER OPERATOR CLASS x USING btree RENAME TO y",
    ),
    "cast": ("CREATE CAST (en AS int) WITH INOUT", "DROP CAST (en AS int)", ""),
    "collation": ("CREATE COLLATION x (locale = 'C')", "DROP COLLATION x", "ALTER COLLATION x RENAME TO y"),
    "conversion": (
        "CREATE CONVERSION x FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
        "DROP CONVERSION x",
        "ALTER CONVERSION x RENAME TO y",
    ),
    "access method": ("CREATE ACCESS METHOD x TYPE TABLE HANDLER heap_tableam_handler", "DROP ACCESS METHOD x", ""),
    "language": (
        "CREATE LANGUAGE x HANDLER plpgsql_call_handler",
        "DROP LANGUAGE x",
        "ALTER LANGUAGE x RENAME TO y",
    ),
    "transform": (
        "CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal))",
        "DROP TRANSFORM FOR int LANGUAGE sql",
        "",
    ),
    "text search dictionary": (
        "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)",
        "DROP TEXT SEARCH DICTIONARY x",
        "ALTER TEXT SEARCH DICTIONARY x RENAME TO y",
    ),
    "text search configuration": (
        "CREATE TEXT SEARCH CONFIGURATION x (COPY = simple)",
        "DROP TEXT SEARCH CONFIGURATION x",
        "ALTER TEXT SEARCH CONFIGURATION x RENAME TO y",
    ),
    "text search parser": (
        "CREATE TEXT SEARCH PARSER x (START=prsd_start, GETTOKEN=prsd_nexttoken, END=prsd_end, LEXTYPES=prsd_lextype)",
        "DROP TEXT SEARCH PARSER x",
        "ALTER TEXT SEARCH PARSER x RENAME TO y",
    ),
    "text search template": (
        "CREATE TEXT SEARCH TEMPLATE x (LEXIZE = dsimple_lexize)",
        "DROP TEXT SEARCH TEMPLATE x",
        "ALTER TEXT SEARCH TEMPLATE x RENAME TO y",
    ),
    "trigger": (
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION tf()",
        "DROP TRIGGER x ON t",
        "ALTER TRIGGER x ON t RENAME TO y",
    ),
    "rule": ("CREATE RULE x AS ON DELETE TO t DO NOTHING", "DROP RULE x ON t", "ALTER RULE x ON t RENAME TO y"),
    "policy": ("CREATE POLICY x ON t USING (a > 0)", "DROP POLICY x ON t", "ALTER POLICY x ON t RENAME TO y"),
    "foreign-data wrapper": (
        "CREATE FOREIGN DATA WRAPPER x",
        "DROP FOREIGN DATA WRAPPER x",
        "ALTER FOREIGN DATA WRAPPER x RENAME TO y",
    ),
    "server": ("CREATE SERVER x FOREIGN DATA WRAPPER w", "DROP SERVER x", "ALTER SERVER x RENAME TO y"),
    "user mapping": ("CREATE USER MAPPING FOR reach_a SERVER sv", "DROP USER MAPPING FOR reach_a SERVER sv", ""),
    "foreign table": (
        "CREATE FOREIGN TABLE x (a int) SERVER sv",
        "DROP FOREIGN TABLE x",
        "ALTER FOREIGN TABLE x RENAME TO y",
    ),
    "publication": ("CREATE PUBLICATION x FOR TABLE t", "DROP PUBLICATION x", "ALTER PUBLICATION x RENAME TO y"),
    "extension": ("CREATE EXTENSION citext", "DROP EXTENSION citext", ""),
    "default privileges": (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reach_a",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM reach_a",
        "",
    ),
}


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


def test_each_kind(db: Captured) -> None:
    for statement in statements(GROUND):
        run(db.conn, statement)
    reach = Reach(db)
    wrong = {}
    for kind, (make, drop, rename) in KINDS.items():
        transactions = [[make, drop, make], [drop, make]]
        if rename:
            back = re.sub(r"\b([xy])(m?)\b", lambda name: ("y" if name[1] == "x" else "x") + name[2], rename)
            transactions += [[drop, make, rename, make, drop, back], [rename, back, drop, make]]
        transactions.append([drop])
        for transaction in transactions:
            with db.conn.transaction():
                for statement in transaction:
                    run(db.conn, statement)
            if differs := reach.differs():
                wrong[f"{kind}: {'; '.join(transaction)}"] = differs
                reach.follow_catalog()
    assert wrong == {}
    assert [notice for notice in db.notices if "pggit" in notice] == []
