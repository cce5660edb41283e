"""Migration tools written in Python: Alembic, Django, yoyo, peewee-migrate, pgmigrate, pogo."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from typing import ClassVar

from sandbox.forked_tools import run_python
from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.project import RUN_TIMEOUT, Project, Script, late, lines


class _PythonProject(Project):
    imports: ClassVar[tuple[str, ...]]
    """What it imports at each start."""

    def module(self, name: str, *words: str, **variables: str) -> ToolRun:
        return self._forked("-m", name, *words, **variables)

    def entry(self, module: str, function: str, *words: str, answer: str = "", **variables: str) -> ToolRun:
        """Run what the tool's own program is made of."""
        call = f"from {module} import {function}; {function}()"
        return self._forked("-c", call, *words, answer=answer, **variables)

    def _forked(self, *words: str, answer: str = "", **variables: str) -> ToolRun:
        python, environment = fetch.python() / "python", self.environment(variables)
        try:
            done = run_python(
                python,
                self.imports,
                *words,
                folder=self.folder,
                environment=environment,
                answer=answer,
                timeout=RUN_TIMEOUT,
            )
        except subprocess.TimeoutExpired as exc:
            return late(exc)
        return ToolRun(done.returncode, done.stdout)


class Alembic(_PythonProject):
    """Revisions; the table holds the newest one, in a row that moves. All of a run is one transaction."""

    history = "public.alembic_version"
    imports = (
        "alembic.command",
        "alembic.config",
        "alembic.runtime.environment",
        "sqlalchemy.dialects.postgresql.psycopg",
    )
    options: ClassVar[str] = ""

    def prepare(self) -> None:
        self.file("alembic.ini", "[alembic]\nscript_location = migrations\n")
        environment = f"""
            from alembic import context
            from sqlalchemy import create_engine

            with create_engine("postgresql+psycopg://").connect() as connection:
                context.configure(connection=connection{self.options})
                with context.begin_transaction():
                    context.run_migrations()
        """
        self.file("migrations/env.py", textwrap.dedent(environment))

    def write(self, script: Script, number: int) -> None:
        before = self.scripts[-1].name if self.scripts else None
        self.revision(script, before, f"{number:02}")

    def revision(self, script: Script, before: str | tuple[str, ...] | None, prefix: str) -> None:
        text = f"from alembic import op\n\nrevision = {script.name!r}\ndown_revision = {before!r}\n"
        for way, statements in (("upgrade", script.up), ("downgrade", script.down)):
            calls = [f"op.execute({statement!r})" for statement in statements]
            body = [f"    {line}" for line in calls]
            if not script.transactional:
                body = ["    with op.get_context().autocommit_block():", *(f"        {line}" for line in calls)]
            text += "\n".join(["", "", f"def {way}():", *body, ""])
        self.file(f"migrations/versions/{prefix}_{script.name}.py", text)

    def up(self) -> ToolRun:
        return self.alembic("upgrade", "heads")

    def down(self) -> ToolRun:
        return self.alembic("downgrade", "-1")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "branch": self._branch,
            "merge": self._merge,
            "unmerge": lambda: self.alembic("downgrade", "m6_left"),
            "merge again": self.up,
            "purge": lambda: self.alembic("stamp", "--purge", "m4_index"),
            "stamp": lambda: self.alembic("stamp", "heads"),
        }

    def _branch(self) -> ToolRun:
        for number, name in ((6, "m6_left"), (7, "m7_right")):
            script = Script(name, (f"CREATE TABLE {name} (id integer)",), (f"DROP TABLE {name}",))
            self.revision(script, self.scripts[-1].name, f"{number:02}")
        return self.up()

    def _merge(self) -> ToolRun:
        script = Script("m8_both", ("CREATE TABLE m8_both (id integer)",), ("DROP TABLE m8_both",))
        self.revision(script, ("m6_left", "m7_right"), "08")
        return self.up()

    def alembic(self, *words: str) -> ToolRun:
        return self.module("alembic", *words)


