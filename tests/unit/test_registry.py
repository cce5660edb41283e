"""Which tables are history tables, and which lock table stands beside which."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.model.ddl_event import DdlEvent, parse_object
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Profile, Session, SessionKey
from pggit_daemon.model.shape import Shape, TableKind
from pggit_daemon.model.transaction import RowChange, RowOp, TableName, Value
from pggit_daemon.tools.discovery import Discovery
from pggit_daemon.tools.identity import parse_table, split_identity
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.seen import Seen, created_tables
from pggit_daemon.tools.source import Source
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
from tests.unit.shapes import FLYWAY, KNOWN, LOCK_TABLES, shape

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


def test_housekeeping_is_of_the_source_whose_own_tables_alone_are_touched() -> None:
    registry = Registry(PRESETS)
    registry.learn(FSH, FLYWAY_COLUMNS)
    needs = [f"table {FSH}"]
    assert registry.housekeeping_owner(event(made(FSH, FLYWAY_COLUMNS))) == str(FSH)
    assert registry.housekeeping_owner(event(element("public.i", type_="index", depends=needs))) == str(FSH)
    assert registry.housekeeping_owner(
        event(dropped(str(FSH)), dropped("public.i", type_="index", direct=False))
    ) == str(FSH)
    assert registry.housekeeping_owner(event(element("public.v", type_="view", depends=needs))) is None
    assert registry.housekeeping_owner(event(made(FSH, FLYWAY_COLUMNS), element("public.t"))) is None
    assert registry.housekeeping_owner(event(dropped(str(FSH)), dropped("public.t"))) is None
    assert registry.housekeeping_owner(event(dropped("app", type_="schema"), dropped(str(FSH), direct=False))) is None
    assert registry.housekeeping_owner(event()) is None


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


# -- shapes that change, names that change, parts


def seen(table: TableName, known: Shape, *, oid: int = 1, at: int = 1) -> Seen:
    return Seen(table, known, oid, LSN(at))


VERSION = shape("version varchar", "version")
ROWS = TableName("public", "schema_migrations")
RAILS = TableName("public", "ar_internal_metadata")


def test_a_neighbour_that_comes_later_tells_another_tool() -> None:
    """Rails makes its second table one transaction after the first, which looks like dbmate's until then."""
    registry = Registry(PRESETS, database="app")
    assert registry.look(seen(ROWS, VERSION))
    assert registry.sources[str(ROWS)].tool == "dbmate"
    beside = shape("key varchar, value varchar, created_at timestamp, updated_at timestamp", "key")
    assert registry.look(seen(RAILS, beside, oid=2, at=2)), "the stream starts over: rows are read in another way"
    assert registry.sources[str(ROWS)].tool == "rails"
    assert not registry.look(seen(RAILS, beside, oid=2, at=2))
    assert registry.housekeeping_owner(event(element(str(RAILS)))) == str(ROWS)


def test_neighbours_of_other_schemas_tell_nothing() -> None:
    registry = Registry(PRESETS)
    registry.look(seen(replace(RAILS, schema="other"), shape("key varchar", "key"), oid=2))
    registry.look(seen(ROWS, VERSION))
    assert registry.sources[str(ROWS)].tool == "dbmate"


def test_a_table_that_grows_keeps_its_source() -> None:
    registry = Registry(PRESETS)
    table = TableName("public", "schemaversion")
    assert registry.look(seen(table, shape("version bigint", "version")))
    for at, columns in enumerate(("name text", "name text, md5 text", "name text, md5 text, run_at timestamptz"), 2):
        assert not registry.look(seen(table, shape(f"version bigint, {columns}", "version"), at=at))
    assert registry.look(seen(table, shape("version bigint, colour text", "version"), at=9)) is False
    assert registry.at(table) is not None, "a team's own column does not end its history"


def test_another_table_of_that_name_is_no_history() -> None:
    """The tool's table was dropped, and an application makes one of its own under the name."""
    registry = Registry(PRESETS)
    table = TableName("public", "migrations")
    assert registry.look(seen(table, shape("id int, migration varchar, batch int", "id")))
    registry.dropped(table)
    registry.look(seen(table, shape("id int, animal text", "id"), oid=2, at=2))
    assert registry.at(table) is None
    registry.look(seen(table, shape("id int, migration varchar, batch int", "id"), oid=3, at=3))
    assert registry.at(table) is not None, "and the tool comes back"


