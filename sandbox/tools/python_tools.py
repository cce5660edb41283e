"""Migration tools written in Python: Alembic, Django, yoyo."""

from __future__ import annotations

import json
import textwrap

from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.project import Project, Script


class Alembic(Project):
    """Revisions; the table holds the newest one, in a row that moves."""

    history = "public.alembic_version"

    def prepare(self) -> None:
        self.file("alembic.ini", "[alembic]\nscript_location = migrations\n")
        environment = """
            from alembic import context
            from sqlalchemy import create_engine

            with create_engine("postgresql+psycopg://").connect() as connection:
                context.configure(connection=connection, transaction_per_migration=True)
                with context.begin_transaction():
                    context.run_migrations()
        """
        self.file("migrations/env.py", textwrap.dedent(environment))

    def write(self, script: Script, number: int) -> None:
        before = self.scripts[-1].name if self.scripts else None
        text = f"from alembic import op\n\nrevision = {script.name!r}\ndown_revision = {before!r}\n"
        for way, statements in (("upgrade", script.up), ("downgrade", script.down)):
            lines = [f"op.execute({statement!r})" for statement in statements]
            body = [f"    {line}" for line in lines]
            if not script.transactional:
                body = ["    with op.get_context().autocommit_block():", *(f"        {line}" for line in lines)]
            text += "\n".join(["", "", f"def {way}():", *body, ""])
        self.file(f"migrations/versions/{number:02}_{script.name}.py", text)

    def up(self) -> ToolRun:
        return self._alembic("upgrade", "head")

    def down(self) -> ToolRun:
        return self._alembic("downgrade", "-1")

    def _alembic(self, *words: str) -> ToolRun:
        return self.run(fetch.python() / "python", "-m", "alembic", *words)


class Django(Project):
    """One application, `shop`, whose migrations run SQL."""

    history = "public.django_migrations"

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

    def write(self, script: Script, number: int) -> None:
        before = [("shop", _django_name(self.scripts[-1], number - 1))] if self.scripts else []
        text = (
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            f"    atomic = {script.transactional}\n"
            f"    dependencies = {before!r}\n"
            f"    operations = [migrations.RunSQL({list(script.up)!r}, {list(script.down)!r})]\n"
        )
        self.file(f"shop/migrations/{_django_name(script, number)}.py", text)

    def up(self) -> ToolRun:
        return self._migrate()

    def down(self) -> ToolRun:
        script = self.scripts.pop()
        before = _django_name(self.scripts[-1], len(self.scripts)) if self.scripts else "zero"
        self.scripts.append(script)
        return self._migrate("shop", before)

    def _migrate(self, *words: str) -> ToolRun:
        variables = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(self.folder)}
        return self.run(fetch.python() / "python", "-m", "django", "migrate", *words, **variables)


def _django_name(script: Script, number: int) -> str:
    return f"{number:04}_{script.name}"


class Yoyo(Project):
    """Steps in Python; a log of what was applied and reverted beside the table."""

    history = "public._yoyo_migration"

    def prepare(self) -> None:
        (self.folder / "migrations").mkdir()

    def write(self, script: Script, number: int) -> None:
        before = {self._name(number - 1)} if self.scripts else set()
        steps = [f"step({up!r}, {down!r})" for up, down in zip(script.up, script.down, strict=True)]
        text = "from yoyo import step\n\n"
        text += f"__depends__ = {json.dumps(sorted(before))}\n__transactional__ = {script.transactional}\n"
        self.file(f"migrations/{number:04}.{script.name}.py", f"{text}steps = [{', '.join(steps)}]\n")

    def up(self) -> ToolRun:
        return self._yoyo("apply")

    def down(self) -> ToolRun:
        return self._yoyo("rollback", "--revision", self._name(len(self.scripts)))

    def _name(self, number: int) -> str:
        return f"{number:04}.{self.scripts[number - 1].name}"

    def _yoyo(self, command: str, *options: str) -> ToolRun:
        database = f"postgresql+psycopg://{self.address}"
        words = [command, "--batch", "--no-config-file", "--database", database, *options, "migrations"]
        return self.run(fetch.python() / "python", "-m", "yoyo", *words)
