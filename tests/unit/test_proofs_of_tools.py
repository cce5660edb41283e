"""The rows and the DDL of real tools, in the orders that were measured of them, with people's DDL beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from pggit_daemon.model.decision import CommitKind
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
        follower = Follower(self.source)
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


def django() -> Scene:
    return Scene("django", TableName("public", "django_migrations"))


def django_row(number: int, name: str) -> dict[str, Any]:
    return {"id": number, "app": "shop", "name": name, "applied": "2026-03-01 10:00:00+00"}


def test_django_writes_its_row_with_the_ddl_or_right_after_it() -> None:
    scene = django()
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "shop 0002")
    tx.insert(scene.table, **django_row(2, "0002"))
    tx.commit()
    scene.run(OTHER, None)
    scene.run(TOOL, "shop 0003")
    scene.row(TOOL, **django_row(3, "0003"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine, "with a hand that looks otherwise"


def test_a_session_that_used_the_history_table_is_told_from_one_of_the_same_look() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.look(TOOL)
    scene.run(TOOL, "shop 0001")
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(1, "0001"))
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(2, "0002"))
    assert scene.linked(scene.follow()) == scene.mine


def test_a_sign_of_its_session_may_come_after_the_row() -> None:
    """The first transaction looked at the table long ago; the next one shows that the session wrote the row."""
    scene = django()
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    scene.run(TOOL, "shop 0002")
    scene.row(TOOL, **django_row(2, "0002"))
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine


def test_a_hand_alone_before_a_migration_of_data_is_not_its() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.row(TOOL, **django_row(1, "0001"))
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert "pid 900" in (follower.reported[-1].note or "")


def test_two_sessions_of_one_look_are_both_named_and_neither_is_linked() -> None:
    scene = django()
    scene.run(HAND, None)
    scene.run(TOOL, "shop 0001")
    scene.row(TOOL, **django_row(1, "0001"))
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert "pid 100" in (follower.reported[-1].note or "")
    assert "pid 900" in (follower.reported[-1].note or "")


def test_what_is_older_than_the_gap_is_no_migrations() -> None:
    """A hand's DDL, and 6 seconds later a migration that ran none."""
    scene = django()
    scene.run(HAND, None)
    scene.wal.sleep(6)
    scene.row(TOOL, **django_row(1, "0001"))
    assert scene.linked(scene.follow()) == {}


def test_a_long_script_may_last_longer_than_the_gap() -> None:
    scene = django()
    scene.look(TOOL)
    for _ in range(5):
        scene.run(TOOL, "shop 0001")
        scene.wal.sleep(3)
    scene.row(TOOL, **django_row(1, "0001"))
    assert scene.linked(scene.follow()) == scene.mine


def goose() -> Scene:
    return Scene("goose", TableName("public", "goose_db_version"))


def goose_row(number: int) -> dict[str, Any]:
    return {"id": number, "version_id": number, "is_applied": True, "tstamp": "2026-03-01 10:00:00"}


def goose_runs(scene: Scene, number: int) -> None:
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, str(number))
    tx.insert(scene.table, **goose_row(number))
    tx.commit()