class Django(_PythonProject):
    """One application, `shop`: models whose foreign keys and unique columns are deferred SQL, and SQL of its own."""

    history = "public.django_migrations"
    imports = (
        "django.core.management.commands.migrate",
        "django.db.backends.postgresql.base",
        "django.db.migrations.executor",
        "django.db.models",
    )

    def prepare(self) -> None:
        settings = {
            "SECRET_KEY": "none is kept",
            "INSTALLED_APPS": ["shop"],
            "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
            "USE_TZ": True,
            "DATABASES": {
                "default": {
                    "ENGINE": "django.db.backends.postgresql",
                    "NAME": self.parts["dbname"],
                    "USER": self.parts["user"],
                    "HOST": self.parts["host"],
                    "PORT": str(self.parts["port"]),
                }
            },
        }
        self.file("settings.py", "".join(f"{key} = {value!r}\n" for key, value in settings.items()))
        self.file("shop/__init__.py", "")
        self.file("shop/migrations/__init__.py", "")

    def write(self, script: Script, number: int) -> None:  # noqa: ARG002  # its name has it
        before = [("shop", _django_name(self.scripts[-1]))] if self.scripts else []
        text = (
            "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            f"    atomic = {script.transactional}\n"
            f"    dependencies = {before!r}\n"
            f"    operations = [{_DJANGO.get(script.name) or _run_sql(script)}]\n"
        )
        self.file(f"shop/migrations/{_django_name(script)}.py", text)

    def up(self) -> ToolRun:
        self.reverted = 0
        return self._migrate()

    def down(self) -> ToolRun:
        """To what stands before the newest that is applied."""
        self.reverted = getattr(self, "reverted", 0) + 1
        left = self.scripts[: -self.reverted]
        return self._migrate("shop", _django_name(left[-1]) if left else "zero")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "fake back": lambda: self._migrate("shop", "0003", "--fake"),
            "fake": lambda: self._migrate("shop", "--fake"),
        }

    def _migrate(self, *words: str) -> ToolRun:
        variables = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(self.folder)}
        return self.module("django", "migrate", *words, **variables)


def _django_name(script: Script) -> str:
    return f"{script.number:04}_{script.name}"


def _run_sql(script: Script) -> str:
    return f"migrations.RunSQL({list(script.up)!r}, {list(script.down)!r})"


_DJANGO = {
    "m1_users": (
        "migrations.CreateModel('User', [('id', models.BigAutoField(primary_key=True)),"
        " ('email', models.TextField(null=True))], options={'db_table': 'm1_users'})"
    ),
    "m2_orders": (
        "migrations.CreateModel('Order', [('id', models.BigAutoField(primary_key=True)),"
        " ('code', models.CharField(max_length=9, unique=True)),"
        " ('buyer', models.ForeignKey('shop.User', on_delete=models.CASCADE))], options={'db_table': 'm2_orders'})"
    ),
}
"""Migrations that Django itself turns into SQL, by the names of the scripts in whose place they stand."""


class Yoyo(_PythonProject):
    """Steps in Python; a log of what was applied and reverted beside the table."""

    history = "public._yoyo_log"
    imports = ("yoyo.scripts.main", "yoyo.backends.core.postgresql", "psycopg")

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()

    def write(self, script: Script, number: int) -> None:
        before = [_yoyo_name(self.scripts[-1])] if self.scripts else []
        # It reverts the steps from the last to the first by itself.
        steps = [f"step({up!r}, {down!r})" for up, down in zip(script.up, script.down[::-1], strict=True)]
        text = "from yoyo import step\n\n"
        text += f"__depends__ = {{{', '.join(json.dumps(one) for one in before)}}}\n"
        text += f"__transactional__ = {script.transactional}\n"
        self.file(f"migrations/{number:04}.{script.name}.py", f"{text}steps = [{', '.join(steps)}]\n")

    def up(self) -> ToolRun:
        self.reverted = 0
        return self._yoyo("apply")

    def down(self) -> ToolRun:
        self.reverted = getattr(self, "reverted", 0) + 1
        return self._yoyo("rollback", "--revision", _yoyo_name(self.scripts[-self.reverted]))

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        last = _yoyo_name(self.scripts[-1])
        return {
            "unmark": lambda: self._yoyo("unmark", "--revision", last),
            "mark": lambda: self._yoyo("mark", "--revision", last),
        }

    def _yoyo(self, command: str, *options: str) -> ToolRun:
        database = f"postgresql+psycopg://{self.address}"
        words = [command, "--batch", "--no-config-file", "--database", database, *options, "migrations"]
        return self.module("yoyo", *words)


