"""Two projects of one tool in one database, each with a history table of its own, run at the same time.

In: a project of the first, of which `elsewhere.py` has a second kind. Out: the runs of both, each with its output.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from psycopg.conninfo import make_conninfo

from sandbox.jars import ToolRun
from sandbox.tools import ELSEWHERE, Project, Script
from tests.tools.story import Telling

SECOND = 20
"""What the numbers of the second project's scripts begin behind."""


def _scripts(base: int, *, alone: bool) -> tuple[Script, ...]:
    one, two, three, four = (f"m{base + number}" for number in range(1, 5))
    return (
        Script(f"{one}_users", (f"CREATE TABLE {one}_users (id serial, name text)",), (f"DROP TABLE {one}_users",)),
        Script(f"{two}_data", (f"INSERT INTO {one}_users (name) VALUES ('a')",), (f"DELETE FROM {one}_users",)),
        Script(
            f"{three}_pets",
            (f"CREATE TABLE {three}_pets (id integer)", f"CREATE VIEW {three}_names AS SELECT id FROM {three}_pets"),
            (f"DROP VIEW {three}_names", f"DROP TABLE {three}_pets"),
        ),
        Script(
            f"{four}_index",
            (f"CREATE INDEX {'CONCURRENTLY ' if alone else ''}{four}_name ON {one}_users (name)",),
            (f"DROP INDEX {four}_name",),
            transactional=not alone,
        ),
    )


class Twins(Telling):
    """What one does, the other does at the same time."""

    def run(self) -> None:
        both = [self.project, self._second()]
        for project, base in zip(both, (0, SECOND), strict=True):
            project.add(*_scripts(base, alone=project.mixes)[:3])
        self._step("up 1 to 3", both, lambda project: project.up)
        self.between()
        for project, base in zip(both, (0, SECOND), strict=True):
            project.add(_scripts(base, alone=project.mixes)[3])
        self._step("up 4", both, lambda project: project.up)
        if self.project.reverts:
            for number in (4, 3):
                self._step(f"down {number}", both, lambda project: project.down)
            self._step("up again", both, lambda project: project.up)

    def _second(self) -> Project:
        kind = next(kind for kind in ELSEWHERE.values() if issubclass(kind, type(self.project)))
        dsn = make_conninfo("", **{name: value for name, value in self.project.parts.items() if value is not None})
        return kind(dsn, self.project.folder.with_name(f"{self.project.folder.name}_second"))

    def _step(self, name: str, both: list[Project], act: Callable[[Project], Callable[[], ToolRun]]) -> None:
        with ThreadPoolExecutor(len(both)) as pool:
            running = [pool.submit(act(project)) for project in both]
            for one in running:
                self.step(name, one.result)
