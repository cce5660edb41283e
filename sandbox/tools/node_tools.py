"""Migration tools written in JavaScript: Knex, node-pg-migrate, Umzug, TypeORM, Drizzle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.project import Project, Script

HERE = Path(__file__).resolve().parent


class _NodeProject(Project):
    def prepare(self) -> None:
        (self.folder / "node_modules").symlink_to(fetch.node())
        self.file("package.json", "{}")
        (self.folder / "migrations").mkdir()

    def node(self, program: str, *words: str) -> ToolRun:
        return self.run("node", fetch.node() / ".bin" / program, *words)


class Knex(_NodeProject):
    """A row for each file, with the batch in which it ran; a table with the lock beside it."""

    history = "public.knex_migrations"

    def prepare(self) -> None:
        super().prepare()
        # No connection: the driver takes libpq's variables.
        self.file(
            "knexfile.js", "module.exports = {client: 'pg', connection: {}, migrations: {directory: 'migrations'}};"
        )

    def write(self, script: Script, number: int) -> None:
        text = f"exports.config = {{transaction: {_js(script.transactional)}}};\n"
        text += _ways("exports.{way} = async (knex) => {{{calls}}};\n", "await knex.raw({statement});", script)
        self.file(f"migrations/202601010000{number:02}_{script.name}.js", text)

    def up(self) -> ToolRun:
        return self.node("knex", "migrate:latest")

    def down(self) -> ToolRun:
        return self.node("knex", "migrate:down")


class NodePgMigrate(_NodeProject):
    """A row for each file; an advisory lock while it runs."""

    history = "public.pgmigrations"

    def write(self, script: Script, number: int) -> None:
        begin = "" if script.transactional else "pgm.noTransaction(); "
        template = "exports.{way} = (pgm) => {{" + begin + "{calls}}};\n"
        self.file(f"migrations/176700000000{number}_{script.name}.js", _ways(template, "pgm.sql({statement});", script))

    def up(self) -> ToolRun:
        return self.node("node-pg-migrate", "up")

    def down(self) -> ToolRun:
        return self.node("node-pg-migrate", "down")


class Umzug(_NodeProject):
    """What Sequelize's command line uses: the names of files in `SequelizeMeta`; nothing in transactions."""

    history = 'public."SequelizeMeta"'

    def write(self, script: Script, number: int) -> None:
        template = "exports.{way} = async ({{context}}) => {{{calls}}};\n"
        call = "await context.sequelize.query({statement});"
        self.file(f"migrations/202601010000{number:02}-{script.name}.js", _ways(template, call, script))

    def up(self) -> ToolRun:
        return self._umzug("up")

    def down(self) -> ToolRun:
        return self._umzug("down")

    def _umzug(self, command: str) -> ToolRun:
        self.file("umzug.js", (HERE / "node" / "umzug.js").read_text())
        return self.run("node", "umzug.js", command)


class TypeOrm(_NodeProject):
    """Classes with a time in their names; each migration in a transaction unless it says otherwise."""

    history = "public.migrations"

    def prepare(self) -> None:
        super().prepare()
        # No address: the driver takes libpq's variables.
        source = "{type: 'postgres', migrations: ['migrations/*.js'], migrationsTransactionMode: 'each'}"
        self.file("source.js", f"module.exports.source = new (require('typeorm').DataSource)({source});")

    def write(self, script: Script, number: int) -> None:
        name = f"{script.name}176700000000{number}"
        ways = _ways("  async {way}(runner) {{{calls}}}\n", "await runner.query({statement});", script)
        transaction = "" if script.transactional else "  transaction = false;\n"
        text = f"module.exports.{name} = class {{\n  name = '{name}';\n{transaction}{ways}}};\n"
        self.file(f"migrations/176700000000{number}-{script.name}.js", text)

    def up(self) -> ToolRun:
        return self.node("typeorm", "migration:run", "-d", "source.js")

    def down(self) -> ToolRun:
        return self.node("typeorm", "migration:revert", "-d", "source.js")


class Drizzle(_NodeProject):
    """Plain SQL and a journal; all that is new in one transaction, and no way back."""

    history = "drizzle.__drizzle_migrations"
    reverts = False
    mixes = False

    def write(self, script: Script, number: int) -> None:
        self.file(f"migrations/{number:04}_{script.name}.sql", "--> statement-breakpoint\n".join(script.up))
        entries = [
            {"idx": index, "version": "7", "when": 1767000000000 + index, "tag": f"{index:04}_{one.name}"}
            for index, one in enumerate([*self.scripts, script], start=1)
        ]
        journal = {"version": "7", "dialect": "postgresql", "entries": [one | {"breakpoints": True} for one in entries]}
        self.file("migrations/meta/_journal.json", json.dumps(journal))

    def up(self) -> ToolRun:
        self.file("drizzle.js", (HERE / "node" / "drizzle.js").read_text())
        return self.run("node", "drizzle.js")

    def down(self) -> ToolRun:
        raise NotImplementedError("Drizzle has no way back")


def _ways(template: str, call: str, script: Script) -> str:
    """Both functions of a script."""
    return "".join(
        template.format(way=way, calls=_calls(call, statements))
        for way, statements in (("up", script.up), ("down", script.down))
    )


def _calls(call: str, statements: Iterable[str]) -> str:
    return " ".join(call.format(statement=_js(statement)) for statement in statements)


def _js(value: str | bool) -> str:  # noqa: FBT001  # a value to write
    """Write a value as JavaScript does."""
    return json.dumps(value)