def test_what_the_log_said_before_does_not_undo_what_it_said_later() -> None:
    """A stream that starts over brings old statements again."""
    registry = Registry(PRESETS)
    registry.look(seen(ROWS, VERSION, at=1))
    registry.look(seen(ROWS, shape("version bigint, dirty bool", "version"), oid=2, at=5))
    assert not registry.look(seen(ROWS, VERSION, at=1))
    assert registry.sources[str(ROWS)].tool == "golang-migrate"


@pytest.mark.parametrize("to", [TableName("public", "history"), TableName("meta", "flyway_schema_history")])
def test_a_table_keeps_its_source_under_another_name(to: TableName) -> None:
    registry = Registry(PRESETS)
    whole = shape(FLYWAY, "installed_rank")
    registry.look(seen(FSH, whole))
    keys = registry.sources[str(FSH)].advisory_keys
    assert registry.look(seen(to, whole, at=2)), "it is streamed under its new name"
    assert list(registry.sources) == [str(FSH)]
    assert registry.sources[str(FSH)].table == to
    assert registry.sources[str(FSH)].advisory_keys != keys, "the tool makes its lock of the new name"
    assert set(registry.tables) == {FSH, to}, "rows from before the renaming may still come"
    assert registry.at(FSH) is registry.at(to)


def test_a_table_that_was_renamed_while_nobody_looked() -> None:
    source = Source(str(FSH), PRESETS["flyway"], FSH, preset_name="flyway")
    registry = Registry(PRESETS, [source])
    registry.remember(FSH, 77)
    registry.look(Seen(TableName("public", "history"), shape(FLYWAY, "installed_rank"), 77))
    assert [one.table.table for one in registry.histories] == ["history"]


def test_a_table_that_is_renamed_and_back() -> None:
    """It is followed under the name that it has in the end; what the log says of it again changes nothing."""
    registry = Registry(PRESETS)
    whole, other = shape(FLYWAY, "installed_rank"), TableName("public", "other")
    registry.look(seen(FSH, whole))
    for _ in range(2):
        registry.look(seen(FSH, whole, at=2))
        registry.look(seen(other, whole, at=3))
        registry.look(seen(FSH, whole, at=4))
        assert [one.table for one in registry.histories] == [FSH]
    assert registry.at(other) is registry.at(FSH)


def test_a_table_made_under_the_former_name_of_another_is_another() -> None:
    """Its rows are not those of the one that was put aside."""
    registry = Registry(PRESETS)
    whole, aside = shape(FLYWAY, "installed_rank"), TableName("public", "aside")
    registry.look(seen(FSH, whole))
    registry.look(seen(aside, whole, at=2))
    assert registry.look(seen(FSH, whole, oid=2, at=3))
    put, made = registry.at(aside), registry.at(FSH)
    assert put is not None
    assert made is not None
    assert (put.name, made.name) == (str(FSH), '"public"."flyway_schema_history"')
    assert put.table == aside


@pytest.mark.parametrize("kind", [TableKind.PARTITION, TableKind.CHILD])
def test_rows_of_a_part_are_rows_of_the_whole(kind: TableKind) -> None:
    """Decoding names the partition."""
    registry = Registry(PRESETS)
    whole = shape(FLYWAY, "installed_rank")
    registry.look(seen(FSH, replace(whole, kind=TableKind.PARTITIONED)))
    part = TableName("archive", "flyway_2026")
    assert registry.look(seen(part, replace(whole, kind=kind, parent=str(FSH)), oid=2, at=2))
    assert not registry.look(seen(part, replace(whole, kind=kind, parent=str(FSH)), oid=2, at=2))
    assert registry.at(part) is registry.at(FSH)
    assert part in registry.tables
    assert registry.housekeeping_owner(event(element(str(part)))) == str(FSH)


@pytest.mark.parametrize("kind", ["table constraint", "trigger", "rule", "policy"])
def test_what_a_tool_takes_off_its_own_table_is_its_own(kind: str) -> None:
    """Pogo puts another key on its table before that looks as it will; what was dropped is told by its name alone."""
    registry = Registry(PRESETS)
    own = event(dropped("a on b on public._pogo_migration", type_=kind), tag="ALTER TABLE")
    assert registry.housekeeping_owner(own) == "public._pogo_migration"
    assert registry.housekeeping_owner(event(dropped("a on public.orders", type_=kind))) is None
    assert registry.housekeeping_owner(event(dropped("odd", type_=kind))) is None


# -- configured tables


