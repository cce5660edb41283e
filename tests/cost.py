"""What the tests cost: processor seconds by folder and the dearest tests, printed at the end with `--cost`.

The processor is the limit of the suite, and the clock tells of the machine's other work; so what counts is user and
system time of the worker and of everything it started: servers, daemons, tools, ended ones included.
Reads /proc, so it is for Linux; elsewhere it prints nothing.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PROPERTY = "cost"
DEAREST = 25
OPTION = "--cost"
_TICKS = os.sysconf("SC_CLK_TCK")
_before = pytest.StashKey[float]()


class Cost:
    """A plugin of pytest: each test's cost goes with its report, the sums are printed at the end."""

    def __init__(self) -> None:
        self.costs: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        item.stash[_before] = processor_seconds()
        yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Count after the test's own fixtures are gone; what lives for the whole run counts where it was made."""
        if call.when == "teardown":
            item.user_properties.append((PROPERTY, processor_seconds() - item.stash[_before]))
        yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.costs[report.nodeid] += sum(
                float(str(cost)) for key, cost in report.user_properties if key == PROPERTY
            )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not any(self.costs.values()):
            return
        terminalreporter.section("processor seconds")
        for place, cost in _sums(self.costs, depth=2) + _sums(self.costs, depth=None)[:DEAREST]:
            terminalreporter.write_line(f"{cost:8.1f}  {place}")
        for test, cost in sorted(self.costs.items(), key=lambda one: -one[1])[:DEAREST]:
            terminalreporter.write_line(f"{cost:8.1f}  {test}")
        terminalreporter.write_line(f"{sum(self.costs.values()):8.1f}  all")


def _sums(costs: dict[str, float], depth: int | None) -> list[tuple[str, float]]:
    """Sums by folder (so many names deep) or by file, the dearest first."""
    sums: dict[str, float] = defaultdict(float)
    for test, cost in costs.items():
        file = Path(test.partition("::")[0])
        sums["/".join(file.parts[:depth])] += cost
    return sorted(sums.items(), key=lambda one: -one[1])


def processor_seconds() -> float:
    """Seconds used so far by this process and its descendants, also those that have ended and were waited for."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name stands in parentheses and may hold anything.
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11:15])
    return sum(ticks for pid, ticks in used.items() if _descends(pid, parents)) / _TICKS


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid and pid != os.getpid():
        pid = parents.get(pid, 0)
    return bool(pid)
