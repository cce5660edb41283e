"""What each tool is put through: two migrations at once, rows without DDL, an index outside of transactions, a failure,
the way back, again, and whatever else it can do to its history.

In: a project. Out: the runs, each with its output; those that must succeed are checked here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sandbox.jars import ToolFailed, ToolRun
from sandbox.tools.project import Project, Script

FIRST = (
    Script("m1_users", ("CREATE TABLE m1_users (id serial PRIMARY KEY, email text)",), ("DROP TABLE m1_users",)),
    Script(
        "m2_orders",
        ("CREATE TABLE m2_orders (id serial PRIMARY KEY, buyer integer REFERENCES m1_users)",),
        ("DROP TABLE m2_orders",),
    ),
)
DATA = Script("m3_data", ("INSERT INTO m1_users (email) VALUES ('a@b')",), ("DELETE FROM m1_users",))
INDEX = Script(
    "m4_index",
    ("CREATE INDEX CONCURRENTLY m4_users_email ON m1_users (email)",),
    ("DROP INDEX m4_users_email",),
    transactional=False,
)
PLAIN_INDEX = Script("m4_index", ("CREATE INDEX m4_users_email ON m1_users (email)",), INDEX.down)
FAILING = Script("m5_fails", ("CREATE TABLE m5_bad (id integer)", "SELECT 1/0"), ("SELECT 1", "SELECT 1"))
LAST = Script(
    "m5_more",
    ("CREATE TABLE m5_more (id integer)", "CREATE VIEW m5_seen AS SELECT id FROM m5_more"),
    ("DROP TABLE m5_more CASCADE", "SELECT 1"),
)


@dataclass
class Telling:
    """One way through a tool. `between` is called once the history table is there."""

    project: Project
    told: list[str] = field(default_factory=list)
    between: Callable[[], None] = lambda: None
    short: bool = False

    @abstractmethod
    def run(self) -> None:
        """Go through all of it; ToolFailed where the tool did not do what it should."""

    def step(self, name: str, act: Callable[[], ToolRun], *, fails: bool = False) -> None:
        run = act()
        self.told.append(f"== {name}: {run.exit_code}\n{run.output}")
        if run.ok == fails:
            raise ToolFailed(f"{type(self.project).__name__}, {name}: exit code {run.exit_code}\n{run.output}")


class Story(Telling):
    """Each step of its own, with one script where that can be."""

    def run(self) -> None:
        project = self.project
        project.add(*FIRST)
        self.step("up 1 2", project.up)
        self.between()
        project.add(DATA)
        self.step("up 3", project.up)
        project.add(INDEX if project.mixes else PLAIN_INDEX)
        self.step("up 4", project.up)
        if not self.short:
            project.add(FAILING)
            self.step("fail 5", project.up, fails=True)
            self.step("repair", partial(project.repair, FAILING.number))
            project.remove()
        if project.reverts:
            self.step("down 4", project.down)
            if not self.short:
                self.step("down 3", project.down)
        project.add(LAST)
        self.step("up", project.up)
        if not self.short:
            for name, extra in project.extras().items():
                self.step(name, extra)
