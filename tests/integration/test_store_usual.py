"""The usual call: what goes as values writes what goes as a document, whatever the plan."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.db.connections import STORING, connect
from pggit_daemon.errors import RefusedError, StoreError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.progress import Progress
from pggit_daemon.model.transaction import RowOp
from pggit_daemon.store import writer
from pggit_daemon.store.usual import usual
from pggit_daemon.store.writer import Store
from tests.integration.test_store_call import COMMIT, run
from tests.integration.test_store_recorded import RAN
from tests.unit.build import (
    Flyway,
    Follower,
    Liquibase,
    Wal,
    dropped,
    element,
    flyway_row,
    flyway_source,
    liquibase_source,
    psql,
    who,
)
from tests.unit.build.stored import Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pggit_daemon.versioning.plan import Step

TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('pggit', 'pggit_daemon')
      AND c.relname IN ('commits', 'branches', 'external_migrations', 'conflicts', 'blob', 'object_version', 'link',
                        'source_row', 'history_event', 'attribution', 'progress', 'parked', 'quarantine')
    ORDER BY 1
"""
TIMES = "{committed_at,created_at,resolved_at,linked_at,updated_at,seen_at,parked_at,tried_at}"
ADVANCE: dict[str, Any] = {"slot": "slot", "commit_lsn": "0/10", "end_lsn": "0/20", "head": None, "context": "{}"}
FIRST = ("advance", ADVANCE | {"bound": None, "before": "0/0"})


class Kept(Stored):
    """Keeps the steps of each call, too."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[Step]] = []

    def take(self, steps: Iterable[Step]) -> None:
        steps = list(steps)
        if steps:
            self.calls.append(steps)
        super().take(steps)


def calls(seed: int) -> list[list[Step]]:
    """What the core makes of tools and hands at work, call by call."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    wal = Wal()
    flyway, liquibase = Flyway(wal, who(1), who(2)), Liquibase(wal, who(3), schema="other")
    flyway.make_history()
    liquibase.make_tables()
    follower = Follower(flyway_source(), liquibase_source("other"), live=chance.random() < 0.7)
    follower.stored = Kept()
    follower.restart()

    def together() -> None:
        tx = wal.begin(who(1))
        tx.create(f"public.t{chance.randrange(6)}")
        flyway.insert(tx)
        tx.commit()

    def changed() -> None:
        tx = wal.begin(who(4, "psql", "dba"))
        name = f"public.t{chance.randrange(6)}"
        tx.ddl("ALTER TABLE", element(name, columns=("id", f"c{chance.randrange(3)}")))
        tx.commit()

    def gone() -> None:
        tx = wal.begin(who(4, "psql", "dba"))
        tx.ddl("DROP TABLE", dropped(f"public.t{chance.randrange(6)}"))
        tx.commit()

    def mended() -> None:
        if flyway.rank:
            tx = wal.begin(who(1))
            row = flyway_row(flyway.rank, str(flyway.rank), checksum=chance.randrange(9))
            tx.row(flyway.table, RowOp.UPDATE, row, {"installed_rank": flyway.rank})
            tx.commit()

    def failed() -> None:
        flyway.migrate(f"public.t{chance.randrange(6)}", success=False)

    work = (
        lambda: flyway.migrate(*(f"public.t{chance.randrange(6)}" for _ in range(chance.randrange(3)))),
        lambda: liquibase.run(f"public.t{chance.randrange(6)}"),
        lambda: psql(wal, f"public.t{chance.randrange(6)}"),
        together,
        changed,
        gone,
        mended,
        failed,
    )
    for _ in range(50):
        chance.choice(work)()
        if chance.random() < 0.2:
            wal.sleep(60)
    at = 0
    while at < len(wal.transactions):
        some = chance.randrange(1, 4)
        follower.feed(*wal.transactions[at : at + some])
        at += some
    return follower.stored.calls