def test_goose_takes_only_what_cannot_run_in_a_transaction_from_elsewhere() -> None:
    """Where all rows so far shared their DDL's transaction, a row without DDL is a data migration."""
    scene = goose()
    goose_runs(scene, 1)
    scene.run(HAND, None)
    scene.row(TOOL, **goose_row(2))
    scene.run(TOOL, "3", "CREATE INDEX CONCURRENTLY")
    scene.row(TOOL, **goose_row(3))
    scene.run(HAND, None)
    scene.row(TOOL, **goose_row(4))
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_golang_migrate_runs_between_two_states() -> None:
    scene = Scene("golang-migrate", TableName("public", "schema_migrations"))
    for number in (1, 2):
        scene.lock(TOOL)
        for dirty in (True, False):
            tx = scene.wal.begin(TOOL)
            tx.row(scene.table, RowOp.TRUNCATE)
            tx.insert(scene.table, version=number, dirty=dirty)
            tx.commit()
            if dirty:
                scene.run(TOOL, str(number))
                scene.run(HAND, None)
        scene.unlock()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_prisma_runs_between_started_and_finished() -> None:
    scene = Scene("prisma", TableName("public", "_prisma_migrations"))
    scene.lock(TOOL)
    for number in (1, 2):
        row: dict[str, Any] = dict.fromkeys(("finished_at", "logs", "rolled_back_at"))
        row |= {"id": f"u{number}", "checksum": "c", "migration_name": f"2026030100000{number}_m", "started_at": "2026"}
        row["applied_steps_count"] = 0
        scene.row(TOOL, **row)
        scene.run(TOOL, row["migration_name"])
        scene.run(HAND, None)
        row["applied_steps_count"] = 1
        scene.row(TOOL, RowOp.UPDATE, {"id": row["id"]}, **row)
        row["finished_at"] = "2026-03-01 10:00:00"
        scene.row(TOOL, RowOp.UPDATE, {"id": row["id"]}, **row)
    scene.unlock()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def sqitch_row(number: int) -> dict[str, Any]:
    row = dict.fromkeys(
        ("note", "committer_name", "committer_email", "planned_at", "planner_name", "planner_email"), "x"
    )
    row |= {"event": "deploy", "change_id": f"h{number}", "change": f"m{number}", "project": "p"}
    return row | {"requires": [], "conflicts": [], "tags": [], "committed_at": f"2026-03-01 10:00:0{number}+00"}


@pytest.mark.parametrize("beside", [OTHER, HAND], ids=["another role", "its own role"])
def test_sqitch_runs_psql_that_has_ended_before_the_row(beside: Who) -> None:
    scene = Scene("sqitch", TableName("sqitch", "events"))
    scene.lock(TOOL)
    children = [who(200 + number, "psql", "app", f"2026-03-01T01:00:0{number}+00:00") for number in (1, 2, 3)]
    for number, child in enumerate(children, 1):
        scene.run(child, f"m{number}")
        scene.run(beside, None)
        scene.row(TOOL, **sqitch_row(number))
    scene.unlock()
    follower = scene.follow(*children)
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def yoyo() -> Scene:
    return Scene("yoyo", TableName("public", "_yoyo_log"), TableName("public", "yoyo_lock"))


def yoyo_row(number: int) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("username", "hostname", "comment"), "x")
    row |= {"id": f"r{number}", "migration_hash": f"h{number}", "migration_id": f"000{number}_m", "operation": "apply"}
    return row | {"created_at_utc": f"2026-03-01 10:00:0{number}"}


def yoyo_runs(scene: Scene, *, beside: bool) -> list[Who]:
    assert scene.bracket is not None
    lock = scene.wal.begin(TOOL)
    lock.insert(scene.bracket, locked=1, ctime="2026-03-01 10:00:00", pid=1)
    lock.commit()
    ran = [who(200 + number, "", "app", f"2026-03-01T01:00:0{number}+00:00") for number in (1, 2, 3)]
    for number, session in enumerate(ran, 1):
        scene.run(session, f"000{number}_m")
        if beside and number == 2:
            scene.run(HAND, None)
        scene.row(TOOL, **yoyo_row(number))
    unlock = scene.wal.begin(TOOL)
    unlock.row(scene.bracket, RowOp.DELETE, None, {"locked": 1})
    unlock.commit()
    return ran


def test_yoyo_runs_each_migration_on_a_session_that_has_ended_before_the_row() -> None:
    scene = yoyo()
    follower = scene.follow(*yoyo_runs(scene, beside=False))
    assert scene.linked(follower) == scene.mine


def test_yoyo_beside_a_hand_of_its_own_look_links_nothing_wrong() -> None:
    scene = yoyo()
    follower = scene.follow(*yoyo_runs(scene, beside=True))
    assert wrong(scene, follower) == {}
    assert "0001_m" in scene.linked(follower).values()


