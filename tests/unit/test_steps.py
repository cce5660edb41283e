"""The steps of a table of one number where the stream shows none at all: linked where both ends are proven."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pggit_daemon.db.history_rows import TableReading, TableState
from pggit_daemon.interpret.transaction import NewTables
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile.late_sources import Ran
from pggit_daemon.reconcile.steps import Steps
from tests.unit.build import Follower, Tx, Who
from tests.unit.tool_scene import HAND, TOOL, Scene

TERN = TableName("public", "schema_version")


@dataclass
class Silent:
    """A tool's table of which no update is streamed. `fed`: how many transactions were read."""

    scene: Scene = field(default_factory=lambda: Scene("tern", TERN))
    fed: int = 0

    def __post_init__(self) -> None:
        self.follower = Follower(self.scene.source, insert_only=frozenset({TERN}))
        self.steps = Steps(self.follower.registry, frozenset({TERN}))
        tx = self.scene.wal.begin(TOOL)
        tx.insert(TERN, version=0)
        tx.commit()

    def step(self, to: int, *, ddl: bool = True) -> int:
        """One migration; its transaction."""
        tx = self.begin(TOOL, ddl=ddl)
        self.write(tx, to)
        tx.commit()
        return tx.xid

    def begin(self, session: Who = HAND, *, ddl: bool = True) -> Tx:
        tx = self.scene.wal.begin(session)
        if ddl:
            self.scene.ddl(tx, None)
        return tx

    def write(self, tx: Tx, to: int) -> None:
        tx.leaves[TERN] = {"version": str(to)}

    def compare(self) -> list[tuple[int | None, int | None]]:
        """Compare the table as it is now: the migrations that are found, and whose transaction each has."""
        wal = self.scene.wal
        for transaction in wal.transactions[self.fed :]:
            changeset = self.follower.reader.read(transaction)
            assert not isinstance(changeset, NewTables)
            self.steps.observe(changeset)
        self.fed = len(wal.transactions)
        _, row, writer = wal.numbers[TERN][-1]
        reading = TableReading(TableState.READ, [row], writers=[writer])
        commits = {xid: Ran((str(xid),)) for _, _, xid in wal.numbers[TERN]}
        at = wal.next_lsn()
        step = self.steps.plan(self.follower.ledgers["own"], reading, commits, stored=at, read_at=at)
        found: list[tuple[int | None, int | None]] = []
        for link in step.links if step is not None else ():
            migration = link.row.principal.migration
            number = migration.migration_id if migration is not None else None
            found.append((number, int(link.commits[-1].commit or "") if link.commits else None))
        return found


@pytest.fixture
def table() -> Silent:
    return Silent()


def test_steps_that_followed_each_other(table: Silent) -> None:
    table.step(1)
    table.compare()
    two, three, back = table.step(2), table.step(3), table.step(2)
    assert table.compare() == [(2, two), (3, three), (-3, back)]


def test_a_step_that_nobody_saw_is_recorded_and_no_others(table: Silent) -> None:
    """What ran no DDL shows neither where it began nor, if another step follows at once, where it ended."""
    table.step(1)
    table.compare()
    two = table.step(2)
    table.begin().commit()
    table.step(3, ddl=False)
    table.step(4, ddl=False)
    five = table.step(5)
    assert table.compare() == [(2, two), (3, None), (4, None), (5, five)]


def test_forth_and_back_is_not_taken_for_the_step_that_remains(table: Silent) -> None:
    """From two to three, which nobody saw, and back to one: the DDL was no step from two to one."""
    for to in (1, 2):
        table.step(to)
    table.compare()
    table.step(3)
    table.step(2, ddl=False)
    table.step(1, ddl=False)
    assert table.compare() == [(-2, None)]


def test_a_jump_is_not_a_step(table: Silent) -> None:
    table.step(1)
    table.compare()
    table.step(4)
    assert [link for _, link in table.compare()] == [None, None, None]


def test_what_was_read_long_before_its_transaction_committed_moves_nothing_back(table: Silent) -> None:
    table.step(1)
    table.compare()
    two = table.step(2)
    late = table.begin()
    three = table.step(3)
    assert table.compare() == [(2, two), (3, three)]
    late.commit()
    assert table.compare() == []
    four = table.step(4)
    assert table.compare() == [(4, four)]


def test_a_step_that_commits_after_the_table_was_read_is_told_later(table: Silent) -> None:
    table.step(1)
    table.compare()
    open_still = table.begin(TOOL)
    assert table.compare() == []
    table.write(open_still, 2)
    open_still.commit()
    assert table.compare() == [(2, open_still.xid)]


def test_only_where_the_stream_shows_nothing(table: Silent) -> None:
    assert not Steps(table.follower.registry, frozenset()).follows("own")
    assert table.steps.follows("own")
