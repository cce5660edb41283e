"""Event triggers of the user that run DDL themselves, while another statement is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.reach_support import captured, run, statements, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured

# Each acts once: on a statement with its word in it, while the table it makes is not there.
BEFORE = """
    CREATE TABLE log (a text)
    CREATE TABLE old (a int)
    CREATE FUNCTION at_end() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    \\ IF current_query() ~ 'magic' AND to_regclass('by_end') IS NULL THEN
    \\   CREATE TABLE by_end (a int); ALTER TABLE log ADD COLUMN IF NOT EXISTS z int; DROP TABLE IF EXISTS old;
    \\   ALTER TABLE by_end RENAME a TO aa; END IF; END $$
    CREATE FUNCTION at_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
    \\ IF current_query() ~ 'wizard' AND to_regclass('by_drop') IS NULL THEN
    \\   CREATE TABLE by_drop (a int); ALTER TABLE log ADD COLUMN y int; ALTER TABLE log RENAME COLUMN y TO yy;
    \\   END IF; END $$
"""
SCRIPT = """
    CREATE TABLE magic1 (a int PRIMARY KEY, b serial, CHECK (b > 0))
    CREATE VIEW v AS SELECT a, b FROM magic1
    DROP TABLE by_end
    ALTER TABLE log DROP COLUMN z
    ALTER TABLE magic1 RENAME TO magic2
    DROP TABLE by_end
    ALTER TABLE magic2 RENAME COLUMN a TO aa
    DROP TABLE by_end
    GRANT SELECT ON magic2, v TO reach_a
    DROP TABLE by_end
    DROP TABLE magic2 CASCADE
    CREATE TABLE t (a int UNIQUE, b int)
    ALTER TABLE t DROP COLUMN b, ADD COLUMN wizard int, ADD CHECK (wizard > 0)
    DROP TABLE by_drop
    ALTER TABLE log DROP COLUMN yy
    ALTER TABLE t ALTER wizard TYPE bigint, ADD UNIQUE (wizard)
    DROP TABLE t
"""


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


@pytest.mark.parametrize("name", ["aaa", "zzz"])
@pytest.mark.parametrize("one_transaction", [False, True], ids=["alone", "in one transaction"])
def test_their_ddl_does_not_hide_that_of_the_statement(db: Captured, name: str, one_transaction: bool) -> None:  # noqa: FBT001  # pytest's
    """Promise: whether they run before our triggers or after them, and whatever the transaction did before."""
    for statement in statements(BEFORE):
        run(db.conn, statement)
    for event, function in (
        ("ddl_command_end", "at_end"),
        ("sql_drop", "at_drop"),
        ("table_rewrite", "at_drop"),
    ):
        run(db.conn, f"CREATE EVENT TRIGGER {name}_{event} ON {event} EXECUTE FUNCTION {function}()")
    assert unreached(db, f"BEGIN\n{SCRIPT}\nCOMMIT" if one_transaction else SCRIPT) == {}
