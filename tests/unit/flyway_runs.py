"""Runs of Flyway, for the tests of what their rows take: the names of the rows, and the log led through the core."""

from __future__ import annotations

from tests.unit.build import Follower, Wal, flyway_source

SOURCE = "public.flyway_schema_history"


def row(rank: int, source: str = SOURCE) -> str:
    return f"{source} [{rank}]".replace("[", '["').replace("]", '"]')


def follow(wal: Wal, *sources: str) -> Follower:
    follower = Follower(*(flyway_source(name) for name in sources or ("public",)))
    return follower.feed(*wal.transactions)
