"""A project of one migration tool: scripts in the tool's own form, run and reverted by the tool itself.

In: a database, an empty folder, scripts as plain SQL. Out: exit code and output; a script that fails does not raise.
Each call is a process of its own (of libraries that an application calls: a run in one that stays), with the tool's
defaults for everything that is not said here.
"""

from __future__ import annotations

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from psycopg.conninfo import conninfo_to_dict

from sandbox.jars import ToolMissing, ToolRun

RUN_TIMEOUT = 180.0  # seconds; on a machine that does much else a step of Alembic took more than 60


@dataclass(frozen=True)
class Script:
    """One migration: a name of letters, digits and underscores, and statements without a semicolon at the end.

    Its name and those of its objects begin with its number: `m4_index`. One that is not `transactional` (CREATE INDEX
    CONCURRENTLY) has a single statement each way.
    """

    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    transactional: bool = True

    @property
    def number(self) -> int:
        found = re.match(r"m(\d+)_", self.name)
        assert found is not None, self.name
        return int(found[1])


class Project(ABC):
    """`project.add(script)`, then `project.up()`.

    `history` is the table that the tool writes; `application_name` that of the sessions which run its DDL.
    """

    history: ClassVar[str]
    application_name: ClassVar[str] = ""
    reverts: ClassVar[bool] = True
    mixes: ClassVar[bool] = True
    """Whether it runs scripts outside transactions, between others."""
    leaves: ClassVar[bool] = False
    """Whether a script that fails leaves what its statements before made."""

    variables: ClassVar[Mapping[str, str]] = {}
    """Of the environment in which it runs."""

    shadow: ClassVar[bool] = False
    """Whether it needs a second database, whose name ends in `_shadow`."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.parts = conninfo_to_dict(dsn)
        self.folder = folder
        self.scripts: list[Script] = []
        self._written: list[list[Path]] = [[]]
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()

    def add(self, *scripts: Script) -> None:
        """Write scripts behind those that are there."""
        for script in scripts:
            self._written.append([])
            self.write(script, script.number)
            self.scripts.append(script)

    def remove(self) -> None:
        """Take the script away that was added last."""
        self.scripts.pop()
        for path in self._written.pop():
            path.unlink(missing_ok=True)

    def rewrite(self, script: Script) -> None:
        """Write a script of that number anew, which has not run yet, and all behind it."""
        behind = [one for one in self.scripts if one.number > script.number]
        while self.scripts and self.scripts[-1].number >= script.number:
            self.remove()
        self.add(script, *behind)

    @abstractmethod
    def prepare(self) -> None:
        """Write the tool's configuration."""

    @abstractmethod
    def write(self, script: Script, number: int) -> None:
        """Write a script in the tool's form; numbers count from 1."""

    @abstractmethod
    def up(self) -> ToolRun:
        """Run what has not run yet."""

    def down(self) -> ToolRun:
        """Revert the script that ran last."""
        raise NotImplementedError(f"{type(self).__name__} has no way back")

    def repair(self, number: int) -> ToolRun:  # noqa: ARG002  # most tools want nothing
        """Do what the tool wants done after that script failed, before it goes on."""
        return ToolRun(0, "")

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        """What else the tool can do to its history, without DDL: stamp, fake, mark."""
        return {}

    @classmethod
    def labels(cls, migration_id: int, version: str | None, name: str | None) -> frozenset[int]:  # noqa: ARG003  # by which of them, differs
        """The numbers of the scripts that a recorded migration is about."""
        for text in (version or "", name or ""):
            found = re.findall(r"(?<![a-z0-9])m(\d+)(?=_)", text.lower())
            if found:
                return frozenset({int(found[-1])})
        digits = re.search(r"(\d+)(?:\.sql)?$", version or "")
        return frozenset({int(digits[1]) % 1000}) if digits else frozenset()

    # ------------------------------------------------------------------ for the tools' classes

    @property
    def address(self) -> str:
        """Host, port and database as a URL has them, with the user."""
        user, host, port, name = (self.parts[key] for key in ("user", "host", "port", "dbname"))
        return f"{user}@{host}:{port}/{name}"

    @property
    def url(self) -> str:
        return f"postgres://{self.address}?sslmode=disable"

    def file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self._written[-1].append(path)

    def run(self, *command: str | Path, answer: str = "", **variables: str) -> ToolRun:
        """Run a program in the project's folder; libpq's variables and DATABASE_URL lead to the database.

        `answer` is what it reads.
        """
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment(variables),
                check=False,
                input=answer,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=RUN_TIMEOUT,
            )
        except FileNotFoundError as exc:
            if self.folder.exists():
                raise ToolMissing(f"{command[0]} is not installed; `sandbox/setup.sh tools` installs it") from exc
            raise
        except subprocess.TimeoutExpired as exc:
            return late(exc)
        return ToolRun(done.returncode, done.stdout)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """What a run has: libpq's variables, the project's, and these."""
        return {
            **os.environ,
            "PGHOST": str(self.parts["host"]),
            "PGPORT": str(self.parts["port"]),
            "PGUSER": str(self.parts["user"]),
            "PGDATABASE": str(self.parts["dbname"]),
            "PGPASSWORD": "none",
            "DATABASE_URL": self.url,
            "PYTHONDONTWRITEBYTECODE": "",  # compiling the packages takes longer than a run
            **self.variables,
            **variables,
        }


def late(exc: subprocess.TimeoutExpired) -> ToolRun:
    """How a run ended that took too long."""
    return ToolRun(-1, f"{(exc.stdout or b'').decode()}\nnot done after {RUN_TIMEOUT} s")


def lines(statements: tuple[str, ...]) -> str:
    """Statements as a script of plain SQL has them."""
    return "".join(f"{statement};\n" for statement in statements)
