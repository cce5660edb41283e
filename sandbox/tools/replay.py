"""What the replays of tools have in common: a project whose scripts a session here runs, as the tool's would.

In: scripts, as of a real project. Out: the tool's transactions and rows. One class a tool is in `replays.py`.

As each run of a tool is a process, so much time passes before each as an interpreter needs to start: of Phinx 0.16.5
half a second between its start and its first statement, on a machine where Python needed 0.3 s. It closed its session
2 to 4 ms after its last commit, as PHP ends; here it is closed at once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import make_conninfo

from sandbox.jars import ToolRun
from sandbox.tools.project import Project, Script

Connection = psycopg.Connection[Any]


class Replay(Project):
    """`table` is made at the first run; `row` and `gone` are SQL with the script's `number`, `name` and `version`."""

    table: ClassVar[tuple[str, ...]]
    row: ClassVar[str]
    gone: ClassVar[str]
    together: ClassVar[bool] = True
    """Whether row and DDL are one transaction, where the script can run in one."""
    at_first: ClassVar[bool] = False
    """Whether the session that runs the scripts has made the table."""

    def prepare(self) -> None:
        self.applied: list[Script] = []
        self.made = False

    def write(self, script: Script, number: int) -> None:
        """Nothing stands in files."""

    def up(self) -> ToolRun:
        return self._run(self._up)

    def down(self) -> ToolRun:
        return self._run(lambda conn: self._move(conn, self.applied[-1], on=False))

    def extras(self) -> Mapping[str, Callable[[], ToolRun]]:
        return {
            "rows without DDL, back": lambda: self._run(lambda conn: self.write_row(conn, self.applied[-1], self.gone)),
            "rows without DDL": lambda: self._run(lambda conn: self.write_row(conn, self.applied[-1], self.row)),
        }

    # ------------------------------------------------------------------ how it works

    @contextmanager
    def session(self, application_name: str | None = None) -> Iterator[Connection]:
        name = self.application_name if application_name is None else application_name
        dsn = make_conninfo("", **{**self.parts, "application_name": name})
        with psycopg.connect(dsn, autocommit=True) as conn:
            yield conn

    @contextmanager
    def locked(self) -> Iterator[Connection]:
        """The session that runs the scripts, with the tool's lock held."""
        with self.session() as conn:
            yield conn

    def move(self, conn: Connection, script: Script, statements: tuple[str, ...], row: str) -> None:
        """Run a script and write its row."""
        if self.together and script.transactional:
            with conn.transaction():
                execute(conn, statements)
                self.write_row(conn, script, row)
        else:
            execute(conn, statements)
            self.write_row(conn, script, row)

    def write_row(self, conn: Connection, script: Script, row: str) -> None:
        conn.execute(row.encode(), self.values(script))

    def values(self, script: Script) -> dict[str, Any]:
        version = f"202601010000{script.number:02}"
        return {"number": int(version), "version": version, "name": script.name, "whole": f"{version}_{script.name}"}

    def _run(self, act: Callable[[Connection], object]) -> ToolRun:
        _start()
        try:
            if not (self.made or self.at_first):
                with self.session() as conn:
                    self._make(conn)
            with self.locked() as conn:
                if not self.made:
                    self._make(conn)
                self.work(conn, act)
        except psycopg.Error as exc:
            return ToolRun(1, str(exc))
        return ToolRun(0, "")

    def _make(self, conn: Connection) -> None:
        execute(conn, self.table)
        self.made = True

    def work(self, conn: Connection, act: Callable[[Connection], object]) -> None:
        """Look at what has run, then do what is to be done."""
        conn.execute(f"SELECT * FROM {self.history}".encode())
        act(conn)

    def _up(self, conn: Connection) -> None:
        for script in self.scripts[len(self.applied) :]:
            self._move(conn, script, on=True)

    def _move(self, conn: Connection, script: Script, *, on: bool) -> None:
        self.move(conn, script, script.up if on else script.down, self.row if on else self.gone)
        if on:
            self.applied.append(script)
        else:
            self.applied.remove(script)


def _start() -> None:
    """Take the time that a tool needs before it connects."""
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], check=True)


def execute(conn: Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        conn.execute(statement.encode())
