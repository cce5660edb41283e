"""Objects that need each other: any export restores in one transaction, whatever loops are in it.

Each file of `export_loops/` makes one loop in a schema of its own name. Its head tells which objects an export makes in
a first form, and whether the script that pg_dump writes of it restores. All of them together are made in three
databases: one without anything of ours, whose pg_dump is the measure; one that is recorded; and the restored copy.
What no script can restore is in `export_loops/stuck/`: there the export has to say so.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from pggit_daemon.install import install
from tests.integration.capture_support import Captured
from tests.integration.describe_oracle import Oracle, Side, assert_same
from tests.integration.test_export_tree import RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

FOLDER = Path(__file__).parent / "export_loops"
WARNING = "-- WARNING: this script does not restore as it is."
ENTRY = re.compile(r"^--\n-- Name: .*; Type: .*; Schema: (.*); Owner: .*\n--\n", flags=re.MULTILINE)
OPENED = re.compile(r"^-- (.*) \((?:begun|first form): others need it\)$", flags=re.MULTILINE)

# Left out of a tree: numbers (OIDs, places in the text), and names that the server gives or copies itself.
SHAPES = r"""
    SELECT n.nspname, x.name, string_agg(s.shape, E'\n' ORDER BY s.shape)
      FROM (SELECT c.relnamespace, c.relname || ' ' || r.rulename AS name, concat(r.ev_action, r.ev_qual) AS tree
              FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
             UNION ALL
            SELECT p.pronamespace, p.proname || ' ' || p.prorettype::regtype, p.prosqlbody::text FROM pg_proc p
             UNION ALL
            SELECT c.relnamespace, c.relname || ' ' || a.adnum, concat(x.attgenerated, a.adbin)
              FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid
              JOIN pg_attribute x ON x.attrelid = a.adrelid AND x.attnum = a.adnum
             UNION ALL
            SELECT k.connamespace, k.conname, k.conbin::text FROM pg_constraint k) x (home, name, tree)
      JOIN pg_namespace n ON n.oid = x.home
      CROSS JOIN LATERAL regexp_replace(x.tree, '\{ALIAS ([^}\\]|\\.)*\}|<>', '', 'g') a (without)
      CROSS JOIN LATERAL regexp_replace(a.without, '-?[0-9]+', 'n', 'g') s (shape)
     WHERE n.nspname !~ '^pg_|^information_schema$' AND x.tree IS NOT NULL GROUP BY 1, 2
"""

# The export of a tree in which one call stands in place of another.
OF_AN_OLDER_MINOR = """
    SELECT pggit_daemon.export_descriptions(ARRAY(
        SELECT jsonb_populate_record(s, jsonb_build_object('definition', replace(s.definition, %(call)s, %(row)s)))
          FROM pggit_daemon.snapshot() s))
