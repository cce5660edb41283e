"""`tools`: which presets there are, and why a table is or is not a history table."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from tests.integration.cli_support import run

TABLES = """
CREATE TABLE public.migrations (id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL);
CREATE TABLE public.schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE public.ar_internal_metadata (key varchar PRIMARY KEY);
CREATE TABLE public.copied AS SELECT * FROM public.migrations;
CREATE TABLE public.wider (id serial PRIMARY KEY, "timestamp" bigint NOT NULL, name varchar NOT NULL, who text);
CREATE TABLE public."Orders" (id int PRIMARY KEY);
"""


@pytest.fixture
def tables(installed_database: str) -> str:
    with psycopg.connect(installed_database) as conn:
        conn.execute(TABLES)
    return installed_database


def test_the_presets_are_listed() -> None:
    text = run("tools", "list")
    assert (text.code, text.err) == (0, "")
    assert "golang-migrate" in text.out
    rows = {row["preset"]: row for row in run("tools", "list", "--json").json["tools"]}
    assert rows["sqitch"]["proofs"] == ["advisory_lock"]
    assert rows["golang-migrate"]["proofs"] == ["advisory_lock"], "each kind of proof once"
    assert rows["tern"]["model"] == "state"


def test_presets_of_the_configuration_are_listed_however_it_is_found(tmp_path: Path) -> None:
    """By --config and by the variable alike; one that cannot be read is an error, not the package's list."""
    folder = tmp_path / "tools"
    folder.mkdir()
    shipped = Path(str(files("pggit_daemon.tools"))) / "presets" / "typeorm.toml"
    (folder / "house.toml").write_text("rank = 1\n" + shipped.read_text().replace('"typeorm"', '"house"'))
    config = tmp_path / "c.toml"
    config.write_text('[daemon]\ntools_folder = "tools"\n[[database]]\nname = "a"\ndsn = "dbname=a"\n')
    for done in (run("tools", "list", "-c", str(config)), run("tools", "list", PGGIT_DAEMON_CONFIG=str(config))):
        assert (done.code, "house" in done.out) == (0, True), done.err
    assert "presets of your own: house\n" in run("config", "check", "-c", str(config)).out
    wrong = run("tools", "check", str(config))
    assert (wrong.code, "pggit-daemon config check --config FILE" in wrong.err) == (2, True), wrong.err
    assert "house" not in run("tools", "list").out
    assert run("tools", "list", PGGIT_DAEMON_CONFIG=str(tmp_path / "none.toml")).code == 2


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("public.migrations", "public.migrations is a history table of typeorm (preset typeorm)"),
        ("public.schema_migrations", "is a history table of rails (preset rails)"),
        ("public.copied", "typeorm: its primary key is (), not (id)"),
        ("public.wider", "typeorm: column who is not the tool's"),
        ('public."Orders"', "public.Orders fits no preset. The nearest:"),
    ],
)
def test_a_table_is_explained(tables: str, table: str, said: str) -> None:
    done = run("tools", "explain", table, dsn=tables)
    assert (done.code, done.err) == (0, "")
    assert said in done.out


def test_explained_as_json(tables: str) -> None:
    told = run("tools", "explain", "public.wider", "--json", dsn=tables).json
    assert (told["fits"], told["looked_at"]) == ([], True)
    assert told["misses"]["typeorm"] == ["column who is not the tool's"]


