"""What a transaction costs while many claims are open: `python -m tests.bench.open_claims`.

A source without a lock may claim what 2,000 sessions, one script, or two scripts that cannot be told apart ran; Flyway
migrates beside it, and people change things by hand. Attribution takes their transactions with nothing open and with
all those claims open, in turns; what it has to remember of each is counted in. Out: the CPU time for each and the
ratio, which must be at most 1.5: whatever waits costs nobody else anything. Needs no server.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.interpret.history_table import Ledger
from pggit_daemon.interpret.transaction import Reader
from pggit_daemon.model.changeset import Changeset, RecordedSegment, Segment
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.segments import segments
from tests.unit.build import PRESETS, Flyway, Wal, flyway_source, who

MOST = 1.5
TABLE = TableName("app", "history")
TURNS = 5


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--claims", type=int, default=20_000, help="open claims")
    arguments.add_argument("--transactions", type=int, default=400, help="that are timed, in each turn")
    chosen = arguments.parse_args()
    worst = 0.0
    for name, fill in SCENES.items():
        with_none, with_all = _state(fill, 0), _state(fill, chosen.claims)
        worst = max(worst, _compare(f"core, {name}", with_none, with_all, chosen.transactions))
    print(f"worst ratio {worst:.2f}, allowed {MOST}")
    if worst > MOST:
        raise SystemExit(1)


class State:
    """A log, and attribution that follows it."""

    def __init__(self) -> None:
        self.wal = Wal()
        section = {"name": "own", "table": "app.history", "tool": "own", "columns": {"id": "id"}, "ddl": "after"}
        section |= {"application_name": "deployer"}
        own = configured_source(Section.model_validate(section), timedelta(days=30))
        registry = Registry({"flyway": PRESETS["flyway"]}, (flyway_source(), own))
        ledgers = {name: Ledger(name, source.preset) for name, source in registry.sources.items()}
        self.reader = Reader(registry, ledgers)
        self.correlator = Correlator(registry.sources)
        self.pids = 10_000

    def next_ones(self, transactions: int) -> float:
        """Seconds for each of so many transactions: a third of a hand's, the others of Flyway's migrations."""
        while len(self.wal.transactions) < transactions:
            self.pids += 2
            name = f"public.t{self.pids}"
            Flyway(self.wal, who(self.pids), who(self.pids + 1), rank=self.pids).migrate(name)
            hand = self.wal.begin(who(self.pids, "psql", "dba"))
            hand.create(f"{name}h")
            hand.commit()
        return self.feed()

    def feed(self) -> float:
        """Seconds for each of the transactions that are new in the log."""
        known = []
        for transaction in self.wal.transactions:
            changeset = self.reader.read(transaction)
            assert isinstance(changeset, Changeset)
            known.append((changeset, [_recorded(segment) for segment in segments(changeset)]))
        self.wal.transactions.clear()
        gc.collect()
        began = time.process_time()
        for changeset, recorded in known:
            self.correlator.tick(changeset.commit_time)
            self.correlator.feed(changeset, recorded, None)
            self.correlator.take()
        return (time.process_time() - began) / len(known) if known else 0.0


def _recorded(segment: Segment) -> RecordedSegment:
    commit = f"{segment.changeset.commit_lsn} {segment.ordinal}"
    objects = tuple(tuple(item.key for item in event.objects if item.key is not None) for event in segment.events)
    return RecordedSegment(segment, commit, "created", objects)


def _sessions(state: State, claims: int) -> None:
    for number in range(claims):
        _script(state, 1_000 + number % 2_000, number)


def _one_script(state: State, claims: int) -> None:
    for number in range(claims):
        _script(state, 1_000, number)


def _two_scripts(state: State, claims: int) -> None:
    for number in range(claims):
        _script(state, 1_000 + number % 2, number)
    if claims:
        row = state.wal.begin(who(1_001, "deployer"))
        row.insert(TABLE, id=1)
        row.commit()


def _script(state: State, pid: int, number: int) -> None:
    tx = state.wal.begin(who(pid, "deployer"))
    tx.create(f"app.t{number}")
    tx.commit()


SCENES: dict[str, Callable[[State, int], None]] = {
    "of 2,000 sessions": _sessions,
    "of one script": _one_script,
    "of two scripts, and a row that cannot tell them apart": _two_scripts,
}


def _state(fill: Callable[[State, int], None], claims: int) -> State:
    state = State()
    fill(state, claims)
    state.feed()
    assert state.correlator.waiting == claims
    return state


def _compare(name: str, with_none: State, with_all: State, transactions: int) -> float:
    """In turns, so that whatever else the machine does is in both; the median of the turns."""
    none, many = [], []
    for _ in range(TURNS):
        none.append(with_none.next_ones(transactions))
        many.append(with_all.next_ones(transactions))
    return _told(name, none, many)


def _told(name: str, none: Sequence[float], many: Sequence[float]) -> float:
    ratio = statistics.median(many) / statistics.median(none)
    print(
        f"{name}: {statistics.median(none) * 1e6:.0f} us a transaction with nothing open,"
        f" {statistics.median(many) * 1e6:.0f} us with all open: ratio {ratio:.2f}",
        flush=True,
    )
    return ratio


if __name__ == "__main__":
    main()
