"""Who may claim what a transaction ran.

In: a recorded transaction, and what is known by then. Out: its segments with the claims on them, in the pool while
somebody has one. Called by `correlator.py`; pure, over the state of attribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pggit_daemon.attribute.callbacks import possible_callback
from pggit_daemon.attribute.claims import Claim, Group, Seen, as_certain
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.learning import outlived, recognise, show_own
from pggit_daemon.attribute.proofs import PROOFS, proof_of
from pggit_daemon.attribute.search_path import by_search_path
from pggit_daemon.attribute.segment import OpenSegment, Statement
from pggit_daemon.attribute.state import State
from pggit_daemon.attribute.unlocked import see_unlocked
from pggit_daemon.model.changeset import Changeset, Ddl, RecordedSegment
from pggit_daemon.model.ddl_event import DdlEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.objects import ObjectOp
from pggit_daemon.model.session import SessionKey
from pggit_daemon.tools.source import Source


def seen_of(changeset: Changeset) -> Seen | None:
    """What the transaction shows of its session; None where it ran no DDL."""
    session, events = changeset.session, changeset.events
    if session is None:
        return None
    free = [item.event.lsn for item in changeset.items if isinstance(item, Ddl) and item.housekeeping is None]
    return Seen(
        session,
        locks=tuple(lock for event in events for lock in event.locks),
        first=free[0] if free else events[0].lsn,
        commit=changeset.commit_lsn,
        time=changeset.commit_time,
        search_path=next((event.search_path for event in events if event.search_path is not None), None),
        alone=any(map(_runs_alone, events)),
        used=frozenset(name for event in events for name in event.used),
        wrote=frozenset(name for event in events for name in event.wrote),
        siblings=next((event.siblings for event in events if event.siblings is not None), None),
    )


def _runs_alone(event: DdlEvent) -> bool:
    """Whether tools run it outside of a transaction. ADD VALUE has a literal, so that its text is not recorded."""
    return "CONCURRENTLY" in (event.statement or "").upper() or (event.tag == "ALTER TYPE" and event.statement is None)


def opened(one: RecordedSegment, first: LSN) -> OpenSegment:
    """A recorded segment, before anybody claims it."""
    segment = one.segment
    changeset, event = segment.changeset, segment.events[0]
    return OpenSegment(
        place=(changeset.commit_lsn, segment.ordinal),
        commit=one.commit,
        time=changeset.commit_time,
        session=event.session.key,
        application=event.session.profile.application_name,
        user=event.session.profile.user,
        first=first,
        statements=tuple(
            Statement(event.lsn, objects) for event, objects in zip(segment.events, one.objects, strict=True)
        ),
        summary=one.summary,
        deployment=changeset.deployment.name if changeset.deployment is not None else None,
        began=next((event.began for event in changeset.events if event.began is not None), None),
        siblings=frozenset(key for event in changeset.events for key in event.siblings or ()),
    )


def claims_on(seen: Seen, sources: Mapping[str, Source], known: Known) -> dict[str, Claim]:
    """Every source that may claim DDL of this session."""
    owner = owner_of(seen, sources, known)
    own = known.sessions.owners(seen.session.key, seen.time)
    found = {}
    for source in sources.values():
        if owner is not None and owner != source.name:
            continue
        claim = proof_of(source).claim(source, seen, known)
        if claim is None:
            continue
        if own and source.name not in own and not claim.certain:
            continue
        partner = known.sessions.partner(source.name, claim.group)
        if partner == seen.session.key or owner == source.name:
            found[source.name] = as_certain(claim)
        elif partner is None:
            found[source.name] = claim
    return by_search_path(found, sources, seen)


def owner_of(seen: Seen, sources: Mapping[str, Source], known: Known) -> str | None:
    """The source whose session this is known to be at this moment."""
    key = seen.session.key
    for name, tool in known.sessions.tools.items():
        run = tool.run
        if run is not None and run.session == key and name in sources:
            source = sources[name]
            if proof_of(source).goes_on(source, run.group, seen, known):
                return name
    housekeeper = known.sessions.housekeepers.get(key)
    if housekeeper is not None and housekeeper.source in sources:
        source = sources[housekeeper.source]
        if proof_of(source).keeps_house(source, housekeeper, seen, known):
            return source.name
    return None


def keep_house(state: State, changeset: Changeset, seen: Seen | None) -> bool:
    """A session that works on a tool's own tables is the tool's. Whether it drops them."""
    own = [item for item in changeset.items if isinstance(item, Ddl) and item.housekeeping in state.sources]
    if seen is None or not own or own[-1].housekeeping is None:
        return False
    source = state.sources[own[-1].housekeeping]
    if not source.makers_migrate or source.preset.session.rule_out(seen.session):
        return False
    if proof_of(source).is_timed:
        show_own(state, source.name, seen.session.key, seen.time, wrote=False)
        return False
    dropped = any(item.op is ObjectOp.DROP for ddl in own for item in ddl.event.objects)
    session = seen.session.key
    state.known.sessions.keep_house(source.name, session, seen.time, dropped=dropped)
    state.changed.housekeepers[session] = None
    for segment in state.pool.of_session(session):
        for other in [name for name in segment.claims if name != source.name]:
            state.drop_claim(segment, other)
    recognise(state, source.name, session)
    return dropped


def claim(state: State, seen: Seen, segments: Sequence[OpenSegment]) -> None:
    """Find who may claim these segments of one transaction; where nobody may, it is known at once whose they are."""
    shown = seen.used | state.known.sessions.owners(seen.session.key, seen.time)
    for source in sorted(shown & state.sources.keys()):
        show_own(state, source, seen.session.key, seen.time, wrote=source in seen.wrote)
    outlived(state, seen.session.key, seen.first)
    owner = owner_of(seen, state.sources, state.known)
    claims = claims_on(seen, state.sources, state.known)
    for found in list(claims.values()):
        if _is_outdated(state, found, seen) or _is_strangers(state, found, seen):
            del claims[found.source]
    if owner is None:
        _see_foreign(state, seen, claims)
        see_unlocked(state, seen, claims, segments[-1])
    possible = possible_callback(seen, state.sources.values()) if segments[0].siblings else frozenset()
    for segment in segments:
        segment.claims = dict(claims)
        segment.may_call_back = possible
        if not claims:
            _unclaimed(state, segment, owner)
        if segment.is_open:
            state.pool.add(segment)
            state.keep_in_sight(segment)
            state.await_ends(segment)
        state.update_attribution(segment)
    for found in claims.values():
        holder = PROOFS[found.evidence].holder(found)
        if holder is not None:
            _lock_seen(state, found.source, holder, seen)


def _see_foreign(state: State, seen: Seen, claims: Mapping[str, Claim]) -> None:
    """Sessions that a source knows by their looks alone: others that look so make it doubt."""
    for one in state.sources.values():
        if one.name not in claims and proof_of(one).doubts(one, seen, state.known):
            state.known.sessions.of(one.name).see_foreign(seen.session.key, seen.session.profile, seen.time)
            state.changed.tools[one.name] = None


def _unclaimed(state: State, segment: OpenSegment, owner: str | None) -> None:
    """The rest of a tool's session, a callback, or nobody's."""
    if owner is not None:
        segment.left_to(owner, orphan=False)
        return
    for source in sorted(segment.may_call_back):
        if segment.siblings & state.known.sessions.at_work(source, segment.time):
            segment.left_to(source, orphan=False)
            return
    segment.callback_of = segment.may_call_back


def _is_outdated(state: State, found: Claim, seen: Seen) -> bool:
    """Whether the lock was seen in other hands after the transaction began: it was open over the end of a run."""
    holder = PROOFS[found.evidence].holder(found)
    return holder is not None and state.known.sessions.of(found.source).held_later(holder, seen.first)


def _is_strangers(state: State, found: Claim, seen: Seen) -> bool:
    """Whether the tool wrote elsewhere while this transaction was open, though it works on one connection."""
    source = state.sources[found.source]
    if found.certain or not proof_of(source).works_alone(source):
        return False
    if not state.known.sessions.of(found.source).wrote_within(seen.first, seen.commit):
        return False
    estrange(state, found.source, found.group, seen.session.key)
    return True


def estrange(state: State, source: str, group: Group, session: SessionKey) -> None:
    """The session is not the one that runs this run's DDL."""
    state.known.sessions.of(source).estrange(session, group)
    state.changed.tools[source] = None
    for segment in state.pool.of_session(session):
        if source in segment.claims and segment.claims[source].group == group:
            state.drop_claim(segment, source)


def _lock_seen(state: State, source: str, holder: SessionKey, seen: Seen) -> None:
    """A statement saw the tool's lock in these hands: the row of an earlier run cannot come any more."""
    state.known.sessions.of(source).hold(holder, seen.first, seen.time)
    state.changed.tools[source] = None
    for group in state.pool.runs_of(source):
        for segment in state.pool.of_run(source, group) if group != holder else ():
            if segment.last < seen.first and not state.wanted(segment, source):
                state.expire(segment, source)
    recognise(state, source, holder)