def configured(**columns: str) -> Source:
    values = {"name": "own", "table": "ops.log", "columns": {"id": "version"} | columns}
    return configured_source(Section.model_validate(values), timedelta(seconds=1))


def test_a_configured_table_is_known_before_it_is_there() -> None:
    registry = Registry(PRESETS, [configured()])
    assert not registry.look(seen(TableName("ops", "log"), VERSION))
    assert [source.name for source in registry.histories] == ["own"]


def test_columns_that_a_configured_table_lacks_are_named() -> None:
    registry = Registry(PRESETS, [configured(name="titel")])
    registry.look(seen(TableName("ops", "log"), VERSION))
    assert registry.misfits == {"own": ("it has no column titel",)}
    registry.look(seen(TableName("ops", "log"), shape("version varchar, titel text", "version"), at=2))
    assert registry.misfits == {}


def test_a_configured_table_without_its_version_tells_nothing() -> None:
    """Rows whose migration has no name would all be the same one."""
    registry = Registry(PRESETS, [configured(id="verzion")])
    table = TableName("ops", "log")
    assert registry.at(table) is registry.sources["own"], "it may not be there yet"
    registry.look(seen(table, VERSION))
    assert registry.at(table) is None
    assert registry.unreadable == {"own"}
    registry.look(seen(table, shape("verzion varchar", "verzion"), at=2))
    assert registry.at(table) is registry.sources["own"]


@pytest.mark.parametrize(
    ("discovery", "found"),
    [
        (Discovery(), {"a.migrations", "b.migrations"}),
        (Discovery(on=False), set()),
        (Discovery(include=("a",)), {"a.migrations"}),
        (Discovery(include=("*.migrations",), exclude=("b",)), {"a.migrations"}),
        (Discovery(exclude=("*.migr*",)), set()),
    ],
)
def test_discovery_looks_where_it_may(discovery: Discovery, found: set[str]) -> None:
    registry = Registry(PRESETS, [configured()], discovery=discovery)
    for oid, schema in enumerate("ab", 1):
        registry.look(
            seen(TableName(schema, "migrations"), shape("id int, migration varchar, batch int", "id"), oid=oid)
        )
    assert {str(source.table) for source in registry.histories} == {"ops.log"} | found


# -- lock tables and housekeeping


def test_each_lock_table_has_the_rules_of_its_own_tool() -> None:
    registry = Registry(PRESETS)
    tables = {preset: table for preset, table, _ in LOCK_TABLES}
    for oid, (_, table, columns) in enumerate(LOCK_TABLES, 1):
        registry.look(seen(table, columns, oid=oid))

    def move(preset: str, op: RowOp, **row: Value) -> bool | None:
        new, old = ({}, row) if op is RowOp.DELETE else (row, {})
        return registry.locks.move(RowChange(LSN(9), op, tables[preset], new, old))

    assert move("liquibase", RowOp.UPDATE, id=1, locked=True) is True
    assert move("liquibase", RowOp.UPDATE, id=1, locked=False) is False
    assert move("liquibase", RowOp.INSERT, id=1, locked=False) is None
    assert move("yoyo", RowOp.INSERT, locked=1, pid=7) is True
    assert move("yoyo", RowOp.DELETE, locked=1) is False
    assert move("knex", RowOp.INSERT, index=1, is_locked=0) is None
    assert move("knex", RowOp.UPDATE, index=1, is_locked=1) is True
    assert move("knex", RowOp.UPDATE, index=1, is_locked=0) is False
    assert registry.locks.move(RowChange(LSN(9), RowOp.DELETE, ROWS, {}, {})) is None


def test_the_sequence_of_a_serial_column_is_the_tables() -> None:
    registry = Registry(PRESETS)
    table = TableName("public", "knex_migrations")
    registry.look(seen(table, shape("id int, name varchar, batch int, migration_time timestamptz", "id")))
    sequence = element("public.knex_migrations_id_seq", type_="sequence")
    owned = {**sequence, "later": "ALTER SEQUENCE public.knex_migrations_id_seq OWNED BY public.knex_migrations.id;\n"}
    whole = {**made(table, ["id"]), "depends": ["schema public", "~sequence public.knex_migrations_id_seq"]}
    assert registry.housekeeping_owner(event(owned, whole)) == str(table)
    assert registry.housekeeping_owner(event(sequence, whole)) == str(table), "of a table in the same statement"
    assert registry.housekeeping_owner(event(owned, tag="ALTER SEQUENCE")) == str(table)
    assert registry.housekeeping_owner(event(sequence, tag="CREATE SEQUENCE")) is None
    assert registry.housekeeping_owner(event(element("public.other_seq", type_="sequence"), whole)) is None