def test_rails_is_known_by_its_sisters_lock() -> None:
    scene = Scene("rails", TableName("public", "schema_migrations"))
    rails, sister = who(100, "bin/rails", "app"), who(101, "bin/rails", "app")
    scene.lock(sister)
    tx = scene.wal.begin(rails)
    scene.ddl(tx, "20260301000001")
    tx.insert(scene.table, version="20260301000001")
    tx.commit()
    scene.run(rails, "20260301000002", "CREATE INDEX CONCURRENTLY")
    scene.run(OTHER, None)
    scene.run(who(902, "psql", "app", "2026-03-01T02:00:00+00:00"), None)
    scene.row(rails, version="20260301000002")
    scene.unlock()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine


@pytest.mark.parametrize(
    ("preset", "table", "holder", "hand"),
    [
        ("rails", "schema_migrations", who(101, "bin/rails", "app"), who(901, "bin/rails", "app")),
        ("sqitch", "events", who(101, "", "app"), who(901, "psql", "app")),
    ],
)
def test_a_hand_that_looks_like_the_tool_beside_its_lock_is_a_hand(
    preset: str, table: str, holder: Who, hand: Who
) -> None:
    """Of a sister's lock nobody can say who ran under it: what no row followed is out of band, not the tool's."""
    scene = Scene(preset, TableName("public", table))
    scene.lock(holder)
    scene.run(hand, None)
    scene.unlock()
    scene.run(hand, None)
    follower = scene.follow(hand)
    assert {one.kind for one in follower.attributions} <= {CommitKind.PENDING, CommitKind.OUT_OF_BAND}


def rails(*versions: str) -> tuple[Scene, Who, Who]:
    """The program at work, its sister with the lock, and a hand that looks exactly like them."""
    scene = Scene("rails", TableName("public", "schema_migrations"))
    tool, hand = who(100, "bin/rails", "app"), who(901, "bin/rails", "app")
    scene.lock(who(101, "bin/rails", "app"))
    for version in versions:
        tx = scene.wal.begin(tool)
        scene.ddl(tx, version)
        tx.insert(scene.table, version=version)
        tx.commit()
    return scene, tool, hand


def test_rails_row_of_data_alone_takes_no_hands_ddl_inside_its_sisters_lock() -> None:
    scene, tool, hand = rails()
    scene.look(tool)
    scene.run(hand, None)
    scene.row(tool, version="20260301000003")
    scene.unlock()
    follower = scene.follow()
    assert scene.linked(follower) == {}
    assert {one.kind for one in follower.attributions} <= {CommitKind.PENDING, CommitKind.OUT_OF_BAND}


def test_rails_session_is_known_by_the_row_that_it_wrote_with_ddl() -> None:
    """With disable_ddl_transaction! its next script runs statement by statement, a hand's in between."""
    scene, tool, hand = rails("20260301000001")
    scene.run(tool, "20260301000002")
    scene.run(hand, None)
    scene.run(tool, "20260301000002")
    scene.row(tool, version="20260301000002")
    scene.run(hand, None)
    scene.row(tool, version="20260301000003")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


def test_rails_session_may_show_itself_after_its_ddl() -> None:
    scene, tool, hand = rails()
    scene.run(tool, "20260301000002")
    scene.run(hand, None)
    scene.row(tool, version="20260301000002")
    scene.look(tool)
    scene.run(tool, "20260301000003", "CREATE INDEX CONCURRENTLY")
    scene.row(tool, version="20260301000003")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


def test_rails_index_outside_of_transactions_is_its_own_where_nobody_else_ran_any() -> None:
    """Its session looked at the table long ago: the server has forgotten that it was this one."""
    scene, tool, _ = rails()
    scene.run(tool, "20260301000002", "CREATE INDEX CONCURRENTLY")
    scene.row(tool, version="20260301000002")
    scene.unlock()
    assert scene.linked(scene.follow()) == scene.mine


