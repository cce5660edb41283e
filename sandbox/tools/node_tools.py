"""Migration tools written in JavaScript that have a program of their own: Knex, node-pg-migrate, TypeORM and others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.application import Application
from sandbox.tools.project import RUN_TIMEOUT, Project, Script, lines

HERE = Path(__file__).resolve().parent


class NodeProject(Project):
    """A folder with `migrations`; what is installed is found from there."""

    _application: Application | None = None

    def prepare(self) -> None:
        (self.folder / "node_modules").symlink_to(fetch.node())
        self.file("package.json", "{}")
        (self.folder / "migrations").mkdir()

    def node(self, program: str, *words: str, **variables: str) -> ToolRun:
        return self.run("node", fetch.node() / ".bin" / program, *words, **variables)

    def application(self, name: str, *words: str) -> ToolRun:
        """Have an application that stays run its migrations: `name` is its program in `sandbox/tools/node`."""
        if self._application is None or self._application.ended:
            self.file(name, (HERE / "node" / name).read_text())
            self._application = Application(name, self.folder, self.environment({}))
        return self._application.run(*words, timeout=RUN_TIMEOUT)


class Knex(NodeProject):
    """A row for each file, with the batch in which it ran; a table with the lock beside it."""

    history = "public.knex_migrations"
    options: ClassVar[str] = "directory: 'migrations'"

    def prepare(self) -> None:
        super().prepare()
        # No connection: the driver takes libpq's variables.
        migrations = f"migrations: {{{self.options}}}"
        self.file("knexfile.js", f"module.exports = {{client: 'pg', connection: {{}}, {migrations}}};")

    def write(self, script: Script, number: int) -> None:
        text = f"exports.config = {{transaction: {as_js(script.transactional)}}};\n"
        text += ways("exports.{way} = async (knex) => {{{calls}}};\n", "await knex.raw({statement});", script)
        self.file(f"migrations/202601010000{number:02}_{script.name}.js", text)

    def up(self) -> ToolRun:
        return self.node("knex", "migrate:latest")

    def down(self) -> ToolRun:
        return self.node("knex", "migrate:down")


class NodePgMigrate(NodeProject):
    """A row for each file; an advisory lock while it runs."""

    history = "public.pgmigrations"
    options: ClassVar[tuple[str, ...]] = ()

    def write(self, script: Script, number: int) -> None:
        begin = "" if script.transactional else "pgm.noTransaction(); "
        template = "exports.{way} = (pgm) => {{" + begin + "{calls}}};\n"
        text = ways(template, "pgm.sql({statement});", script)
        self.file(f"migrations/17670000000{number:02}_{script.name}.js", text)

    def up(self) -> ToolRun:
        return self.node("node-pg-migrate", "up", *self.options)

    def down(self) -> ToolRun:
        return self.node("node-pg-migrate", "down", *self.options)

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "fake back": lambda: self.node("node-pg-migrate", "down", "--fake"),
            "fake": lambda: self.node("node-pg-migrate", "up", "--fake"),
        }


class SupabaseCli(Project):
    """A row for each file; one that cannot run in a transaction has its row after it."""

    history = "supabase_migrations.schema_migrations"
    application_name = "@effect/sql-pg"
    reverts = False

    def prepare(self) -> None:
        (self.folder / "supabase" / "migrations").mkdir(parents=True)

    def write(self, script: Script, number: int) -> None:
        self.file(f"supabase/migrations/202601010000{number:02}_{script.name}.sql", lines(script.up))

    def up(self) -> ToolRun:
        return self._supabase("db", "push", "--yes")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        version = f"202601010000{self.scripts[-1].number:02}"
        return {
            "repair back": lambda: self._supabase("migration", "repair", "--status", "reverted", version),
            "repair": lambda: self._supabase("migration", "repair", "--status", "applied", version),
        }

    def _supabase(self, *words: str) -> ToolRun:
        url = f"postgresql://{self.address}?sslmode=disable"
        return self.run(fetch.supabase(), *words, "--db-url", url, HOME=str(self.folder))


class TypeOrm(NodeProject):
    """Classes with a time in their names; each migration in a transaction unless it says otherwise."""

    history = "public.migrations"

    def prepare(self) -> None:
        super().prepare()
        # No address: the driver takes libpq's variables.
        mode = f"migrationsTransactionMode: process.env.MODE, migrationsTableName: '{self.history.split('.')[1]}'"
        source = f"{{type: 'postgres', migrations: ['migrations/*.js'], {mode}}}"
        self.file("source.js", f"module.exports.source = new (require('typeorm').DataSource)({source});")

    def write(self, script: Script, number: int) -> None:
        name = f"{script.name}17670000000{number:02}"
        both = ways("  async {way}(runner) {{{calls}}}\n", "await runner.query({statement});", script)
        transaction = "" if script.transactional else "  transaction = false;\n"
        text = f"module.exports.{name} = class {{\n  name = '{name}';\n{transaction}{both}}};\n"
        self.file(f"migrations/17670000000{number:02}-{script.name}.js", text)

    def up(self) -> ToolRun:
        return self._typeorm("run")

    def down(self) -> ToolRun:
        return self._typeorm("revert")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "back without transactions": lambda: self._typeorm("revert", mode="none"),
            "on without transactions": lambda: self._typeorm("run", mode="none"),
            "fake back": lambda: self._typeorm("revert", "--fake"),
            "fake": lambda: self._typeorm("run", "--fake"),
        }

    def _typeorm(self, command: str, *words: str, mode: str = "each") -> ToolRun:
        return self.node("typeorm", f"migration:{command}", "-d", "source.js", *words, MODE=mode)


class DbMigrate(NodeProject):
    """Functions with a driver; a transaction for each migration."""

    history = "public.migrations"
    mixes = False

    def prepare(self) -> None:
        super().prepare()
        (self.folder / "home").mkdir()

    def write(self, script: Script, number: int) -> None:
        template = "exports.{way} = async (db) => {{{calls}}};\n"
        text = ways(template, "await db.runSql({statement});", script) + "exports._meta = {version: 1};\n"
        self.file(f"migrations/202601010000{number:02}-{script.name}.js", text)

    def up(self) -> ToolRun:
        return self.node("db-migrate", "up", HOME=str(self.folder / "home"))

    def down(self) -> ToolRun:
        return self.node("db-migrate", "down", HOME=str(self.folder / "home"))


class Ley(NodeProject):
    """Functions with a client; a transaction for all that is new."""

    history = "public.migrations"
    mixes = False

    def write(self, script: Script, number: int) -> None:
        template = "exports.{way} = async (db) => {{{calls}}};\n"
        self.file(f"migrations/{number:03}-{script.name}.js", ways(template, "await db.query({statement});", script))

    def up(self) -> ToolRun:
        return self.node("ley", "up", "--driver", "pg")

    def down(self) -> ToolRun:
        return self.node("ley", "down", "--driver", "pg")


class GraphileMigrate(NodeProject):
    """One script is worked on, then committed: it runs with its row, on a database of its own before."""

    history = "graphile_migrate.migrations"
    reverts = False
    shadow = True

    def prepare(self) -> None:
        super().prepare()
        self.pending: list[Script] = []
        (self.folder / "migrations").rmdir()
        self._graphile("init").check()

    def write(self, script: Script, number: int) -> None:  # noqa: ARG002  # it is numbered when it is committed
        self.pending.append(script)

    def remove(self) -> None:
        self.scripts.pop()
        self.pending.pop()

    def up(self) -> ToolRun:
        done = ToolRun(0, "")
        while self.pending and done.ok:
            script = self.pending[0]
            mark = "" if script.transactional else "--! no-transaction\n"
            # What is worked on may run again and again.
            clean = "".join(f"{one.replace('DROP TABLE', 'DROP TABLE IF EXISTS')};\n" for one in _tables(script.down))
            self.file("migrations/current.sql", mark + clean + lines(script.up))
            done = self._graphile("commit", "--message", script.name)
            if done.ok:
                del self.pending[0]
        return done

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"uncommit": lambda: self._graphile("uncommit")}

    @classmethod
    def labels(cls, migration_id: int, version: str | None, name: str | None) -> frozenset[int]:
        return super().labels(migration_id, (version or "").partition("-")[0], name)

    def _graphile(self, *words: str) -> ToolRun:
        server = f"postgres://{{}}@{self.parts['host']}:{self.parts['port']}/"
        return self.node(
            "graphile-migrate",
            *words,
            SHADOW_DATABASE_URL=f"{server.format(self.parts['user'])}{self.parts['dbname']}_shadow",
            ROOT_DATABASE_URL=server.format("postgres") + "postgres",
        )


def _tables(statements: Iterable[str]) -> Iterable[str]:
    return (one for one in statements if one.startswith("DROP TABLE"))


def ways(template: str, call: str, script: Script) -> str:
    """Both functions of a script."""
    return "".join(
        template.format(way=way, calls=_calls(call, statements))
        for way, statements in (("up", script.up), ("down", script.down))
    )


def _calls(call: str, statements: Iterable[str]) -> str:
    return " ".join(call.format(statement=as_js(statement)) for statement in statements)


def as_js(value: str | bool) -> str:  # noqa: FBT001  # a value to write
    """Write a value as JavaScript does."""
    return json.dumps(value)
