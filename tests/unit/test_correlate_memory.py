"""What is remembered over a restart, and what is forgotten because it will be learnt again."""

from __future__ import annotations

import json

from pggit_daemon.attribute.state import KEEPERS_KEPT, ORPHANS_KEPT, Memory, Orphan
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName

A, B, C = (SessionKey(pid, "2026-03-01T00:00:00+00:00") for pid in (1, 2, 3))


def loaded(memory: Memory, last: int) -> Memory:
    return Memory.load(memory.dump({}, LSN(last)))[0]


def test_nothing_is_known_at_first() -> None:
    memory, brackets = Memory.load("{}")
    assert (memory, brackets) == (Memory(), {})
    assert Memory.load(memory.dump({}, LSN(5)))[0].owner_of(A) is None


def test_brackets_come_back() -> None:
    brackets = {TableName('s"s', "a.b"): LSN(2**40), TableName("s", "lock"): LSN(7)}
    assert Memory.load(Memory().dump(brackets, LSN(9)))[1] == brackets


def test_partners_come_back_by_their_run() -> None:
    memory = Memory()
    memory.learn("flyway", A, B, LSN(10))
    memory.learn("liquibase", LSN(4), C, LSN(11))
    memory.learn("window", None, C, LSN(12))
    again = loaded(memory, 20)
    assert again.partner("flyway", A) == B
    assert again.partner("liquibase", LSN(4)) == C
    assert again.partner("flyway", B) is None
    assert (again.owner_of(B), again.owner_of(C), again.owner_of(A)) == ("flyway", "liquibase", None)


def test_what_was_learnt_behind_the_last_stored_transaction_is_not_dumped() -> None:
    """It will be read and learnt again; known early, it would decide what stands before it otherwise."""
    memory = Memory()
    memory.learn("flyway", A, B, LSN(10))
    memory.learn("flyway", C, SessionKey(9, "x"), LSN(30))
    memory.keeps("flyway", C, LSN(31))
    memory.orphaned("flyway", Orphan(LSN(32), LSN(25), C))
    again = loaded(memory, 20)
    assert again.partner("flyway", A) == B
    assert again.partner("flyway", C) is None
    assert again.keeper(C) is None
    assert again.late("flyway", LSN(100)) == []
    later = loaded(memory, 40)
    assert later.partner("flyway", A) is None, "an earlier run is over"
    assert later.keeper(C) == "flyway"
    assert [orphan.commit for orphan in later.late("flyway", LSN(100))] == [LSN(32)]


def test_a_keeper_stays_known_from_its_first_time() -> None:
    memory = Memory()
    memory.keeps("flyway", A, LSN(10))
    memory.keeps("flyway", A, LSN(30))
    assert loaded(memory, 20).keeper(A) == "flyway"


def test_a_late_row_belongs_to_what_was_open_when_it_was_written() -> None:
    memory = Memory()
    for orphan in (Orphan(LSN(20), LSN(10), A), Orphan(LSN(50), LSN(30), B), Orphan(LSN(90), LSN(80), C)):
        memory.orphaned("flyway", orphan)
    assert [orphan.session for orphan in memory.late("flyway", LSN(40))] == [B]
    assert [orphan.session for orphan in memory.late("flyway", LSN(60))] == [A, B]
    assert memory.late("liquibase", LSN(60)) == []


def test_a_row_closes_what_stands_before_it() -> None:
    memory = Memory()
    memory.orphaned("flyway", Orphan(LSN(20), LSN(10), A))
    memory.close("flyway", LSN(15), LSN(30))
    assert memory.late("flyway", LSN(60)) == []
    assert len(loaded(memory, 25).late("flyway", LSN(60))) == 1, "the row that closed it will be read again"
    assert loaded(memory, 30).late("flyway", LSN(60)) == []


def test_written_rows_come_back() -> None:
    memory = Memory(written={LSN(5), LSN(2**33)})
    assert loaded(memory, 0).written == {LSN(5), LSN(2**33)}


def test_it_does_not_grow_for_ever() -> None:
    memory = Memory()
    for number in range(100):
        session = SessionKey(number, "x")
        memory.keeps("s", session, LSN(number))
        memory.orphaned("s", Orphan(LSN(number), LSN(number), session))
        memory.learn("s", LSN(number), session, LSN(number))
    stored = json.loads(memory.dump({}, LSN(200)))
    assert len(stored["keepers"]) == KEEPERS_KEPT == len(memory.keepers)
    assert len(stored["orphans"]["s"]) == ORPHANS_KEPT
    assert len(stored["partners"]["s"]) == 1
    assert memory.keeper(SessionKey(99, "x")) == "s"