@pytest.mark.parametrize(
    ("preset", "name", "type_", "owner"),
    [
        ("yoyo", "public._yoyo_migration", "table", "public._yoyo_log"),
        ("yoyo", "public._yoyo_version", "table", "public._yoyo_log"),
        ("sqitch", "sqitch.changes", "table", "sqitch.events"),
        ("marv", "public.any_name_lock", "table", "public.any_name"),
        ("graphile-migrate", "graphile_migrate.current", "table", "graphile_migrate.migrations"),
        ("pgmigrate", "public.schema_version_type", "type", "public.schema_version"),
        ("pogo", "public._pogo_version", "table", "public._pogo_migration"),
        ("yoyo", "public.changes", "table", None),
        ("sqitch", "public.changes", "table", None),
    ],
)
def test_companions_are_the_tools_own(preset: str, name: str, type_: str, owner: str | None) -> None:
    registry = Registry(PRESETS)
    known = next(one for one in KNOWN if one.preset == preset)
    registry.look(seen(known.table, known.shape))
    assert registry.housekeeping_owner(event(element(name, type_=type_))) == owner


@pytest.mark.parametrize(
    ("name", "type_", "owner"),
    [
        ("drizzle", "schema", "drizzle.__drizzle_migrations"),
        ("graphile_migrate", "schema", "graphile_migrate.migrations"),
        ("sqitch", "schema", "sqitch.events"),
        ("public._yoyo_version", "table", "public._yoyo_log"),
        ("app", "schema", None),
        ("public.changes", "table", None),
    ],
)
def test_what_a_tool_makes_before_its_history_table_is_its_own(name: str, type_: str, owner: str | None) -> None:
    """Each in a transaction of its own, so that nothing else tells yet."""
    assert Registry(PRESETS).housekeeping_owner(event(element(name, type_=type_))) == owner


@pytest.mark.parametrize(
    ("preset", "table", "keys"),
    [
        ("flyway", FSH, {77433833903597}),
        ("golang-migrate", ROWS, {1726534663, 1787120056}),
        ("rails", ROWS, {0x604E621F69157653}),
        ("prisma", ROWS, {72707369}),
        ("postgres-migrations", ROWS, {2**64 - 8525285245963000605}),
        ("dbmate", ROWS, set()),
    ],
)
def test_the_keys_of_locks(preset: str, table: TableName, keys: set[int]) -> None:
    """As seen in pg_locks, or computed from the tool's own formula, in a database called app."""
    source = Source("s", PRESETS[preset], table, database="app")
    assert {(high << 32) + low for high, low in source.advisory_keys} == keys


def test_a_configured_table_of_a_known_tool_keeps_what_the_tool_means_by_its_rows() -> None:
    """Alembic has one row that moves: as rows that are migrations, all but the first one were lost."""
    section = {"name": "mine", "table": "app.alembic_version", "columns": {"id": "version_num"}, "user": "deploy"}
    source = configured_source(Section.model_validate(section), timedelta(seconds=7))
    registry = Registry(PRESETS, [source])
    assert registry.learn(source.table, shape("version_num varchar", "version_num"))
    [known] = registry.histories
    assert (known.name, known.preset_name, known.preset.model, known.tool) == ("mine", "alembic", "head", "alembic")
    assert (known.grace, known.hints.user, known.origin) == (timedelta(seconds=7), "deploy", "config")
    assert not registry.learn(source.table, shape("version_num varchar", "version_num")), "once"


def test_a_configured_table_whose_rows_are_migrations_stays_as_configured() -> None:
    section = {"name": "mine", "table": "app.migrations", "columns": {"id": "name"}}
    source = configured_source(Section.model_validate(section), timedelta(seconds=7))
    registry = Registry(PRESETS, [source])
    registry.learn(source.table, shape("id int, name varchar, run_on timestamp", "id"))
    [known] = registry.histories
    assert known.preset == source.preset


def test_what_the_configuration_says_of_the_place_of_ddl_stays() -> None:
    section = {"name": "mine", "table": "app.alembic_version", "columns": {"id": "version_num"}, "ddl": "after"}
    source = configured_source(Section.model_validate(section), timedelta(seconds=7))
    registry = Registry(PRESETS, [source])
    registry.learn(source.table, shape("version_num varchar", "version_num"))
    [known] = registry.histories
    assert (known.preset.model, known.proofs) == ("head", source.proofs)
