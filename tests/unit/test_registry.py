"""Which tables are history tables, and which lock table stands beside which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.ddl_event import DdlEvent, parse_object
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Profile, Session, SessionKey
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.registry import Registry, created_tables, parse_table, split_identity
from tests.unit.build import (
    FLYWAY_COLUMNS,
    FSH,
    LOCK_COLUMNS,
    LOG,
    LOG_COLUMNS,
    LOG_LOCK,
    PRESETS,
    dropped,
    element,
    flyway_key,
    identity,
    made,
    quoted,
)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
SESSION = Session(SessionKey(1, "now"), Profile("u", "a", None), "u")


def event(*objects: dict[str, object], tag: str = "CREATE TABLE") -> DdlEvent:
    return DdlEvent(1, LSN(1), "ddl", tag, None, SESSION, (), tuple(map(parse_object, objects)), None)


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_identities_are_read_as_the_server_quotes_them(names: list[str]) -> None:
    assert split_identity(".".join(map(quoted, names))) == tuple(names)


@given(st.builds(TableName, NAMES, NAMES))
def test_tables_come_back_from_their_identity(table: TableName) -> None:
    assert parse_table(identity(table)) == table


@pytest.mark.parametrize("text", ["one", "a.b.c", ""])
def test_what_is_not_of_two_parts_is_no_table(text: str) -> None:
    assert parse_table(text) is None


def test_history_tables_are_known_by_their_columns() -> None:
    registry = Registry(PRESETS)
    assert registry.learn(TableName("app", "my history"), [*FLYWAY_COLUMNS, "one_more"])
    assert not registry.learn(TableName("app", "my history"), FLYWAY_COLUMNS), "it is known now"
    assert not registry.learn(TableName("app", "orders"), ["id", "version"])
    assert [source.tool for source in registry.sources.values()] == ["flyway"]


@pytest.mark.parametrize("lock_first", [True, False])
def test_the_lock_table_is_found_in_either_order(*, lock_first: bool) -> None:
    registry = Registry(PRESETS)
    order = [(LOG_LOCK, LOCK_COLUMNS), (LOG, LOG_COLUMNS)]
    for table, columns in order if lock_first else reversed(order):
        assert registry.learn(table, columns)
    assert registry.sources[str(LOG)].bracket_table == LOG_LOCK
    assert set(registry.tables) == {LOG, LOG_LOCK}


def test_the_lock_table_of_the_fitting_name_wins_though_it_comes_later() -> None:
    registry = Registry(PRESETS)
    other = TableName("public", "changes2"), TableName("public", "changes2lock")
    for table, columns in [(LOG, LOG_COLUMNS), (LOG_LOCK, LOCK_COLUMNS), (other[0], LOG_COLUMNS)]:
        registry.learn(table, columns)
    assert registry.sources[str(other[0])].bracket_table == LOG_LOCK, "the only one there is"
    registry.learn(other[1], LOCK_COLUMNS)
    assert registry.sources[str(other[0])].bracket_table == other[1]
    assert registry.sources[str(LOG)].bracket_table == LOG_LOCK


def test_two_lock_tables_of_unfitting_names_are_nobodys() -> None:
    registry = Registry(PRESETS)
    for name in ("x", "y"):
        registry.learn(TableName("public", name), LOCK_COLUMNS)
    registry.learn(TableName("public", "log"), LOG_COLUMNS)
    assert registry.sources["public.log"].bracket_table is None


def test_dots_in_names_do_not_make_two_sources_one() -> None:
    registry = Registry(PRESETS)
    one, other = TableName("a.b", "c"), TableName("a", "b.c")
    assert registry.learn(one, FLYWAY_COLUMNS)
    assert registry.learn(other, FLYWAY_COLUMNS)
    assert {source.table for source in registry.sources.values()} == {one, other}
    assert [name for name, source in registry.sources.items() if source.name != name] == []


def test_the_keeper_is_whose_own_tables_alone_are_touched() -> None:
    registry = Registry(PRESETS)
    registry.learn(FSH, FLYWAY_COLUMNS)
    needs = [f"table {FSH}"]
    assert registry.keeper(event(made(FSH, FLYWAY_COLUMNS))) == str(FSH)
    assert registry.keeper(event(element("public.i", type_="index", depends=needs))) == str(FSH)
    assert registry.keeper(event(dropped(str(FSH)), dropped("public.i", type_="index", direct=False))) == str(FSH)
    assert registry.keeper(event(element("public.v", type_="view", depends=needs))) is None
    assert registry.keeper(event(made(FSH, FLYWAY_COLUMNS), element("public.t"))) is None
    assert registry.keeper(event(dropped(str(FSH)), dropped("public.t"))) is None
    assert registry.keeper(event(dropped("app", type_="schema"), dropped(str(FSH), direct=False))) is None
    assert registry.keeper(event()) is None


def test_created_tables_are_those_with_columns() -> None:
    hostile = TableName('we"ird', "a.b c")
    found = created_tables(event(made(hostile, ["x"]), element("public.v", type_="view"), dropped("public.t")))
    assert [(seen.table, seen.shape.names) for seen in found] == [(hostile, frozenset({"x"}))]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (FSH, 77433833903597),  # seen in pg_locks as 18028:4163491309
        (TableName("a", "b"), None),
    ],
)
def test_the_key_of_flyways_lock(table: TableName, key: int | None) -> None:
    high, low = flyway_key(table)
    assert 0 <= low < 2**32
    assert key is None or (high << 32) + low == key


def test_a_negative_hash_borrows_from_the_upper_half() -> None:
    """The key is a signed sum of 64 bits, as Java makes it, not two halves put together."""
    keys = [flyway_key(TableName("s" * size, "t" * size)) for size in range(1, 300)]
    assert {high for high, _ in keys} == {18027, 18028}
