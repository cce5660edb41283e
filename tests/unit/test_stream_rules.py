"""The pure decisions of replication/: when to wait, when the server wants to stop, what its refusals mean."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors as pg

from pggit_daemon.errors import PrerequisiteError, SlotInUse, SlotLost, StreamError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.replication import refusals as failures
from pggit_daemon.replication.feed import BUSY, SPAN, URGES, Flow, Urges
from pggit_daemon.replication.pacing import ALERT, BURST, LONG, LONGEST, SHORT, STEADY, Pace, Pause
from pggit_daemon.replication.pacing import SPAN as COUNTED
from pggit_daemon.replication.slot import Requirements, SlotFacts
from pggit_daemon.runtime.backoff import CAP, STABLE, Backoff

LSNS = st.integers(0, 2**40).map(LSN)
NEEDS = Requirements(
    wal_level="logical",
    major_version=17,
    plugin_libraries=None,
    max_wal_senders=10,
    max_replication_slots=10,
    wal_senders=1,
    role_name="daemon",
    may_replicate=True,
)


def test_a_server_that_keeps_asking_wants_to_stop() -> None:
    urges = Urges()
    answers = [urges.note(requested=True, holding=True) for _ in range(URGES)]
    assert answers == [False] * (URGES - 1) + [True]


def test_questions_that_can_be_answered_are_no_urge() -> None:
    urges = Urges()
    assert not any(urges.note(requested=True, holding=False) for _ in range(URGES * 3))


def test_other_work_between_the_questions_is_no_urge() -> None:
    urges = Urges()
    assert not any(urges.note(requested=number % 3 != 0, holding=True) for number in range(URGES * 6))


def test_a_server_is_busy_while_its_wal_grows_fast() -> None:
    """Promise: it is known after a span, whatever the pauses between the messages, and forgotten after another."""
    flow = Flow()

    def noted(received: int, now: float) -> bool:
        flow.note(LSN(received), now)
        return flow.is_busy

    growing = [noted(int(tick * 2 * BUSY / 100), tick / 100) for tick in range(300)]
    assert growing.index(True) == round(SPAN * 100)
    assert all(growing[growing.index(True) :])
    quiet = [noted(6 * BUSY, 3 + tick) for tick in range(5)]
    assert quiet[2:] == [False] * 3


def test_a_server_that_writes_little_is_not_busy() -> None:
    flow = Flow()
    for second in range(100):
        flow.note(LSN(second * BUSY // 2), float(second))
        assert not flow.is_busy


def test_a_lone_transaction_is_read_at_once() -> None:
    """A transaction a second, each with three wake-ups: none of them waits."""
    pace = Pace()
    assert not any(pace.looked(second + wake / 10_000, 1) for second in range(60) for wake in range(3))


def test_a_steady_flow_gathers() -> None:
    """Each look costs a pause once the allowance is used up, so that their number has a bound."""
    pace, now, pauses = Pace(), 0.0, []
    while now < 10:
        pauses.append(pace.looked(now, 2))
        now += pauses[-1].seconds if pauses[-1] is not None else 0.0002
    assert pauses[:BURST] == [None] * BURST
    assert pauses[BURST:] == [LONG] * (len(pauses) - BURST)


def test_the_pauses_of_a_busy_server_are_the_longest() -> None:
    """It is known for busy within a second or so, and for no longer busy as soon."""
    pace, now, rate = Pace(), 0.0, 2 * STEADY
    pauses: list[tuple[float, Pause | None]] = []
    while now < 20:
        if now >= 10:
            rate = STEADY / 2
        pause = pace.looked(now, max(1, round(rate * (pauses[-1][1].seconds if pauses and pauses[-1][1] else 0.001))))
        pauses.append((now, pause))
        now += pause.seconds if pause is not None else 0.001
    assert {pause for moment, pause in pauses if 2 * COUNTED < moment < 10} == {LONGEST}
    assert {pause for moment, pause in pauses if moment > 10 + 2 * COUNTED} == {LONG}


def test_migrations_beside_a_busy_server_find_it_alert() -> None:
    """However busy it is, the pauses after something of ours are the short ones."""
    pace = Pace()
    pace.ours(5.0)
    pauses = [(number / 1000, pace.looked(number / 1000, 8)) for number in range(20_000)]
    assert {pause for now, pause in pauses if 5.5 < now < 5.0 + ALERT} == {SHORT}
    assert {pause for now, pause in pauses if now >= 5.0 + ALERT} == {LONGEST}


def test_migrations_come_together() -> None:
    """After something of ours the pauses are short for a while, and end early when a statement of ours comes."""
    pace = Pace()
    moments = [number / 50 for number in range(1_000)]
    pace.ours(5.0)
    pauses = [(now, pause) for now in moments if (pause := pace.looked(now, 1)) is not None]
    assert {pause for now, pause in pauses if now < 5.0 + ALERT} == {SHORT}
    assert {pause for now, pause in pauses if now >= 5.0 + ALERT} == {LONG}


def test_what_comes_now_and_then_is_not_gathered() -> None:
    """With nothing right behind it a transaction need not wait for others, however many there were before."""
    pace = Pace()
    for number in range(1000):
        pace.looked(number / 1000, 1)
    assert not any(pace.looked(2 + number * 0.05, 2) for number in range(100))


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=60))
def test_waits_stay_below_the_cap_and_above_nothing(chances: list[float]) -> None:
    chance = iter(chances)
    backoff = Backoff(lambda: next(chance))
    assert all(0 < backoff.failed(number) <= CAP for number in range(len(chances)))


def test_waits_grow_until_a_connection_was_stable() -> None:
    backoff = Backoff(lambda: 0.999)
    waits = [backoff.failed(0.0) for _ in range(10)]
    assert waits == sorted(waits)
    assert waits[-1] > CAP * 0.99
    backoff.connected(100.0)
    assert backoff.failed(100.0 + STABLE / 2) > CAP * 0.99
    backoff.connected(200.0)
    assert backoff.failed(200.0 + STABLE) < 1
    assert backoff.failures == 1


def test_a_server_that_is_away_is_asked_again_soon() -> None:
    """However long that lasts, and however often it crashed before: it is no failure that makes waits grow."""
    backoff = Backoff(lambda: 0.999)
    for _crash in range(15):
        backoff.connected(0.0)
        assert backoff.failed(1.0) < 1
        assert all(backoff.away() < 2 for _ in range(600))
    assert backoff.failures == 0


def test_an_endless_outage_does_not_overflow() -> None:
    backoff = Backoff(random.Random(1).random)  # noqa: S311 - jitter
    assert all(backoff.failed(0.0) <= CAP for _ in range(5000))


def translated(exc: pg.Error, needs: Requirements | None = NEEDS, facts: SlotFacts | None = None) -> Exception:
    return failures.translate(exc, doing="test", slot="s", facts=facts, needs=needs, plugin="wal2json")


def test_a_plugin_that_the_server_does_not_allow() -> None:
    """Each name must stand by itself: in one pair of quotes the list is one name, and still refused."""
    needs = Requirements(
        **{f: getattr(NEEDS, f) for f in NEEDS.__slots__} | {"plugin_libraries": "pgoutput, test_decoding"}
    )
    error = translated(pg.InsufficientPrivilege("no"), needs)
    assert isinstance(error, PrerequisiteError)
    assert error.hint == (
        "ALTER SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, wal2json; SELECT pg_reload_conf();"
    )


def test_the_usual_refusals() -> None:
    assert isinstance(translated(pg.ObjectInUse("x")), SlotInUse)
    assert isinstance(translated(pg.UndefinedObject("x")), SlotLost)
    assert isinstance(translated(pg.TooManyConnections("x")), PrerequisiteError)
    assert type(translated(pg.InternalError_("x"))) is StreamError


def test_a_prerequisite_state_is_no_lost_slot_unless_the_server_says_so() -> None:
    """A lost slot means a gap in the history: it must not be concluded from an SQLSTATE with many causes."""
    facts = SlotFacts("s", "wal2json", "d", None, None, None, "reserved", None, 0, None)
    lost = SlotFacts("s", "wal2json", "d", None, None, None, "lost", None, 0, "wal_removed")
    assert type(translated(pg.ObjectNotInPrerequisiteState("x"), facts=facts)) is StreamError
    assert isinstance(translated(pg.ObjectNotInPrerequisiteState("x"), facts=lost), SlotLost)