def _yoyo_name(script: Script) -> str:
    return f"{script.number:04}.{script.name}"


class PeeweeMigrate(_PythonProject):
    """Functions in Python, each in one transaction with its row."""

    history = "public.migratehistory"
    imports = ("peewee_migrate.cli", "psycopg2")
    mixes = False

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()

    def write(self, script: Script, number: int) -> None:
        text = ""
        for way, statements in (("migrate", script.up), ("rollback", script.down)):
            calls = "".join(f"    migrator.sql({statement!r})\n" for statement in statements)
            text += f"def {way}(migrator, database, *, fake=False):\n{calls}\n\n"
        self.file(f"migrations/{number:03}_{script.name}.py", text)

    def up(self) -> ToolRun:
        return self._peewee("migrate")

    def down(self) -> ToolRun:
        return self._peewee("rollback")

    def _peewee(self, command: str) -> ToolRun:
        words = [command, "--directory", "migrations", "--database", f"postgresql://{self.address}"]
        return self.entry("peewee_migrate.cli", "cli", *words)


class PgMigrate(_PythonProject):
    """Plain SQL; what is new runs in one transaction, what cannot run in one by itself. No way back."""

    history = "public.schema_version"
    imports = ("pgmigrate",)
    application_name = "pgmigrate-1"
    reverts = False

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()

    def write(self, script: Script, number: int) -> None:
        mark = "" if script.transactional else "NONTRANSACTIONAL_"
        self.file(f"migrations/V{number:04}__{mark}{script.name}.sql", lines(script.up))

    def up(self) -> ToolRun:
        words = ["-c", " ".join(f"{key}={value}" for key, value in self.parts.items()), "-d", ".", "-t", "latest"]
        return self.module("pgmigrate", *words, "--force_mixed", "migrate")


class Pogo(_PythonProject):
    """Plain SQL in files that name what they depend on."""

    history = "public._pogo_migration"
    imports = ("pogo_migrate.cli", "asyncpg")

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()
        config = '[tool.pogo]\nmigrations = "./migrations"\ndatabase_config = "{POGO_DATABASE}"\n'
        self.file("pyproject.toml", config)

    def write(self, script: Script, number: int) -> None:  # noqa: ARG002  # its name has it
        before = f" {_pogo_name(self.scripts[-1])}" if self.scripts else ""
        transaction = "" if script.transactional else "-- transaction: false\n"
        text = f"-- {script.name}\n-- depends:{before}\n{transaction}\n"
        text += f"-- migrate: apply\n\n{lines(script.up)}\n-- migrate: rollback\n\n{lines(script.down)}"
        self.file(f"migrations/{_pogo_name(script)}.sql", text)

    def up(self) -> ToolRun:
        return self._pogo("apply")

    def down(self) -> ToolRun:
        return self._pogo("rollback")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        last = _pogo_name(self.scripts[-1])
        return {
            "unmark": lambda: self._pogo("unmark", "--migration", last),
            "mark": lambda: self._pogo("mark", "--migration", last),
        }

    def _pogo(self, *words: str) -> ToolRun:
        database = f"postgresql://{self.address}"
        return self.entry("pogo_migrate.cli", "main", *words, answer="y\n", POGO_DATABASE=database)


def _pogo_name(script: Script) -> str:
    return f"20260101_{script.number:02}_{script.name}"
