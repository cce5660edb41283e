"""Where a session was when a row was committed, as looks at it show: never what the server knows to be otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.attribute.presence import KEPT, LONGEST, NEAR, Presence, Sightings, presence
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.sighting import Activity, Look, Sighting
from tests.examples import examples
from tests.unit.build import START

ROW = 10_000
"""When the row was committed: milliseconds, as all numbers here."""

ME = SessionKey(1, "2026-03-01T00:00:00+00:00")


def at(moment: float) -> datetime:
    return START + timedelta(milliseconds=moment)


def seen(look: float, activity: Activity | None, *, took: float = 0) -> Sighting:
    return Sighting(at(look), at(look + took), activity)


def idle(began: float, ended: float, state: str = "idle", xact: float | None = None) -> Activity:
    return Activity(state, at(began), at(ended), at(xact) if xact is not None else None)


def active(began: float, xact: float | None = None) -> Activity:
    return Activity("active", at(began), at(began), at(began if xact is None else xact))


def told(*sightings: Sighting, ran: float = ROW - 5) -> str:
    return presence(sightings, at(ROW), at(ran)).name


@pytest.mark.parametrize(
    ("where", "looks"),
    [
        pytest.param("NOT_SEEN", [], id="nobody looked"),
        pytest.param("NOT_SEEN", [seen(9990, idle(9980, 9985))], id="nobody looked since"),
        pytest.param("ABSENT", [seen(9998, None)], id="gone before"),
        pytest.param("ABSENT", [seen(10_005, idle(9990, 9995))], id="idle since before"),
        pytest.param("ABSENT", [seen(9998, idle(9, 9)), seen(10_005, idle(9, 9))], id="idle before and after"),
        pytest.param("ABSENT", [seen(10_005, idle(9990, 9995, "idle in transaction", 9990))], id="idle in transaction"),
        pytest.param("PRESENT", [seen(10_005, idle(9999, 10_001))], id="ran a statement just then"),
        pytest.param("PRESENT", [seen(10_900, idle(9999, 10_001))], id="the same, seen late"),
        pytest.param("PRESENT", [seen(10_005, idle(ROW, ROW))], id="as short as the clock tells"),
        pytest.param(
            "ABSENT", [seen(10_005, idle(9999, 10_001, "idle in transaction", 9990))], id="but did not commit"
        ),
        pytest.param("ABSENT", [seen(10_005, replace(idle(9999, 10_001), writes=False))], id="ran what writes no row"),
        pytest.param("ABSENT", [seen(10_005, replace(active(9999), writes=False))], id="runs what writes no row"),
        pytest.param("UNKNOWN", [seen(12_000, idle(9999, 11_100))], id="ran a long one"),
        pytest.param("NOT_SEEN", [seen(10_005, active(9999))], id="still runs it"),
        pytest.param("PRESENT", [seen(10_005, active(9999)), seen(10_055, idle(9999, 10_007))], id="has ended it"),
        pytest.param("PRESENT", [seen(10_005, active(9999)), seen(10_055, active(10_050))], id="runs the next one"),
        pytest.param("PRESENT", [seen(10_005, active(9999)), seen(10_055, None)], id="ended it and is gone"),
        pytest.param("UNKNOWN", [seen(10_005, active(9999)), seen(11_055, None)], id="gone long after"),
        pytest.param(
            "ABSENT", [seen(10_005, active(9999, 9)), seen(10_055, active(10_050, 9))], id="and did not commit"
        ),
        pytest.param("NEAR", [seen(10_005, idle(10_003, 10_004))], id="went on at once"),
        pytest.param("NEAR", [seen(10_005, active(10_003))], id="goes on at once"),
        pytest.param("NEAR", [seen(11_000, idle(10_900, 10_990, "idle in transaction", 10_003))], id="in one since"),
        pytest.param("UNKNOWN", [seen(10_300, active(10_290))], id="went on, when is not known"),
        pytest.param("ABSENT", [seen(10_005, active(10_003, 9990))], id="its transaction was open then"),
        pytest.param("NEAR", [seen(10_010, None)], id="gone at once"),
        pytest.param("UNKNOWN", [seen(10_300, None)], id="gone, when is not known"),
        pytest.param("NEAR", [seen(9999, None, took=3)], id="gone while the row was committed"),
        pytest.param("UNKNOWN", [seen(10_005, Activity())], id="hidden"),
        pytest.param("UNKNOWN", [seen(10_005, Activity("disabled"))], id="not tracked"),
        pytest.param("PRESENT", [seen(9990, Activity()), seen(10_005, idle(9999, 10_001))], id="hidden before"),
    ],
)
def test_what_looks_tell(where: str, looks: list[Sighting]) -> None:
    """Its DDL was committed 5 ms before the row."""
    assert told(*looks) == where


@pytest.mark.parametrize("last", [idle(9980, 9990), active(9990)])
def test_only_its_ddl_counts_as_being_at_work_before(last: Activity) -> None:
    """That was committed 2 s before: what else it did just before the row says nothing of the row."""
    assert told(seen(9995, last), seen(10_010, None), ran=8000) == "UNKNOWN"


def test_the_pause_is_measured_to_the_microsecond() -> None:
    near = NEAR / timedelta(milliseconds=1)
    assert told(seen(ROW - 5 + near, None)) == "NEAR"
    assert told(seen(ROW - 5 + near + 0.001, None)) == "UNKNOWN"
    assert told(seen(20_000, idle(ROW, ROW + LONGEST / timedelta(milliseconds=1) + 0.001))) == "UNKNOWN"


@dataclass(frozen=True)
class Life:
    """A backend's statements as (began, ended), in order and apart; what was committed in which; when it ended."""

    statements: list[tuple[int, int]]
    gone: int

    def seen(self, moment: int) -> Activity | None:
        done = [one for one in self.statements if one[0] <= moment]
        if moment >= self.gone:
            return None
        if not done:
            return idle(-1, -1)
        began, ended = done[-1]
        return active(began) if moment < ended else idle(began, ended)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Each statement is a transaction of its own."""
    moments = sorted(draw(st.sets(st.integers(0, 2000), min_size=2, max_size=16)))
    pairs = list(zip(moments[::2], moments[1::2], strict=False))
    return Life(pairs, pairs[-1][1] + draw(st.integers(1, 500)))


@examples(500)
@given(lives(), st.data())
def test_a_writer_is_never_absent_and_who_idles_is_never_seen_at_work(life: Life, data: st.DataObject) -> None:
    """Whenever the looks came; `NEAR` is how far before the row who seems to be at work was."""
    ran = life.statements[0][1]
    row = data.draw(st.integers(ran, 2600))
    looks = sorted(data.draw(st.sets(st.integers(ran, 3500), max_size=8)))
    took = data.draw(st.sampled_from([0, 0, 3]))
    sightings = []
    for look in looks:
        read = look + data.draw(st.integers(0, took))
        sightings.append(seen(look, life.seen(read), took=took))
    found = presence(sightings, at(row), at(ran))
    worked = any(began <= row <= ended for began, ended in life.statements)
    if worked:
        assert found is not Presence.ABSENT
    before = max([ended for _, ended in life.statements if ended <= row], default=0)
    if not worked and row - before > NEAR / timedelta(milliseconds=1):
        assert found not in {Presence.PRESENT, Presence.NEAR}
    if not worked:
        assert found is not Presence.PRESENT
    if any(look >= row and not isinstance(life.seen(look), Activity) for look in looks) and not took:
        assert found is not Presence.NOT_SEEN


@examples(200)
@given(lives(), st.lists(st.integers(0, 3500), max_size=12), st.integers(0, 2600))
def test_keeping_only_what_differs_decides_nothing_else(life: Life, looks: list[int], row: int) -> None:
    kept, ran = Sightings(), life.statements[0][1]
    for look in sorted(looks):
        kept.add(Look(at(look), at(look), {ME: life.seen(look)}))
    whole = presence([seen(look, life.seen(look)) for look in sorted(looks)], at(row), at(ran))
    one = kept.of(ME, at(row), at(ran))
    assert one is whole or {one, whole} <= {Presence.UNKNOWN, Presence.NEAR, Presence.PRESENT}, (
        "but how long it was active before"
    )


def test_what_is_kept_is_bounded_and_forgotten() -> None:
    kept = Sightings()
    for number in range(3 * KEPT):
        kept.add(Look(at(number), at(number), {ME: active(number)}))
    assert len(kept._seen[ME]) == KEPT
    assert kept.was_seen_since(ME, at(10))
    kept.keep(())
    assert not kept.was_seen_since(ME, at(10))
    assert not kept.has_gone(ME)


OTHER = SessionKey(2, "2026-02-01T00:00:00+00:00")
LATER = SessionKey(3, "2026-03-01T00:00:10.001+00:00")
SIBLING = SessionKey(4, "2026-03-01T00:00:00.5+00:00")
LOOKS = ("app", "")
USERS = frozenset({"app"})


@pytest.mark.parametrize(
    ("rival", "near", "other"),
    [
        pytest.param(False, False, idle(9980, 9990), id="idles since before"),
        pytest.param(True, True, idle(9999, 10_001), id="ran a statement just then"),
        pytest.param(False, False, replace(idle(9999, 10_001), writes=False), id="ran what writes no row"),
        pytest.param(False, True, active(10_005), id="has gone on"),
        pytest.param(False, True, active(9000), id="still runs one"),
        pytest.param(False, True, None, id="is gone"),
        pytest.param(False, True, Activity(), id="is hidden"),
    ],
)
def test_who_looks_so_and_may_have_written_it_is_a_rival(rival: bool, near: bool, other: Activity | None) -> None:  # noqa: FBT001
    """More of one who was only near than of one who was seen to run a statement just then."""
    for looks, key, counts in (
        (LOOKS, OTHER, True),
        (("dba", ""), OTHER, False),
        (LOOKS, LATER, False),
        (LOOKS, SIBLING, False),
    ):
        kept = Sightings()
        users = frozenset({looks[0]})
        kept.add(Look(at(9000), at(9000), {ME: active(9000)}, {key: (looks, idle(8000, 8001))}, users))
        others = {key: (looks, other)} if other is not None else {}
        kept.add(Look(at(10_010), at(10_010), {ME: active(10_009)}, others, users))
        assert kept.has_rival(ME, LOOKS, at(ROW), Presence.PRESENT) == (rival and counts)
        assert kept.has_rival(ME, LOOKS, at(ROW), Presence.NEAR) == (near and counts)


def test_others_are_forgotten_with_the_last_who_is_asked_about_and_a_while_after_their_end() -> None:
    kept = Sightings()
    kept.add(Look(at(1), at(1), {ME: active(1)}, {OTHER: (LOOKS, active(1))}, USERS))
    kept.keep([ME])
    assert kept.was_seen_since(OTHER, at(0))
    kept.add(Look(at(2), at(2), {ME: active(1)}, users=USERS))
    kept.keep([ME])
    assert kept.has_gone(OTHER)
    kept.add(Look(at(100_000), at(100_000), {ME: active(1)}, users=USERS))
    kept.keep([ME])
    assert not kept.has_gone(OTHER)
    kept.add(Look(at(100_001), at(100_001), {ME: active(1)}, {OTHER: (LOOKS, active(1))}, USERS))
    kept.keep(())
    assert not kept.was_seen_since(OTHER, at(0))


def test_a_look_at_other_users_does_not_show_that_somebody_has_ended() -> None:
    """Otherwise who is at work still would be nobody's rival."""
    kept = Sightings()
    kept.add(Look(at(1), at(1), {ME: active(1)}, {OTHER: (LOOKS, active(1))}, USERS))
    kept.add(Look(at(2), at(2), {ME: active(1)}, users=frozenset({"dba"})))
    assert not kept.has_gone(OTHER)
    kept.add(Look(at(3), at(3), {ME: active(1)}, users=USERS))
    assert kept.has_gone(OTHER)
