"""What the oracle counted: the figures of one run, added up, printed and written down.

In: counts from each watched database. Out: a line at the end of the test run, and JSON where `PGGIT_ORACLE_FIGURES`
names a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

PROPERTY = "oracle"


@dataclass
class Figures:
    """One script or history. `objects` is the most that a comparison of it held at once.

    `unrepeated` are dumps of restored exports that differ from the original's as one after a restore of pg_dump's own
    does, to the letter: what PostgreSQL itself does not repeat.
    """

    name: str
    statements: int = 0
    refused: int = 0
    migrations: int = 0
    commits: int = 0
    objects: int = 0
    comparisons: int = 0
    compared_objects: int = 0
    dumps: int = 0
    unrepeated: int = 0
    differences: int = 0

    def says(self) -> str:
        """The figures in words."""
        return (
            f"{self.name}: {self.statements} statements ({self.refused} refused by the server), {self.migrations}"
            f" migrations, {self.commits} commits, {self.objects} objects; {self.comparisons} comparisons of"
            f" {self.compared_objects} objects, {self.dumps} exports restored and dumped"
            f" ({self.unrepeated} as PostgreSQL repeats itself); {self.differences} differences"
        )


class Tally:
    """A plugin of pytest that gathers the figures from all workers, and prints them and their sum at the end."""

    def __init__(self) -> None:
        self.parts: list[Figures] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.parts += [Figures(**counts) for key, counts in report.user_properties if key == PROPERTY]  # type: ignore[arg-type]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.parts:
            return
        everything = [*sorted(self.parts, key=lambda part: part.name), total(self.parts)]
        terminalreporter.section("oracle")
        for part in everything:
            terminalreporter.write_line(part.says())
        if file := os.environ.get("PGGIT_ORACLE_FIGURES"):
            Path(file).write_text(json.dumps([asdict(part) for part in everything], indent=1) + "\n")


def total(parts: Sequence[Figures]) -> Figures:
    """The sum of all counts."""
    counts = asdict(Figures("")).keys() - {"name"}
    return Figures("all", **{key: sum(getattr(part, key) for part in parts) for key in counts})
