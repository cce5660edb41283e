"""The splitter: each statement comes out as it went in, whatever it quotes."""

from __future__ import annotations

from tests.acceptance.oracle.statements import statements

HOSTILE = [
    """CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $a$ SELECT 'it''s; $b$; not $$ the end' $a$;""",
    """CREATE FUNCTION g(n int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN n>0 THEN n END; END;""",
    """CREATE TABLE "a;b" ("c""d;" text DEFAULT E'\\';');""",
    """SELECT 1 /* one; /* two; */ still; */ + 2;""",
    """SELECT U&'\\0041;', B'1', '-- no comment;';""",
    """DO $$BEGIN
    PERFORM 1; -- in the body;
END$$;""",
]


def test_statements_come_out_as_they_went_in(database: str) -> None:
    assert statements("\n".join(HOSTILE), database) == HOSTILE


def test_nothing_is_run_and_the_last_needs_no_semicolon(database: str) -> None:
    assert statements("CREATE TABLE t (n int); SELECT * FROM t", database) == [
        "CREATE TABLE t (n int);",
        "SELECT * FROM t",
    ]
    assert statements("TABLE t;", database) == ["TABLE t;"]