def written(dsn: str) -> dict[str, list[Any]]:
    """Every row that the store writes, without the time of writing."""
    with psycopg.connect(dsn) as conn:
        tables = [table for (table,) in conn.execute(TABLES)]
        found = {
            table: sorted(
                str(row)
                for (row,) in conn.execute(f"SELECT to_jsonb(t) - '{TIMES}'::text[] FROM {table} AS t".encode())
            )
            for table in tables
        }
        conn.execute("UPDATE pggit.branches SET head_commit_hash = NULL")
        written = ", ".join(table for table in tables if table != "pggit.branches")
        conn.execute(f"TRUNCATE {written} RESTART IDENTITY CASCADE".encode())
    return found


async def stored(dsn: str, made: list[list[Step]], *, parked: bool) -> int:
    """Store them; how many calls were usual."""
    conn = await connect(dsn, "test")
    await conn.execute(STORING)
    store, before, went = Store(conn, "slot"), LSN(0), 0
    for number, steps in enumerate(made, 1):
        head = next((step.commit.hash for step in reversed(steps) if step.commit is not None), None)
        progress = Progress(LSN(number), LSN(number), head, "{}")
        store.parked = parked
        went += not parked and usual(list(store._plan(steps, progress, before)), writer._JSON.encode) is not None
        await store.put(steps, progress, before)
        before = progress.commit
    await conn.close()
    return went


@pytest.mark.parametrize("seed", range(12))
def test_both_forms_write_the_same_rows(installed_database: str, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Promise: as values, as a document, and as a document where something may be parked."""
    made = calls(seed)
    assert asyncio.run(stored(installed_database, made, parked=False)) > 2
    as_values = written(installed_database)
    assert len(as_values["pggit.commits"]) > 8
    asyncio.run(stored(installed_database, made, parked=True))
    assert written(installed_database) == as_values
    monkeypatch.setattr(writer, "usual", lambda *_: None)
    asyncio.run(stored(installed_database, made, parked=False))
    assert written(installed_database) == as_values


def test_a_usual_call_is_stored_once(installed_database: str) -> None:
    """Promise: a plan of a place that was passed meanwhile is refused as a whole."""
    run(installed_database, [], [("insert_commit", COMMIT), FIRST])
    later = [("insert_commit", COMMIT | {"hash": "b" * 64}), FIRST]
    with pytest.raises(StoreError, match="another daemon has stored progress"):
        run(installed_database, [], later)
    with psycopg.connect(installed_database) as conn:
        assert conn.execute("SELECT count(*), min(hash) FROM pggit.commits").fetchone() == (1, COMMIT["hash"])


def test_a_usual_call_does_not_wait_for_who_holds_its_row(installed_database: str) -> None:
    """Promise: the row alone is parked, the commit is stored, and the row follows."""
    run(installed_database, [("insert_commit", COMMIT), FIRST])
    with psycopg.connect(installed_database) as user, psycopg.connect(installed_database) as other:
        user.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source)"
            " VALUES (1, 'flyway', 'public.history')"
        )
        now = ("advance", ADVANCE | {"commit_lsn": "0/20", "bound": None, "before": "0/10"})
        plan = [("insert_commit", COMMIT | {"hash": "b" * 64, "lsn": "0/11"}), ("record_migration", RAN), now]
        assert usual(plan, writer._JSON.encode) is not None
        run(installed_database, [], plan)
        assert other.execute("SELECT count(*) FROM pggit.commits").fetchone() == (2,)
        assert other.execute("SELECT count(*), min(why) FROM pggit_daemon.parked").fetchone() == (1, "held")


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"])
def test_what_cannot_be_stored_is_refused_as_values_too(installed_database: str, text: str) -> None:
    """Promise: a text is stored whole or refused, never cut at a NUL."""
    with pytest.raises(RefusedError):
        run(installed_database, [], [("insert_commit", COMMIT | {"author": text}), FIRST])
    with psycopg.connect(installed_database) as conn:
        assert conn.execute("SELECT count(*) FROM pggit.commits").fetchone() == (0,)
