"""The document that users know the migration integration by: every SQL block of it, in order, as written.

In: `contract_examples.md` beside this file, the document's examples exactly as users have them. Where one is broken as
written, CORRECTIONS has the smallest change that mends it, with its reason; a correction that fits nothing any more
fails the test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from sandbox.databases import Databases
from sandbox.liquibase import Liquibase
from sandbox.servers import find_server
from tests.acceptance.scenes import Scene

DOCUMENT = Path(__file__).with_name("contract_examples.md")
LANGUAGE_BLOCKS = 21
"""Blocks of SQL, XML and shell; the others show output."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of the document: the heading it stands under, its language, its text."""

    heading: str
    language: str
    text: str


@dataclass(frozen=True)
class Correction:
    """What is wrong with the block under a heading as it is written."""

    heading: str
    wrong: str
    right: str
    reason: str


CORRECTIONS = (
    Correction(
        "Track a Migration",
        "-- Start tracking a migration\nDECLARE",
        "DO $$\nDECLARE",
        "a bare DECLARE is no SQL statement: the block is the body of a DO",
    ),
    Correction("Track a Migration", "\nEND;\n", "\nEND $$;\n", "the end of that DO"),
    Correction(
        "View Flyway Integration",
        "    c.message as commit_message,\n    c.tree_id\n",
        "    m.commit_message,\n    m.tree_id\n",
        "c is no table of the query: the view has both columns itself",
    ),
    Correction(
        "Migration Comparison", "host=staging-db dbname=myapp", "{staging}", "the name of a server that is not here"
    ),
)


def blocks(text: str) -> list[Block]:
    """Every block of the document, in order."""
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(_BLOCK.sub(lambda m: " " * len(m[0]), text))]
    return [
        Block([name for start, name in headings if start < found.start()][-1], found[1], found[2])
        for found in _BLOCK.finditer(text)
    ]


def corrected(found: list[Block]) -> list[Block]:
    """The blocks with the corrections; each must find what it corrects."""
    done = []
    for block in found:
        text = block.text
        for correction in CORRECTIONS:
            if correction.heading == block.heading:
                assert text.count(correction.wrong) == 1, f"nothing to correct in {block.heading}: {correction.reason}"
                text = text.replace(correction.wrong, correction.right)
        done.append(Block(block.heading, block.language, text))
    for correction in CORRECTIONS:
        assert correction.heading in {block.heading for block in found}
    return done


FIRST = 20240120001
CHANGELOG = """<?xml version="1.0" encoding="UTF-8"?>
<databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.liquibase.org/xml/ns/dbchangelog
        http://www.liquibase.org/xml/ns/dbchangelog/dbchangelog-latest.xsd">
{changeset}
</databaseChangeLog>
"""
SHIM = """#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from sandbox.flyway import Flyway
flyway = Flyway({dsn!r}, Path({scripts!r}), resident=False)
run = flyway.run(*sys.argv[1:], baselineOnMigrate="true", baselineVersion="0")
print(run.output)
sys.exit(run.exit_code)
"""


