"""A project of one migration tool: scripts in the tool's own form, run and reverted by the tool itself.

In: a database, an empty folder, scripts as plain SQL. Out: exit code and output; a script that fails does not raise.
Each call is a process of its own, with the tool's defaults for everything that is not said here.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from psycopg.conninfo import conninfo_to_dict

from sandbox.jars import ToolRun


@dataclass(frozen=True)
class Script:
    """One migration: a name of letters, digits and underscores, and statements without a semicolon at the end.

    One that is not `transactional` (CREATE INDEX CONCURRENTLY) has a single statement each way.
    """

    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    transactional: bool = True


SCRIPTS = (
    Script("m1_users", ("CREATE TABLE m1_users (id serial PRIMARY KEY, email text)",), ("DROP TABLE m1_users",)),
    Script(
        "m2_orders",
        ("CREATE TABLE m2_orders (id serial PRIMARY KEY, buyer integer REFERENCES m1_users)",),
        ("DROP TABLE m2_orders",),
    ),
    Script("m3_data", ("INSERT INTO m1_users (email) VALUES ('a@b')",), ("DELETE FROM m1_users",)),
    Script(
        "m4_index",
        ("CREATE INDEX CONCURRENTLY m4_users_email ON m1_users (email)",),
        ("DROP INDEX m4_users_email",),
        transactional=False,
    ),
)
"""A table, a table that refers to it, rows without DDL, an index made outside a transaction."""


class Project(ABC):
    """`project.add(script)`, then `project.up()`; `history` is the table that the tool writes."""

    history: ClassVar[str]
    reverts: ClassVar[bool] = True
    mixes: ClassVar[bool] = True
    """Whether it runs scripts outside transactions, between others."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.parts = conninfo_to_dict(dsn)
        self.folder = folder
        self.scripts: list[Script] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()

    def add(self, *scripts: Script) -> None:
        """Write scripts behind those that are there."""
        for script in scripts:
            self.write(script, len(self.scripts) + 1)
            self.scripts.append(script)

    @abstractmethod
    def prepare(self) -> None:
        """Write the tool's configuration."""

    @abstractmethod
    def write(self, script: Script, number: int) -> None:
        """Write a script in the tool's form; numbers count from 1."""

    @abstractmethod
    def up(self) -> ToolRun:
        """Run what has not run yet."""

    @abstractmethod
    def down(self) -> ToolRun:
        """Revert the script that ran last."""

    # ------------------------------------------------------------------ for the tools' classes

    @property
    def address(self) -> str:
        """Host, port and database as a URL has them, with the user."""
        user, host, port, name = (self.parts[key] for key in ("user", "host", "port", "dbname"))
        return f"{user}@{host}:{port}/{name}"

    def file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *command: str | Path, **variables: str) -> ToolRun:
        """Run a program in the project's folder; libpq's variables and DATABASE_URL lead to the database."""
        environment = {
            **os.environ,
            "PGHOST": str(self.parts["host"]),
            "PGPORT": str(self.parts["port"]),
            "PGUSER": str(self.parts["user"]),
            "PGDATABASE": str(self.parts["dbname"]),
            "DATABASE_URL": f"postgres://{self.address}?sslmode=disable",
            "PYTHONDONTWRITEBYTECODE": "",  # compiling the packages takes longer than a run
            **variables,
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return ToolRun(done.returncode, done.stdout)
