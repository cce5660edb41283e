"""What attribution remembers over a restart, as facts: one for each open claim, row, bracket and tool.

In: the state, and what has changed in it. Out: facts to be stored with the results; and the state again from all that
are stored. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pggit_daemon.attribute.deadlines import RowOverdue
from pggit_daemon.attribute.encoding import (
    claim_state,
    loaded_claim,
    loaded_row,
    loaded_segment,
    row_state,
    segment_state,
)
from pggit_daemon.attribute.encoding_known import (
    Stored,
    bracket_state,
    housekeeper_state,
    loaded_bracket,
    loaded_housekeeper,
    loaded_session,
    loaded_tool,
    session_state,
    table_key,
    tool_state,
)
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.state import Changed, State
from pggit_daemon.model.decision import Fact


def dump(state: State, stored: set[tuple[str, str]]) -> Iterator[Fact]:
    """What has changed since the last time; `stored` is what the database holds, and is kept up to date."""
    if state.changed.is_empty:
        return
    for kind, key, value in _changed(state):
        where = (kind, key)
        if value is not None:
            stored.add(where)
        elif where in stored:
            stored.discard(where)
        else:
            continue
        yield Fact(kind, key, value)
    state.changed = Changed()


def _changed(state: State) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Kind and key of each fact that may have changed, and what it is now."""
    for place, segment in state.changed.segments.items():
        live = place in state.pool.segments or place in state.undecided
        late = None if live else state.recent.get(place)
        key = f"{place[0]}/{place[1]}"
        yield "claim", key, segment_state(segment) if live else None
        yield "recent", key, segment_state(segment) | {"claim": claim_state(late.claim)} if late is not None else None
    waiting = {id(row) for row in state.waiting()} if state.changed.rows else frozenset()
    for (source, lsn), row in state.changed.rows.items():
        yield "row", f"{lsn} {source}", row_state(row) if id(row) in waiting else None
    for table in state.changed.brackets:
        bracket = state.known.brackets.get(table)
        yield "bracket", table_key(table), bracket_state(table, bracket) if bracket is not None else None
    for source in state.changed.tools:
        yield "tool", source, tool_state(state.known.sessions.of(source))
    for session in state.changed.housekeepers:
        known = state.known.sessions.housekeepers.get(session)
        key = json.dumps(session_state(session))
        yield "housekeeper", key, housekeeper_state(known) if known is not None else None


def load(state: State, facts: Iterable[Fact]) -> None:
    """The state as it was when the facts were stored."""
    by_kind: dict[str, list[Stored]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append({**(fact.state or {}), "key": fact.key})
    _load_known(state, by_kind)
    segments = {segment.place: segment for segment in map(loaded_segment, by_kind.get("claim", ()))}
    for _, segment in sorted(segments.items(), key=lambda item: item[0]):
        _restore(state, segment)
    recents = [(loaded_segment(one), loaded_claim(one["claim"])) for one in by_kind.get("recent", ())]
    for segment, claim in sorted(recents, key=lambda item: item[0].place):
        state.recent.add(segment, claim)
    rows = [loaded_row(one, segments) for one in by_kind.get("row", ()) if one["source"] in state.sources]
    for row in sorted(rows, key=lambda row: (row.commit_lsn, row.lsn)):
        of_kind = state.undecoded if row.matched else state.rows
        of_kind.setdefault(row.source, []).append(row)
        state.deadlines.add(row.time + state.sources[row.source].grace, RowOverdue(row))
        state.undecided.update((segment.place, segment) for segment, _, _ in row.parts)


def _load_known(state: State, by_kind: Mapping[str, list[Stored]]) -> None:
    known = state.known
    for one in by_kind.get("bracket", ()):
        table, bracket = loaded_bracket(one)
        known.brackets[table] = bracket
    for one in by_kind.get("tool", ()):
        known.sessions.tools[one["key"]] = loaded_tool(one)
    for one in sorted(by_kind.get("housekeeper", ()), key=lambda one: str(one["seen"])):
        known.sessions.housekeepers[loaded_session(json.loads(one["key"]))] = loaded_housekeeper(one)


def _restore(state: State, segment: OpenSegment) -> None:
    for source in [name for name in segment.claims if name not in state.sources]:
        del segment.claims[source]
    if not segment.is_open:
        return
    state.pool.add(segment)
    state.keep_in_sight(segment)
    state.await_ends(segment)
