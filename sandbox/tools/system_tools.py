"""Migration tools that the distribution or Maven brings: Rails, Sequel, Laravel, Sqitch, Mojo::Pg, MyBatis."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.jars import ToolRun, program
from sandbox.tools import fetch
from sandbox.tools.project import Project, Script, lines

HERE = Path(__file__).resolve().parent


class _Scripted(Project):
    """A tool that a small program of `sandbox/tools/programs` calls, as an application would."""

    interpreter: str
    program: str

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()
        self.file(self.program, (HERE / "programs" / self.program).read_text())

    def script(self, *words: str) -> ToolRun:
        return self.run(self.interpreter, self.program, *words)

    def up(self) -> ToolRun:
        return self.script("up")

    def down(self) -> ToolRun:
        return self.script("down")


class Rails(_Scripted):
    """Active Record: a transaction for each migration, a lock on a connection of its own."""

    history = "public.schema_migrations"
    application_name = "rails.rb"
    interpreter = "ruby"
    program = "rails.rb"

    def write(self, script: Script, number: int) -> None:
        name = "".join(part.capitalize() for part in script.name.split("_"))
        option = "" if script.transactional else "  disable_ddl_transaction!\n"
        both = _functions(script, "  def {way}\n{calls}  end\n", "    execute %q{{{statement}}}\n")
        text = f"class {name} < ActiveRecord::Migration[6.1]\n{option}{both}end\n"
        self.file(f"migrations/202601010000{number:02}_{script.name}.rb", text)

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {"schema load": lambda: self.script("load")}


class Sequel(_Scripted):
    """The TimestampMigrator: a row for each file."""

    history = "public.schema_migrations"
    application_name = "sequel.rb"
    interpreter = "ruby"
    program = "sequel.rb"
    prefix = "202601010000{:02}"

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else "  no_transaction\n"
        both = _functions(script, "  {way} do\n{calls}  end\n", "    run %q{{{statement}}}\n")
        self.file(
            f"migrations/{self.prefix.format(number)}_{script.name}.rb", f"Sequel.migration do\n{option}{both}end\n"
        )

    def up(self) -> ToolRun:
        self.reverted = 0
        return self.script(self.prefix.format(max(one.number for one in self.scripts)))

    def down(self) -> ToolRun:
        self.reverted = getattr(self, "reverted", 0) + 1
        return self.script(self.prefix.format(self.scripts[-1 - self.reverted].number))


class SequelIntegers(Sequel):
    """The IntegerMigrator: a number in a table without a key."""

    history = "public.schema_info"
    prefix = "{:03}"


class Laravel(_Scripted):
    """The row follows in the session's next transaction."""

    history = "public.migrations"
    interpreter = "php"
    program = "laravel.php"

    def write(self, script: Script, number: int) -> None:
        name = "".join(part.capitalize() for part in script.name.split("_"))
        option = "" if script.transactional else "public $withinTransaction = false; "
        both = _functions(script, "public function {way}() {{ {calls} }} ", "DB::statement({statement!r}); ")
        text = (
            "<?php\nuse Illuminate\\Database\\Capsule\\Manager as DB;\n"
            f"class {name} extends Illuminate\\Database\\Migrations\\Migration {{ {option}{both} }}\n"
        )
        self.file(f"migrations/2026_01_01_0000{number:02}_{script.name}.php", text)


