"""Runs of Liquibase, for the tests of what their rows take: the names of the rows, and the log led through the core."""

from __future__ import annotations

from pggit_daemon.model.lsn import LSN
from tests.unit.build import Follower, Wal, liquibase_row, liquibase_source

SOURCE = "public.databasechangelog"


def row(name: str) -> str:
    return f'{SOURCE} ["{name}", "ann", "db/log.xml"]'


def follow(wal: Wal) -> Follower:
    return Follower(liquibase_source()).feed(*wal.transactions)


def compare(follower: Follower, table: list[dict[str, str | None]]) -> None:
    """What the pipeline does when the queue waits for something that was not shown."""
    assert follower.correlator.undecoded() == {SOURCE}
    changes = follower.ledgers[SOURCE].compare(LSN(2**40), table)
    follower.correlator.resolve(SOURCE, changes)
    follower.store()


def text(number: int, **more: str | None) -> dict[str, str | None]:
    found = {name: None if value is None else str(value) for name, value in liquibase_row(number).items()}
    return found | more