class Reader:
    """Reads the document as its users do: SQL by psql, scripts by bash, the tools' files by the tools.

    One method a block, named after its heading; each checks what the document promises of it.
    """

    def __init__(self, scene: Scene, staging: str, examples: dict[str, str]) -> None:
        self.scene = scene
        self.staging = staging
        self.examples = examples

    def read(self, block: Block) -> None:
        name = re.sub(r"\W+", "_", re.sub(r"^[\d. ]+", "", block.heading)).strip("_").lower()
        step = getattr(self, name, None)
        assert step is not None, f"a block that is new in the document: {block.heading} ({name})"
        step(block.text)

    def psql(self, text: str, *options: str) -> str:
        """What psql prints; an error fails the test."""
        self.scene.caught_up()
        command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, "-d", self.scene.dsn]
        done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}\n{text}"
        return done.stdout

    def rows(self, text: str) -> list[list[str]]:
        """The rows that it gives."""
        out = self.psql(text, "-A", "-t", "-F", "\t", "--pset=null=NULL")
        return [line.split("\t") for line in out.splitlines()]

    def one(self, query: str) -> Any:
        return self.scene.value(query)

    # ------------------------------------------------------------------ tracking

    def track_a_migration(self, text: str) -> None:
        self.psql(text)
        found = self.rows(f"SELECT * FROM pggit.migration_history WHERE migration_id = {FIRST}")
        assert len(found) == 1
        assert self.one("SELECT checksum FROM pggit.external_migrations") == "abc123def456"
        assert self.one("SELECT evidence FROM pggit.external_migrations") == "transaction"

    def link_existing_migrations(self, text: str) -> None:
        self.psql(text)
        linked = "SELECT migration_name FROM pggit.external_migrations WHERE pggit_commit_id IS NOT NULL"
        assert self.one(f"{linked} AND migration_id = 20240101001") == "Initial schema creation"

    # ------------------------------------------------------------------ Flyway

    def automatic_flyway_tracking(self, text: str) -> None:
        self.psql(text)
        assert self.one("SELECT schema_name FROM pggit_daemon.integration WHERE tool_name = 'flyway'") == "public"

    def flyway_migration_example(self, text: str) -> None:
        assert text.startswith("-- V1__Create_user_tables.sql")
        self.scene.scripts(V1__Create_user_tables=text)
        self.scene.flyway().migrate(baselineOnMigrate="true", baselineVersion="0").check()
        # Flyway ran it on its other connection, under the lock of the session that the row names.
        evidence = "SELECT evidence FROM pggit.external_migrations WHERE version = '1'"
        assert self.one(evidence) == "lock"

    def view_flyway_integration(self, text: str) -> None:
        rows = [row for row in self.rows(text) if row[0] == "1"]
        assert len(rows) == 1
        _, name, _, checksum, message, tree = rows[0]
        assert name == "Create user tables"
        assert "Create user tables" in message
        assert "NULL" not in {checksum, tree}

    # ------------------------------------------------------------------ Liquibase

    def enable_liquibase_tracking(self, text: str) -> None:
        self.psql(text)

    def liquibase_changeset_example(self, text: str) -> None:
        changelog = self.scene.folder / "changelog.xml"
        changelog.write_text(CHANGELOG.format(changeset=text), encoding="utf-8")
        Liquibase(self.scene.dsn, changelog).update().check()
        evidence = "SELECT evidence FROM pggit.external_migrations WHERE tool_name = 'liquibase'"
        assert self.one(evidence) == "session"

    def query_liquibase_history(self, text: str) -> None:
        [[order, name, _, author]] = self.rows(text)
        assert (order, name, author) == ("1", "add-audit-fields", "developer")

    # ------------------------------------------------------------------ validation

    def check_migration_sequence(self, text: str) -> None:
        """The example's rows come out as printed when the history is as in the example."""
        before = self.rows(text)
        with psycopg.connect(self.scene.dsn) as conn:
            conn.execute("SET pggit_daemon.storing = 'on'")
            conn.execute(
                "INSERT INTO pggit.external_migrations"
                " (migration_id, tool_name, source, success, status, error_message, pggit_commit_id)"
                " SELECT n, 'flyway', 'example', n <> 107, CASE n WHEN 107 THEN 'failed' ELSE 'applied' END,"
                " CASE n WHEN 107 THEN 'Constraint violation' END, CASE WHEN n <> 105 THEN 1 END"
                " FROM unnest('{100,101,105,106,107}'::bigint[]) AS n"
            )
        found = [row for row in self.rows(text) if row not in before]
        assert [row[:3] for row in found] == example(self.examples["Check Migration Sequence"])

    def validate_all_tools(self, text: str) -> None:
        found = {row[0]: row[1:] for row in self.rows(text)}
        assert found["flyway"] == ["1", "1", "1"]

    def fix_validation_issues(self, text: str) -> None:
        self.psql(text)
        assert self.rows("SELECT migration_id FROM pggit.validate_migrations() WHERE status = 'unlinked'") == []
        with psycopg.connect(self.scene.dsn) as conn:
            conn.execute("DELETE FROM pggit.external_migrations WHERE source = 'example'")

    # ------------------------------------------------------------------ impact and export

    def analyze_migration_impact(self, text: str) -> None:
        found = self.rows(text)
        assert [row[:4] for row in found] == example(self.examples["Analyze Migration Impact"])
        # Behind the documented columns: whose migration it is.
        assert {tuple(row[4:]) for row in found} == {("flyway", "sql")}

    def migration_change_summary(self, text: str) -> None:
        found = {row[0]: row[2:] for row in self.rows(text)}
        assert found[str(FIRST)] == ["2", "{index,table}"]
        # Flyway's 1 and Liquibase's 1 both answer to the number.
        assert found["1"] == ["3", "{table}"]

    def export_migration_schema(self, text: str) -> None:
        try:
            printed = self.psql(text, "-A", "-t")
            assert "CREATE TABLE public.user_preferences" in printed
            assert "CREATE TABLE public.users" not in printed
            written = self.psql("SELECT pg_read_file('/tmp/schema_at_migration.sql')", "-A", "-t")
            assert written.strip() == printed.strip()
        finally:
            Path("/tmp/schema_at_migration.sql").unlink(missing_ok=True)  # noqa: S108  # the document's path

    # ------------------------------------------------------------------ best practices

    def use_migration_wrapper_functions(self, text: str) -> None:
        self.psql(text)
        self.psql("SELECT run_migration(7001, 'wrapped', 'CREATE TABLE wrapped (id integer)')")
        with psycopg.connect(self.scene.dsn) as conn, pytest.raises(errors.DivisionByZero):
            conn.execute("SELECT run_migration(7002, 'broken', 'CREATE TABLE broken (id integer); SELECT 1/0')")
        query = "SELECT migration_id, tool_name, success, error_message FROM pggit.external_migrations"
        found = self.rows(f"{query} WHERE tool_name = 'custom' ORDER BY 1")
        assert found == [["7001", "custom", "t", "NULL"], ["7002", "custom", "f", "division by zero"]]

    def coordinate_with_ci_cd(self, text: str) -> None:
        bin_folder = self.scene.folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "flyway").write_text(
            SHIM.format(
                python=sys.executable,
                root=str(Path(__file__).resolve().parents[2]),
                dsn=self.scene.dsn,
                scripts=str(self.scene.folder / "scripts"),
            )
        )
        (bin_folder / "flyway").chmod(0o755)
        script = self.scene.folder / "deploy.sh"
        script.write_text(text)
        self.scene.scripts(V2__Add_orders="CREATE TABLE orders (id integer PRIMARY KEY);")
        with psycopg.connect(self.scene.dsn) as conn:
            where = {"PGHOST": conn.info.host, "PGPORT": str(conn.info.port), "PGUSER": conn.info.user}
            where["PGDATABASE"] = conn.info.dbname
        path = f"{bin_folder}:{find_server()}:{os.environ['PATH']}"
        environment = {**os.environ, **where, "PATH": path, "PSQLRC": os.devnull}
        done = subprocess.run(
            ["bash", "-e", str(script)], check=False, capture_output=True, text=True, env=environment, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        assert "conflict_id" in done.stdout
        assert self.one("SELECT evidence FROM pggit.external_migrations WHERE version = '2'") == "lock"

    def migration_rollback_tracking(self, text: str) -> None:
        self.psql(text)
        self.psql(f"SELECT rollback_migration({FIRST})")
        found = self.rows(
            f"SELECT migration_id, status, rollback_of, pggit_commit_id IS NOT NULL FROM pggit.external_migrations"
            f" WHERE abs(migration_id) = {FIRST} ORDER BY 1"
        )
        assert found == [[f"-{FIRST}", "rollback", str(FIRST), "t"], [str(FIRST), "rolled_back", "NULL", "t"]]
        name = f"Rollback migration {FIRST}"
        assert self.one(f"SELECT status FROM pggit.deployments WHERE deployment_name = '{name}'") == "ended"

    def pre_migration_validation(self, text: str) -> None:
        self.psql(text)
        assert self.rows("SELECT validate_before_migration()") == [["t"]]

    def migration_metrics(self, text: str) -> None:
        self.psql(text)
        rows = self.rows("SELECT tool_name, migration_count, failures FROM migration_metrics ORDER BY 1")
        assert ["custom", "2", "1"] in rows
        assert {row[0] for row in rows} == {"custom", "flyway", "liquibase", "rollback"}

    # ------------------------------------------------------------------ advanced

    def custom_migration_tool(self, text: str) -> None:
        self.psql(text)
        self.psql("SELECT setup_custom_migration_tracking()")
        self.psql(
            "BEGIN; CREATE TABLE of_tool (id integer);"
            " INSERT INTO custom_migrations (version, description) VALUES (42, 'of a custom tool'); COMMIT;"
        )
        query = "SELECT migration_name, evidence FROM pggit.external_migrations WHERE migration_id = 42"
        assert self.rows(query) == [["of a custom tool", "transaction"]]
        assert self.rows("SELECT object_name FROM pggit.analyze_migration_impact(42)") == [["public.of_tool"]]

    def migration_comparison(self, text: str) -> None:
        self.psql("CREATE EXTENSION dblink")
        found = {row[0]: row[-1] for row in self.rows(text.format(staging=self.staging))}
        assert found == {
            "0": "Not in staging",
            "1": "Not in staging",
            "2": "Not in staging",
            "20240101001": "Not in staging",
            str(FIRST): "Staging is behind",
        }


def example(printed: str) -> list[list[str]]:
    """The rows of an output that the document prints."""
    return [[cell.strip() for cell in line.split("|")] for line in printed.splitlines()[2:]]


@pytest.fixture
def staging(cluster: Databases, installed_template: str) -> Iterator[str]:
    """Another environment, where the first migration ran later than here."""
    cluster.create_database("staging", installed_template)
    try:
        with psycopg.connect(cluster.dsn("staging"), autocommit=True) as conn:
            conn.execute(
                "INSERT INTO pggit.external_migrations (migration_id, tool_name, applied_at)"
                " VALUES (%s, 'flyway', now() + interval '1 day')",
                [FIRST],
            )
        yield cluster.dsn("staging")
    finally:
        cluster.drop_database("staging")


@pytest.mark.long
def test_every_block_of_the_document(scene: Scene, staging: str) -> None:
    """Each SQL, XML and shell block runs, in order, and does what the document says of it."""
    found = corrected(blocks(DOCUMENT.read_text(encoding="utf-8")))
    examples = {block.heading: block.text for block in found if not block.language}
    assert len([block for block in found if block.language]) == LANGUAGE_BLOCKS
    reader = Reader(scene, staging, examples)
    for block in found:
        if block.language:
            reader.read(block)