"""


@dataclass(frozen=True)
class Loop:
    """One file: the script, the objects that are opened, and whether pg_dump can write it."""

    name: str
    script: str
    opened: tuple[str, ...]
    pg_dump_restores: bool

    @classmethod
    def read(cls, path: Path) -> Loop:
        text = path.read_text()
        [objects] = re.findall(r"^-- (?:opened|stuck): (.*)$", text, flags=re.MULTILINE)
        opened = () if objects == "nothing" else tuple(objects.split(", "))
        head = f"RESET ALL;\nCREATE SCHEMA {path.stem};\nSET search_path = {path.stem}, pg_catalog;\n"
        return cls(path.stem, head + text, opened, "the script of pg_dump does not restore" not in text)


LOOPS = [Loop.read(path) for path in sorted(FOLDER.glob("*.sql"))]
STUCK = [Loop.read(path) for path in sorted((FOLDER / "stuck").glob("*.sql"))]
NOT_BY_PG_DUMP = [loop for loop in LOOPS if not loop.pg_dump_restores]


def name_of(loop: Loop) -> str:
    """Name a case after its file."""
    return loop.name


@dataclass(frozen=True)
class World:
    """The three databases with all loops, what pg_dump said of the first, and the export that made the last."""

    plain: Side
    recorded: Side
    copy: Side
    dump: str
    export: str
    copy_shapes: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def bare(cluster: Databases) -> Oracle:
    """Give databases without anything of ours."""
    return Oracle(cluster, "template0")


@pytest.fixture(scope="module")
def world(cluster: Databases, installed_template: str, bare: Oracle) -> Iterator[World]:
    script = "\n".join(loop.script for loop in LOOPS)
    with (
        Oracle(cluster, installed_template) as oracle,
        bare.side() as plain,
        oracle.side() as recorded,
        bare.side() as copy,
    ):
        plain.run(script)
        recorded.run(script)
        export = recorded.export()
        copy.restore(export)
        yield World(plain, recorded, copy, plain.dump(), export, shapes(copy))


@pytest.fixture(scope="module")
def copy_dump(world: World) -> str:
    return world.copy.dump()


@pytest.mark.parametrize("loop", LOOPS, ids=name_of)
def test_a_loop_is_restored(world: World, copy_dump: str, loop: Loop) -> None:
    """What pg_dump says of the copy is what it said of the original; where it finds an order, in that order."""
    before, after = entries(world.dump)[loop.name], entries(copy_dump)[loop.name]
    if not loop.pg_dump_restores:  # its order of such objects is that of their OIDs
        before, after = sorted(before), sorted(after)
    assert before
    assert_same("\n".join(before), "\n".join(after))


@pytest.mark.parametrize("loop", LOOPS, ids=name_of)
def test_only_what_is_needed_is_opened(world: World, loop: Loop) -> None:
    """No more objects of a loop come in two forms than have to."""
    heads = [head for head in OPENED.findall(world.export) if f" {loop.name}." in head]
    assert sorted(head.replace(f"{loop.name}.", "") for head in heads) == sorted(loop.opened)


def test_the_copy_means_the_same(world: World) -> None:
    """Queries, bodies, defaults and checks are the same trees: no cast, operator or function was taken for another."""
    before = shapes(world.plain)
    assert {
        key for key in before.keys() | world.copy_shapes.keys() if before.get(key) != world.copy_shapes.get(key)
    } == set()


@pytest.mark.parametrize("loop", NOT_BY_PG_DUMP, ids=name_of)
def test_pg_dump_fails_where_we_say_so(world: World, bare: Oracle, loop: Loop) -> None:
    """The part of pg_dump's own script that makes this loop does not restore, or to something else."""
    found = entries(world.dump)
    script = found[""] + [entry for entry in found["-"] + found[loop.name] if loop.name in entry]
    script.sort(key=world.dump.index)
    with bare.side() as side:
        assert not side.try_run("".join(script)) or shapes(side) != only(shapes(world.plain), loop.name)


def test_nothing_else_differs(world: World, copy_dump: str) -> None:
    """Schemas, casts, publications, event triggers, and every statement outside of the loops."""
    before, after = (Counter(chain.from_iterable(entries(dump).values())) for dump in (world.dump, copy_dump))
    assert before == after


def test_the_recorded_tree_gives_the_same_script(world: World) -> None:
    """An export needs nothing but what a tree keeps, whatever the session's settings; its header warns of nothing."""
    with psycopg.connect(world.recorded.dsn) as conn:
        conn.execute(sql.SQL(RECORD).format(sql.Literal(1)))
        conn.execute("SET standard_conforming_strings = off")
        conn.execute("SET quote_all_identifiers = on")
        row = conn.execute("SELECT pggit_daemon.export_tree(1)").fetchone()
    assert row is not None
    assert_same(world.export, row[0])
    assert "WARNING" not in world.export


def test_the_events_tell_the_same(world: World) -> None:
    """What the event triggers captured while the loops were tied adds up to the catalog, with all dependencies."""
    captured = Captured(world.recorded.dsn)
    assert captured.drift() == []
    captured.close()


def test_the_copy_is_described_and_exported_alike(world: World, copy_dump: str) -> None:
    """Installed on the copy, our own description of it is that of the original."""
    assert copy_dump  # was taken before the copy is changed here
    with psycopg.connect(world.copy.dsn) as conn:
        install(conn)
    assert_same(world.recorded.snapshot(), world.copy.snapshot())
    assert_same(world.export, world.copy.export())


@pytest.mark.parametrize("loop", STUCK, ids=name_of)
def test_what_cannot_be_restored_is_said_in_the_header(
    cluster: Databases, installed_template: str, bare: Oracle, loop: Loop
) -> None:
    """The header names the objects; this export does not restore, nor does pg_dump's script to the same."""
    with Oracle(cluster, installed_template).side() as original, bare.side() as copy:
        original.run(loop.script)
        export = original.export()
        header = export.split("SET statement_timeout")[0]
        assert WARNING in header
        named = ", ".join(f"{kind} {loop.name}.{name}" for kind, name in (one.split(" ", 1) for one in loop.opened))
        named = re.sub(r"\((?!\))", f"({loop.name}.", named)  # the arguments' types
        assert f"\n--     {named}\n" in header
        assert not copy.try_run(export)
        dump = original.dump("-n", loop.name)
        assert not copy.try_run(dump) or shapes(copy) != only(shapes(original), loop.name)


