"""The other way through a tool: runs of several files with data between DDL, runs with nothing to do, indexes outside
of transactions one after the other, a failure in the middle of a run and its correction, steps back and on again.

In: a project. Out: the runs, each with its output; those that must succeed are checked here.
"""

from __future__ import annotations

from functools import partial

from sandbox.tools.project import Script
from tests.tools.story import Telling


def _data(number: int) -> Script:
    name = f"number {number}"
    return Script(
        f"m{number}_data",
        (f"INSERT INTO m1_people (name) VALUES ('{name}')",),
        (f"DELETE FROM m1_people WHERE name = '{name}'",),
    )


def _index(number: int, table: str, column: str, *, alone: bool) -> Script:
    """An index; `alone`: outside of transactions."""
    make = f"CREATE INDEX {'CONCURRENTLY ' if alone else ''}m{number}_index ON {table} ({column})"
    # Some tools cannot leave a transaction on the way back.
    return Script(f"m{number}_index", (make,), (f"DROP INDEX m{number}_index",), transactional=not alone)


FIRST = (
    Script(
        "m1_people",
        (
            "CREATE TABLE m1_people (id serial PRIMARY KEY, name text)",
            "CREATE VIEW m1_names AS SELECT name FROM m1_people",
            "CREATE FUNCTION m1_one() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        ),
        ("DROP FUNCTION m1_one()", "DROP VIEW m1_names", "DROP TABLE m1_people"),
    ),
    _data(2),
    Script(
        "m3_pets",
        ("CREATE TABLE m3_pets (id serial PRIMARY KEY, owner integer REFERENCES m1_people)",),
        ("DROP TABLE m3_pets",),
    ),
)
MOODS = Script(
    "m7_moods",
    ("CREATE TYPE m7_mood AS ENUM ('glad', 'sad')", "CREATE TABLE m7_moods (mood m7_mood)"),
    ("DROP TABLE m7_moods", "DROP TYPE m7_mood"),
)
FAILING = Script("m8_places", ("CREATE TABLE m8_bad (id integer)", "SELECT 1/0"), ("SELECT 1", "SELECT 1"))
PLACES = Script("m8_places", ("CREATE TABLE m8_places (id integer)",), ("DROP TABLE m8_places",))
BEHIND = Script("m9_times", ("CREATE TABLE m9_times (id integer)",), ("DROP TABLE m9_times",))
MANY = Script(
    "m12_many",
    (
        "CREATE TABLE m12_one (id integer PRIMARY KEY)",
        "CREATE TABLE m12_two (id integer REFERENCES m12_one)",
        "CREATE SEQUENCE m12_count",
        "CREATE UNIQUE INDEX m12_two_id ON m12_two (id)",
    ),
    ("DROP INDEX m12_two_id", "DROP SEQUENCE m12_count", "DROP TABLE m12_two", "DROP TABLE m12_one"),
)


class Winding(Telling):
    """Several scripts a run."""

    def run(self) -> None:
        project = self.project
        project.add(*FIRST)
        self.step("up 1 to 3", project.up)
        self.between()
        self.step("nothing to do", project.up)
        alone = project.mixes
        project.add(_index(4, "m1_people", "name", alone=alone), _data(5), _index(6, "m3_pets", "owner", alone=alone))
        self.step("up 4 to 6", project.up)
        self._back(2)
        project.add(MOODS, FAILING, BEHIND)
        self.step("fail 8", project.up, fails=True)
        self.step("repair", partial(project.repair, FAILING.number))
        project.rewrite(PLACES)
        self.step("up 7 to 9", project.up)
        self._back(1)
        project.add(_data(10), _data(11), MANY)
        self.step("up 10 to 12", project.up)
        self._back(3)

    def _back(self, steps: int) -> None:
        """Revert so many scripts one by one, then run them all again."""
        if self.project.reverts:
            for step in range(steps):
                self.step(f"down {step + 1} of {steps}", self.project.down)
            self.step("nothing new, up again", self.project.up)