class Sqitch(Project):
    """A plan; DDL runs in psql, the rows are another session's."""

    history = "sqitch.events"
    application_name = "psql"

    def prepare(self) -> None:
        self._sqitch("init", "shop", "--engine", "pg").check()
        target = f"db:pg://{self.address}"
        registry = self.history.partition(".")[0]
        self._sqitch("target", "add", "app", target, "--registry", registry).check()

    def write(self, script: Script, number: int) -> None:  # noqa: ARG002  # the plan has the order
        self._sqitch("add", script.name, "-n", script.name).check()
        begin, end = ("BEGIN;\n", "COMMIT;\n") if script.transactional else ("", "")
        for way, statements in (("deploy", script.up), ("revert", script.down)):
            self.file(f"{way}/{script.name}.sql", f"{begin}{lines(statements)}{end}")
        self.file(f"verify/{script.name}.sql", "SELECT 1;\n")

    def remove(self) -> None:
        name = self.scripts[-1].name
        super().remove()
        plan = self.folder / "sqitch.plan"
        plan.write_text(
            "".join(line for line in plan.read_text().splitlines(keepends=True) if line[: len(name)] != name)
        )

    def up(self) -> ToolRun:
        self.reverted = 0
        return self._sqitch("deploy", "app")

    def down(self) -> ToolRun:
        self.reverted = getattr(self, "reverted", 0) + 1
        return self._sqitch("revert", "-y", "--to", self.scripts[-1 - self.reverted].name, "app")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        before = self.scripts[-2].name
        return {
            "log only back": lambda: self._sqitch("revert", "-y", "--log-only", "--to", before, "app"),
            "log only": lambda: self._sqitch("deploy", "--log-only", "app"),
        }

    def _sqitch(self, *words: str) -> ToolRun:
        return self.run("sqitch", *words, HOME=str(self.folder), SQITCH_FULLNAME="Ada", SQITCH_EMAIL="ada@example.org")


class Mojo(_Scripted):
    """One file with all migrations; a number for each name."""

    history = "public.mojo_migrations"
    interpreter = "perl"
    program = "mojo.pl"
    mixes = False

    @classmethod
    def labels(cls, migration_id: int, version: str | None, name: str | None) -> frozenset[int]:
        """Several scripts that ran at once are one change."""
        return frozenset(range(1, max(super().labels(migration_id, version, name), default=0) + 1))

    def write(self, script: Script, number: int) -> None:  # noqa: ARG002  # the file is written anew
        self._whole([*self.scripts, script])

    def remove(self) -> None:
        self.scripts.pop()
        self._whole(self.scripts)

    def up(self) -> ToolRun:
        self.reverted = 0
        return self.script(str(max(one.number for one in self.scripts)))

    def down(self) -> ToolRun:
        self.reverted = getattr(self, "reverted", 0) + 1
        return self.script(str(self.scripts[-1 - self.reverted].number))

    def _whole(self, scripts: list[Script]) -> None:
        text = "".join(f"-- {one.number} up\n{lines(one.up)}-- {one.number} down\n{lines(one.down)}" for one in scripts)
        self.file("migrations/all.sql", text)


class MyBatis(Project):
    """Plain SQL; the row follows its DDL. The first script makes the history table."""

    history = "public.changelog"
    application_name = "PostgreSQL JDBC Driver"
    mixes = False

    def prepare(self) -> None:
        url = f"jdbc:postgresql://{self.parts['host']}:{self.parts['port']}/{self.parts['dbname']}"
        self.file(
            "environments/development.properties",
            f"driver=org.postgresql.Driver\nurl={url}\nusername={self.parts['user']}\npassword=none\n"
            "script_char_set=UTF-8\nsend_full_script=false\ndelimiter=;\nfull_line_delimiter=false\n"
            "auto_commit=false\nchangelog=changelog\n",
        )
        self.file("drivers/.keep", "")
        columns = "id numeric(20,0) PRIMARY KEY, applied_at varchar(25) NOT NULL, description varchar(255) NOT NULL"
        table = f"CREATE TABLE changelog ({columns});"
        self.file("scripts/20260101000000_create_changelog.sql", f"{table}\n-- //@UNDO\nDROP TABLE changelog;\n")

    def write(self, script: Script, number: int) -> None:
        text = f"-- // {script.name}\n{lines(script.up)}\n-- //@UNDO\n{lines(script.down)}"
        self.file(f"scripts/202601010000{number:02}_{script.name}.sql", text)

    def up(self) -> ToolRun:
        return self._mybatis("up")

    def down(self) -> ToolRun:
        return self._mybatis("down")

    def _mybatis(self, command: str) -> ToolRun:
        classes = f"{fetch.mybatis()}/*"
        main = "org.apache.ibatis.migration.Migrator"
        return self.run(program("java"), "-cp", classes, main, command)


def _functions(script: Script, template: str, call: str) -> str:
    """Both ways of a script; statements with a quote or brace of the language's are not for these tools."""
    assert not any(re.search(r"[{}$\\]", statement) for statement in (*script.up, *script.down))
    return "".join(
        template.format(way=way, calls="".join(call.format(statement=statement) for statement in statements))
        for way, statements in (("up", script.up), ("down", script.down))
    )
