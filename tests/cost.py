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


class Cost:
    """A plugin of pytest: each test's cost goes with its report, the sums are printed at the end."""

    def __init__(self) -> None:
        self.costs: dict[str, float] = defaultdict(float)
        self._before = processor_seconds()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Count after the test's own fixtures are gone; what lives for the whole run counts where it was made."""
        if call.when == "teardown":
            now = processor_seconds()
            item.user_properties.append((PROPERTY, now - self._before))
            self._before = now
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
    """Seconds used so far by this process and its descendants, also those that have ended and were waited for.

    Read as plainly as can be: some hundred processes are looked at after each of thousands of tests.
    """
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for name in os.listdir("/proc") if Path("/proc").is_dir() else ():  # noqa: PTH208 - a Path for each is dear
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as stat:  # noqa: PTH123
                # The program's name stands in parentheses and may hold anything.
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15]))
    return sum(ticks for pid, ticks in used.items() if _descends(pid, parents)) / _TICKS


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid and pid != os.getpid():
        pid = parents.get(pid, 0)
    return bool(pid)