def test_what_only_older_minors_restore_is_said_in_the_header(
    cluster: Databases, installed_template: str, bare: Oracle
) -> None:
    """A table of an older minor may have a generated column that names its row type: newer ones refuse to add it.

    The header warns and names the table; whether the script restores is as this server takes the column by hand.
    """
    [loop] = [loop for loop in LOOPS if loop.name == "generated_by_own_row"]
    call, row = "f(generated_by_own_row.nothing())", "f(NULL::generated_by_own_row.t)"
    with Oracle(cluster, installed_template).side() as original, bare.side() as copy, bare.side() as by_hand:
        original.run(
            "CREATE TABLE t (); CREATE TABLE generated (g boolean GENERATED ALWAYS AS (NULL::t IS NULL) STORED);"
        )
        original.run(loop.script.replace("GRANT SELECT (g) ON t TO reader;", ""))
        with psycopg.connect(original.dsn) as conn:
            [export] = conn.execute(OF_AN_OLDER_MINOR, {"call": call, "row": row}).fetchone() or [""]
        assert row in export
        header = export.split("SET statement_timeout")[0]
        assert "-- WARNING: only servers of older minor releases" in header
        assert re.findall(r"^--     (table .*)$", header, flags=re.MULTILINE) == ["table generated_by_own_row.t"]
        accepted = by_hand.try_run("""
            CREATE TABLE t (a int);
            CREATE FUNCTION f(t) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
            ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (f(NULL::t)) STORED;
        """)
        assert copy.try_run(export) == accepted


def test_a_view_knows_its_columns_types_by_their_newest_names(installed_database: str) -> None:
    """Who renames a type, a collation, a table or a schema changes what views say of their columns."""
    captured = Captured(installed_database)
    captured.run("""
        CREATE SCHEMA s; CREATE COLLATION s.c (locale = 'C');
        CREATE TYPE s.mood AS ENUM ('x'); CREATE TYPE s.comp AS (a int);
        CREATE DOMAIN s.d AS text; CREATE TYPE s.r AS RANGE (subtype = int, multirange_type_name = s.rs);
        CREATE TABLE s.t (m s.mood, ms s.mood[], c text COLLATE s.c, comps s.comp[], d s.d, r s.r, rs s.rs);
        CREATE VIEW v AS SELECT *, t AS whole FROM s.t;
    """)
    for statement in (
        "ALTER TYPE s.mood RENAME TO feeling",
        "ALTER COLLATION s.c RENAME TO c2",
        "ALTER TYPE s.comp SET SCHEMA public",
        "ALTER DOMAIN s.d RENAME TO d2",
        "ALTER TYPE s.r RENAME TO r2",
        "ALTER TYPE s.rs RENAME TO rs2",
        "ALTER TABLE s.t RENAME TO t2",
        "ALTER SCHEMA s RENAME TO s2",
    ):
        captured.run(statement)
        assert captured.drift() == [], statement
    first_line = captured.snapshot()["view public.v"][0].split("\n")[0]
    assert first_line == (
        '-- Columns: {"m": "s2.feeling", "ms": "s2.feeling[]", "c": "text COLLATE s2.c2", "comps": "public.comp[]",'
        ' "d": "s2.d2", "r": "s2.r2", "rs": "s2.rs2", "whole": "s2.t2"}'
    )
    captured.close()


def entries(dump: str) -> dict[str, list[str]]:
    """Split a dump into its entries, by schema; what stands before the first is under ''."""
    head, *parts = ENTRY.split(dump)
    found: dict[str, list[str]] = {"": [head]}
    starts = [match.group(0) for match in ENTRY.finditer(dump)]
    for start, schema, body in zip(starts, parts[::2], parts[1::2], strict=True):
        found.setdefault(schema, []).append(start + body)
    return found


def shapes(side: Side) -> dict[tuple[str, str], str]:
    """Give every stored expression by schema and name, as the tree that the server keeps, without OIDs and places."""
    with psycopg.connect(side.dsn) as conn:
        rows = conn.execute(SHAPES).fetchall()
    return {(schema, name): shape for schema, name, shape in rows}


def only(found: dict[tuple[str, str], str], schema: str) -> dict[tuple[str, str], str]:
    """Keep what belongs to one schema."""
    return {key: shape for key, shape in found.items() if key[0] == schema}
