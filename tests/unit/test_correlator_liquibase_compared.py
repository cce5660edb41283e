"""What Liquibase does to its log that decoding cannot show: found by comparing the table, with the DDL it takes."""

from __future__ import annotations

from pggit_daemon.model.transaction import RowOp
from tests.unit.build import (
    LOG,
    Liquibase,
    Wal,
    who,
)
from tests.unit.liquibase_runs import SOURCE, compare, follow, row, text


def test_reran_is_found_by_comparing_and_takes_its_ddl(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    liquibase.open()
    events = liquibase.statements("public.v", tag="CREATE VIEW")
    liquibase.undecodable()
    follower = follow(wal)
    assert follower.correlator.undecoded() == frozenset(), "not while the bracket is open"
    liquibase.close()
    follower.feed(wal.transactions[-1])
    compare(follower, [text(1, exectype="RERAN", orderexecuted="2", md5sum="9:x")])
    assert follower.taken[events[0]] == row("1")
    assert follower.reported[-1].row.principal.meaning == "reran"
    assert follower.reported[-1].evidence == "bracket"


def test_rollback_is_found_by_comparing_the_newest_first(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.run("public.b")
    liquibase.close()
    liquibase.open()
    newest = liquibase.statements("public.b", tag="DROP TABLE")
    liquibase.undecodable()
    oldest = liquibase.statements("public.a", tag="DROP TABLE")
    liquibase.undecodable()
    liquibase.close()
    follower = follow(wal)
    compare(follower, [])
    assert [follower.taken[newest[0]], follower.taken[oldest[0]]] == [row("2"), row("1")]
    assert follower.kinds[-2:] == ["rollback", "rollback"]
    undone = [link.row.principal.migration for link in follower.reported[-2:]]
    assert [(m.migration_id, m.rollback_of) for m in undone if m is not None] == [(-2, 2), (-1, 1)]


def test_a_tag_takes_no_ddl_and_makes_no_commit(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    liquibase.open()
    liquibase.undecodable()
    liquibase.close()
    follower = follow(wal)
    compare(follower, [text(1, tag="v1")])
    assert follower.kinds == ["migration"]
    assert follower.reported[-1].row.principal.meaning == "tagged"


def test_reran_and_tag_read_at_once_are_told_apart_by_their_ddl(wal: Wal, liquibase: Liquibase) -> None:
    """The comparison knows no order between them: the one that ran DDL is the one that had some."""
    liquibase.open()
    liquibase.run("public.a")
    liquibase.run("public.b")
    liquibase.close()
    liquibase.open()
    events = liquibase.statements("public.v", tag="CREATE VIEW")
    liquibase.undecodable()
    liquibase.close()
    liquibase.open()
    liquibase.undecodable()
    liquibase.close()
    follower = follow(wal)
    compare(follower, [text(1, exectype="RERAN", orderexecuted="3", md5sum="9:x"), text(2, tag="v1")])
    assert follower.taken[events[0]] == row("1")
    meanings = [link.row.principal.meaning for link in follower.reported]
    assert meanings[-2:] == ["reran", "tagged"]


def test_checksums_cleared_and_filled_again(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.run("public.b")
    liquibase.close()
    liquibase.open()
    liquibase.undecodable()
    liquibase.close()
    follower = follow(wal)
    compare(follower, [text(1, md5sum=None), text(2, md5sum=None)])
    cleared = follower.reported[-1].row
    assert [change.meaning for change in cleared.changes] == ["checksum_cleared"] * 2
    for _ in range(2):
        liquibase.undecodable()
    follower.feed(*wal.transactions[-2:])
    compare(follower, [text(1), text(2)])
    meanings = [link.row.principal.meaning for link in follower.reported[-2:]]
    assert meanings == ["checksum_filled"] * 2


def test_an_undecodable_change_that_changed_nothing_is_nothing(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    liquibase.undecodable()
    follower = follow(wal)
    compare(follower, [text(1)])
    assert follower.correlator.undecoded() == frozenset()
    assert not follower.correlator.needs_looking
    assert follower.kinds == ["migration"]


def test_truncate_of_the_log_ends_all_rows(wal: Wal, liquibase: Liquibase) -> None:
    liquibase.open()
    liquibase.run("public.a")
    liquibase.close()
    tx = wal.begin(who(900, "psql"))
    tx.row(LOG, RowOp.TRUNCATE)
    tx.commit()
    follower = follow(wal)
    assert follower.reported[-1].row.principal.meaning == "cleared"
    assert follower.ledgers[SOURCE].rows == {}