@pytest.mark.parametrize("sign", ["alive", "later DDL"])
def test_sqitch_row_of_data_alone_takes_no_ddl_of_a_session_that_is_there_still(sign: str) -> None:
    """A hand's psql, begun inside the lock as Sqitch's own, and Sqitch's has ended before its row."""
    scene = Scene("sqitch", TableName("sqitch", "events"))
    hand, child = (who(pid, "psql", "app", f"2026-03-01T01:00:0{pid % 10}+00:00") for pid in (901, 202))
    scene.lock(TOOL)
    scene.run(hand, None)
    scene.run(child, "m1")
    scene.row(TOOL, **sqitch_row(1))
    follower = Follower(scene.source).feed(*scene.wal.transactions)
    assert scene.linked(follower) == {}, "nothing is known of either"
    if sign == "alive":
        follower.look(child.key)
    else:
        number = len(scene.wal.transactions)
        scene.run(hand, None)
        follower.feed(*scene.wal.transactions[number:])
        follower.look(child.key, hand.key)
    assert scene.linked(follower) == scene.mine
    scene.unlock()
    assert scene.linked(follower.finish(scene.wal)) == scene.mine


def test_knex_in_one_transaction_and_between_its_lock_rows() -> None:
    scene = Scene("knex", TableName("public", "knex_migrations"), TableName("public", "knex_migrations_lock"))
    assert scene.bracket is not None

    def move(tx: Tx, locked: int) -> None:
        tx.row(scene.bracket or scene.table, RowOp.UPDATE, {"index": 1, "is_locked": locked})

    def row(number: int) -> dict[str, Any]:
        return {"id": number, "name": f"000{number}_m.js", "batch": 1, "migration_time": "2026-03-01 10:00:00+00"}

    tx = scene.wal.begin(TOOL)
    move(tx, 1)
    for number in (1, 2):
        scene.ddl(tx, f"000{number}_m.js")
        tx.insert(scene.table, **row(number))
    move(tx, 0)
    tx.commit()
    scene.run(HAND, None)
    for locked in (1, 0):
        tx = scene.wal.begin(TOOL)
        move(tx, locked)
        tx.commit()
        if locked:
            scene.run(TOOL, "0003_m.js", "CREATE INDEX CONCURRENTLY")
            scene.row(TOOL, **row(3))
    scene.run(HAND, None)
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine


def test_alembic_leaves_its_transaction_in_the_middle_of_a_run() -> None:
    """autocommit_block commits what ran, and the next transaction begins with the row of its statement."""
    scene = Scene("alembic", TableName("public", "alembic_version"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "aaa")
    tx.insert(scene.table, version_num="aaa")
    tx.commit()
    scene.run(HAND, None)
    scene.run(TOOL, "bbb", "CREATE INDEX CONCURRENTLY")
    tx = scene.wal.begin(TOOL)
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "bbb"}, {"version_num": "aaa"})
    scene.ddl(tx, "ccc")
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "ccc"}, {"version_num": "bbb"})
    tx.commit()
    scene.run(HAND, None)
    tx = scene.wal.begin(TOOL)
    for before, after in (("ccc", "ddd"), ("ddd", "eee")):
        scene.ddl(tx, "eee") if after == "eee" else None
        tx.row(scene.table, RowOp.UPDATE, {"version_num": after}, {"version_num": before})
    tx.commit()
    follower = scene.follow()
    assert scene.linked(follower) == scene.mine, "and a first row that only changed data takes nobody's"


def test_alembic_shares_a_transaction_and_takes_nothing_behind_its_row() -> None:
    scene = Scene("alembic", TableName("public", "alembic_version"))
    tx = scene.wal.begin(TOOL)
    scene.ddl(tx, "aaa")
    tx.insert(scene.table, version_num="aaa")
    scene.ddl(tx, "bbb")
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "bbb"}, {"version_num": "aaa"})
    tx.commit()
    scene.run(HAND, None)
    tx = scene.wal.begin(TOOL)
    tx.row(scene.table, RowOp.UPDATE, {"version_num": "ccc"}, {"version_num": "bbb"})
    scene.ddl(tx, None)
    tx.commit()
    follower = scene.follow()
    assert wrong(scene, follower) == {}
    assert scene.linked(follower) == scene.mine
