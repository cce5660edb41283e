"""One tool at work beside people, for the tests of what its rows take: the statements, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pggit_daemon.model.transaction import RowOp, TableName
from pggit_daemon.tools.source import Source
from tests.unit.build import PRESETS, Follower, Tx, Wal, Who, element, who

TOOL = who(100, "", "app")
HAND = who(900, "", "app")
"""Of the tool's own user, and without a name as it."""

OTHER = who(901, "psql", "dba")


@dataclass
class Scene:
    """What one tool does, and what people do meanwhile. `mine`: its statements, with the migration of each."""

    preset: str
    table: TableName
    bracket: TableName | None = None
    wal: Wal = field(default_factory=Wal)
    mine: dict[int, str] = field(default_factory=dict)
    number: int = 0

    def __post_init__(self) -> None:
        self.wal.names |= {table: "own" for table in (self.table, self.bracket) if table is not None}
        self.wal.lock_tables |= {self.bracket} if self.bracket is not None else set()

    @property
    def source(self) -> Source:
        return Source(
            "own",
            PRESETS[self.preset],
            self.table,
            self.bracket,
            timedelta(seconds=30),
            preset_name=self.preset,
        )

    def ddl(self, tx: Tx, migration: str | None, tag: str = "CREATE TABLE") -> int:
        self.number += 1
        event = tx.ddl(tag, element(f"public.t{self.number}", columns=("id",)))
        if migration is not None:
            self.mine[event] = migration
        return event

    def run(self, session: Who, migration: str | None, tag: str = "CREATE TABLE") -> int:
        """One statement in a transaction of its own."""
        tx = self.wal.begin(session)
        event = self.ddl(tx, migration, tag)
        tx.commit()
        return event

    def row(self, session: Who, op: RowOp = RowOp.INSERT, identity: dict[str, Any] | None = None, **new: Any) -> None:
        tx = self.wal.begin(session)
        tx.row(self.table, op, new, identity)
        tx.commit()

    def look(self, session: Who) -> None:
        """Tools look at their history table before they run anything."""
        self.wal.begin(session).read(self.table)

    def lock(self, holder: Who) -> None:
        for key in self.source.advisory_keys:
            self.wal.locks[key] = holder

    def unlock(self) -> None:
        self.wal.locks.clear()

    def follow(self, *gone: Who) -> Follower:
        """All of it; the sessions that have ended by then are gone as soon as they are looked at."""
        follower = Follower(self.source, wal=self.wal)
        for transaction in self.wal.transactions:
            follower.feed(transaction)
            if gone and {one.session for one in follower.correlator.watched()} & {one.key for one in gone}:
                follower.gone(*(one.key for one in gone))
        return follower.finish(self.wal)

    def linked(self, follower: Follower) -> dict[int, str]:
        """Which of the statements have which migration."""
        commits = follower.stored.commits
        last = {link.row.lsn: link for link in follower.reported}
        found = {}
        for link in last.values():
            migration = link.row.principal.migration
            for one in link.commits if migration is not None and link.evidence is not None else ():
                names = None if one.objects is None else {key.identity for key in one.objects}
                for event in commits[one.commit or ""].events if one.made else ():
                    if migration is not None and (names is None or f"public.t{event}" in names):
                        found[event] = migration.version or ""
        return found


def wrong(scene: Scene, follower: Follower) -> dict[int, str]:
    return {event: to for event, to in scene.linked(follower).items() if scene.mine.get(event) != to}