def test_a_table_that_is_left_out_is_said_to_be(tables: str, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[[database]]\nname = "app"\ndsn = "{tables}"\ndiscover = ["!public"]\n')
    done = run("tools", "explain", "public.migrations", "--config", str(config))
    assert "public.migrations is not looked at: discover in the configuration leaves it out" in done.out


def test_a_configured_table_is_said_to_be_followed(tables: str, tmp_path: Path) -> None:
    """It fits no preset, which is why it stands in the configuration."""
    config = tmp_path / "c.toml"
    config.write_text(
        f'[[database]]\nname = "app"\ndsn = "{tables}"\ndiscover = false\n'
        '[[database.source]]\nname = "ops"\ntable = "public.wider"\ncolumns = { id = "id" }\n'
    )
    done = run("tools", "explain", "public.wider", "--config", str(config))
    assert done.out.startswith("public.wider is the source ops of the configuration\n")
    assert "not looked at" not in done.out
    assert run("tools", "explain", "public.wider", "--json", "--config", str(config)).json["configured"] == "ops"


def test_a_table_that_the_daemon_follows_is_said_to_be_without_its_configuration(tables: str) -> None:
    """Who asks by a connection string gives no sections and presets; the record knows what came of them."""
    with psycopg.connect(tables) as conn:
        conn.execute(
            "INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)"
            " VALUES ('ops', 'mine', 'columns', 'public', 'wider', 'config')"
        )
    done = run("tools", "explain", "public.wider", dsn=tables)
    assert done.out.startswith("public.wider is followed as source ops of mine, by the daemon's own configuration\n")
    assert run("tools", "explain", "public.wider", "--json", dsn=tables).json["followed"] == {
        "source": "ops",
        "tool": "mine",
    }
    assert "is followed as" not in run("tools", "explain", "public.copied", dsn=tables).out


def test_no_such_table(tables: str) -> None:
    done = run("tools", "explain", "public.nowhere", dsn=tables)
    assert (done.code, "there is no table public.nowhere" in done.err) == (5, True)
    assert run("tools", "explain", "nowhere", dsn=tables).code == 5
    assert run("tools", "explain", "a.b.c", dsn=tables).code == 2
    assert run("tools", "explain", "", dsn=tables).code == 2
    alone, named = (run("tools", "explain", word, dsn=tables) for word in ("wider", "public.wider"))
    assert (alone.code, alone.out) == (0, named.out), "where one schema has it, its name is enough"
    with psycopg.connect(tables, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA beside CREATE TABLE wider ()")
    several = run("tools", "explain", "wider", dsn=tables)
    assert (several.code, "say which: beside, public" in several.err) == (2, True)


def test_status_names_tables_that_are_nearly_a_tools(tables: str, tmp_path: Path) -> None:
    """Otherwise a history table of another shape would be missed without anybody's notice; others are left alone."""
    with psycopg.connect(tables) as conn:
        conn.execute("CREATE SCHEMA odd; CREATE TABLE odd.alembic_version (version_num text PRIMARY KEY)")
        conn.execute("CREATE TABLE odd.migrations AS SELECT * FROM public.migrations")
    text = run("status", dsn=tables).out
    told = [line for line in text.splitlines() if line.startswith(("not followed", "  hint"))]
    assert told[0].startswith("not followed: odd.alembic_version is nearly alembic's: column version_num is text")
    assert told[1].startswith("  hint: pggit-daemon tools explain odd.alembic_version")
    assert told[2] == "not followed: odd.migrations is nearly typeorm's: its primary key is (), not (id)"
    assert [line for line in told if "copied" in line or "wider" in line or "Orders" in line] == []
    assert len(told) == 4
    config = tmp_path / "c.toml"
    config.write_text(f'[[database]]\nname = "app"\ndsn = "{tables}"\ndiscover = ["!odd"]\n')
    assert "not followed: odd" not in run("status", "--config", str(config)).out
    (document,) = run("status", "--json", dsn=tables).json["databases"].values()
    assert [one["table"] for one in document["doubts"]] == ["odd.alembic_version", "odd.migrations"]


def test_presets_of_ones_own_are_checked(tmp_path: Path) -> None:
    good, bad = tmp_path / "flyway.toml", tmp_path / "bad.toml"
    good.write_text('tool = "x"\nkey = ["a"]\ntable = { columns = { a = "text" } }\nmigration = { version = ["a"] }\n')
    bad.write_text(good.read_text().replace('["a"]', '["b"]', 1))
    done = run("tools", "check", str(good))
    assert done.code == 0
    assert "flyway.toml: correct: tool x, model rows" in done.out
    assert "takes the place of the package's preset flyway" in done.out
    mine = tmp_path / "mine.toml"
    typeorm = (files("pggit_daemon.tools") / "presets" / "typeorm.toml").read_text()
    mine.write_text(typeorm)
    done = run("tools", "check", str(good), str(mine))
    assert done.code == 1, "a table of it would be nobody's"
    assert "mine.toml: in conflict" in done.out
    assert "fits the same tables as typeorm, of the same rank" in done.out
    mine.write_text("rank = 1\n" + typeorm)
    done = run("tools", "check", str(mine))
    assert done.code == 0
    assert "fits the same tables as typeorm: by its rank mine has them" in done.out
    done = run("tools", "check", str(good), str(bad))
    assert done.code == 2
    assert "bad.toml: x: not a column of its table: b" in done.err
    bad.write_text("tol = 1\nrank = 'a'\n" + good.read_text().replace("version =", "versoin ="))
    lines = run("tools", "check", str(bad)).err.splitlines()
    assert "bad.toml: 4 errors" in lines[0]
    assert any(line.startswith("  tol: unknown key; did you mean 'tool'?") for line in lines)
    assert any(line.startswith("  migration.versoin: unknown key; did you mean 'version'?") for line in lines)
