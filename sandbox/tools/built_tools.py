"""Migration tools that are built from source: goose, golang-migrate, tern and sql-migrate with Go, sqlx, refinery and
Diesel with Cargo. All take plain SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.project import Project, Script, lines


class _SqlProject(Project):
    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()


class Goose(_SqlProject):
    """Comments part up from down; a transaction for each migration."""

    history = "public.goose_db_version"
    options: ClassVar[tuple[str, ...]] = ()

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else "-- +goose NO TRANSACTION\n"
        text = f"{option}-- +goose Up\n{lines(script.up)}-- +goose Down\n{lines(script.down)}"
        self.file(f"migrations/{number:05}_{script.name}.sql", text)

    def up(self) -> ToolRun:
        return self._goose("up")

    def down(self) -> ToolRun:
        return self._goose("down")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"redo": lambda: self._goose("redo"), "down to 3": lambda: self._goose("down-to", "3"), "up": self.up}

    def _goose(self, *words: str) -> ToolRun:
        return self.run(fetch.go("goose"), "-dir", "migrations", *self.options, "postgres", self.url, *words)


class GolangMigrate(_SqlProject):
    """A state, dirty while its script runs; without transactions of its own."""

    history = "public.schema_migrations"
    leaves = True
    parameters: ClassVar[str] = ""

    def write(self, script: Script, number: int) -> None:
        for way, statements in (("up", script.up), ("down", script.down)):
            self.file(f"migrations/{number:06}_{script.name}.{way}.sql", lines(statements))

    def up(self) -> ToolRun:
        return self._migrate("up")

    def down(self) -> ToolRun:
        return self._migrate("down", "1")

    def repair(self, number: int) -> ToolRun:
        return self._migrate("force", str(number - 1))

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "down all": lambda: self._migrate("down", "-all"),
            "go to 2": lambda: self._migrate("goto", "2"),
            "up": self.up,
        }

    def _migrate(self, *words: str) -> ToolRun:
        return self.run(fetch.go("migrate"), "-path", "migrations", "-database", self.url + self.parameters, *words)


class Tern(_SqlProject):
    """A number in a table without a key; a transaction for each migration."""

    history = "public.schema_version"
    application_name = "tern"

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else "---- tern: disable-tx ----\n"
        text = f"{option}{lines(script.up)}---- create above / drop below ----\n{lines(script.down)}"
        self.file(f"migrations/{number:03}_{script.name}.sql", text)

    def up(self) -> ToolRun:
        return self._tern("last")

    def down(self) -> ToolRun:
        return self._tern("-1")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"go to 2": lambda: self._tern("2"), "up": self.up}

    def _tern(self, to: str) -> ToolRun:
        parts = self.parts
        where = [
            "--host",
            parts["host"],
            "--port",
            parts["port"],
            "--user",
            parts["user"],
            "--database",
            parts["dbname"],
        ]
        words = [*map(str, where), "--version-table", self.history, "-m", "migrations", "-d", to]
        return self.run(fetch.go("tern"), "migrate", *words)


class SqlMigrate(_SqlProject):
    """Comments part up from down; a transaction for each migration."""

    history = "public.gorp_migrations"

    def prepare(self) -> None:
        super().prepare()
        self.file("dbconfig.yml", f"development:\n  dialect: postgres\n  datasource: {self.url}\n  dir: migrations\n")

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else " notransaction"
        text = f"-- +migrate Up{option}\n{lines(script.up)}-- +migrate Down{option}\n{lines(script.down)}"
        self.file(f"migrations/{number:03}_{script.name}.sql", text)

    def up(self) -> ToolRun:
        return self._sql_migrate("up")

    def down(self) -> ToolRun:
        return self._sql_migrate("down")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"redo": lambda: self._sql_migrate("redo")}

    def _sql_migrate(self, command: str) -> ToolRun:
        return self.run(fetch.go("sql-migrate"), command)


class Sqlx(_SqlProject):
    """Pairs of files; a transaction for each migration, then another for the time it took."""

    history = "public._sqlx_migrations"

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else "-- no-transaction\n"
        for way, statements in (("up", script.up), ("down", script.down)):
            self.file(f"migrations/202601010000{number:02}_{script.name}.{way}.sql", option + lines(statements))

    def up(self) -> ToolRun:
        return self._sqlx("run")

    def down(self) -> ToolRun:
        return self._sqlx("revert")

    def _sqlx(self, command: str) -> ToolRun:
        return self.run(fetch.cargo("sqlx"), "migrate", command)


class Refinery(_SqlProject):
    """Plain SQL, its row in the session's next transaction; no way back."""

    history = "public.refinery_schema_history"
    reverts = False
    mixes = False

    def prepare(self) -> None:
        super().prepare()
        keys = {"db_host": "host", "db_port": "port", "db_user": "user", "db_name": "dbname"}
        values = "".join(f'{key} = "{self.parts[name]}"\n' for key, name in keys.items())
        self.file("refinery.toml", f'[main]\ndb_type = "Postgres"\ndb_pass = "none"\n{values}')

    def write(self, script: Script, number: int) -> None:
        self.file(f"migrations/V{number}__{script.name}.sql", lines(script.up))

    def up(self) -> ToolRun:
        return self.run(fetch.cargo("refinery"), "migrate", "-c", "refinery.toml", "-p", "migrations")


class Diesel(_SqlProject):
    """A folder for each migration, in a transaction unless it says otherwise."""

    history = "public.__diesel_schema_migrations"

    def prepare(self) -> None:
        super().prepare()
        self.file("diesel.toml", "")

    def write(self, script: Script, number: int) -> None:
        folder = f"migrations/2026-01-01-0000{number:02}_{script.name}"
        for way, statements in (("up", script.up), ("down", script.down)):
            self.file(f"{folder}/{way}.sql", lines(statements))
        self.file(f"{folder}/metadata.toml", f"run_in_transaction = {str(script.transactional).lower()}\n")

    def remove(self) -> None:
        folder = self._written[-1][0].parent
        super().remove()
        folder.rmdir()

    def up(self) -> ToolRun:
        return self._diesel("run")

    def down(self) -> ToolRun:
        return self._diesel("revert")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"redo": lambda: self._diesel("redo")}

    def _diesel(self, command: str) -> ToolRun:
        return self.run(fetch.cargo("diesel"), "migration", command)
