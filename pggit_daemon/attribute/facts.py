"""What attribution remembers over a restart, as facts: one for each open claim, row, bracket and tool.

In: the state, and what has changed in it. Out: facts to be stored with the results; and the state again from all that
are stored. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pggit_daemon.attribute.callbacks import GRACE as CALLBACK_GRACE
from pggit_daemon.attribute.claims import Claim, Group
from pggit_daemon.attribute.deadlines import CallbackEnds, ClaimEnds, RowOverdue
from pggit_daemon.attribute.known import Bracket
from pggit_daemon.attribute.proofs import PROOFS
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment, Place, Statement, Taker
from pggit_daemon.attribute.sessions import Holder, Housekeeper, Run, ToolSessions
from pggit_daemon.attribute.state import Changed, State
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.decision import CommitKind, Fact
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange, Migration
from pggit_daemon.model.objects import ObjectKey
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName

State_ = Mapping[str, Any]


def dump(state: State, stored: set[tuple[str, str]]) -> Iterator[Fact]:
    """What has changed since the last time; `stored` is what the database holds, and is kept up to date."""
    for fact in _changed(state):
        where = (fact.kind, fact.key)
        if fact.state is not None:
            stored.add(where)
        elif where in stored:
            stored.discard(where)
        else:
            continue
        yield fact
    state.changed = Changed()


def _changed(state: State) -> Iterator[Fact]:
    for place, segment in state.changed.segments.items():
        live = place in state.pool.segments or place in state.held
        late = None if live else state.recent.get(place)
        key = f"{place[0]}/{place[1]}"
        yield Fact("claim", key, _segment(segment) if live else None)
        yield Fact("recent", key, _segment(segment) | {"claim": _claim(late.claim)} if late is not None else None)
    waiting = {id(row) for row in state.waiting()} if state.changed.rows else frozenset()
    for (source, lsn), row in state.changed.rows.items():
        yield Fact("row", f"{lsn} {source}", _row(row) if id(row) in waiting else None)
    for table in state.changed.brackets:
        bracket = state.known.brackets.get(table)
        yield Fact("bracket", _named(table), _bracket(table, bracket) if bracket is not None else None)
    for source in state.changed.tools:
        yield Fact("tool", source, _tool(state.known.sessions.of(source)))
    for session in state.changed.housekeepers:
        known = state.known.sessions.housekeepers.get(session)
        yield Fact(
            "housekeeper",
            json.dumps(_session(session)),
            {"source": known.source, "seen": known.seen.isoformat(), "dropped": known.dropped}
            if known is not None
            else None,
        )


def load(state: State, facts: Iterable[Fact]) -> None:
    """The state as it was when the facts were stored."""
    by_kind: dict[str, list[State_]] = {}
    for fact in facts:
        by_kind.setdefault(fact.kind, []).append({**(fact.state or {}), "key": fact.key})
    _load_known(state, by_kind)
    segments = {segment.place: segment for segment in map(_loaded_segment, by_kind.get("claim", ()))}
    for _, segment in sorted(segments.items(), key=lambda item: item[0]):
        _restore(state, segment)
    recents = [(_loaded_segment(one), _loaded_claim(one["claim"])) for one in by_kind.get("recent", ())]
    for segment, claim in sorted(recents, key=lambda item: item[0].place):
        state.recent.add(segment, claim)
    rows = [_loaded_row(one, segments) for one in by_kind.get("row", ()) if one["source"] in state.sources]
    for row in sorted(rows, key=lambda row: (row.commit_lsn, row.lsn)):
        of_kind = state.undecoded if row.matched else state.rows
        of_kind.setdefault(row.source, []).append(row)
        state.deadlines.add(row.time + state.sources[row.source].grace, RowOverdue(row))
        state.held.update((segment.place, segment) for segment, _, _ in row.parts)


def _load_known(state: State, by_kind: Mapping[str, list[State_]]) -> None:
    known = state.known
    for one in by_kind.get("bracket", ()):
        at = datetime.fromisoformat(one["at"]) if one["at"] is not None else None
        known.brackets[TableName(one["schema"], one["table"])] = Bracket(LSN.parse(one["opened"]), at, one["abandoned"])
    for one in by_kind.get("tool", ()):
        known.sessions.tools[one["key"]] = _loaded_tool(one)
    for one in sorted(by_kind.get("housekeeper", ()), key=lambda one: str(one["seen"])):
        session, seen = _loaded_session(json.loads(one["key"])), datetime.fromisoformat(one["seen"])
        known.sessions.housekeepers[session] = Housekeeper(one["source"], seen, one["dropped"])


def _restore(state: State, segment: OpenSegment) -> None:
    for source in [name for name in segment.claims if name not in state.sources]:
        del segment.claims[source]
    if not segment.is_open:
        return
    state.pool.add(segment)
    for claim in segment.claims.values():
        if PROOFS[claim.evidence].is_timed:
            state.deadlines.add(segment.time + state.sources[claim.source].grace, ClaimEnds(segment, claim.source))
    if segment.callback_of:
        state.deadlines.add(segment.time + CALLBACK_GRACE, CallbackEnds(segment))


# -- segments


def _segment(segment: OpenSegment) -> dict[str, Any]:
    return {
        "commit": segment.commit,
        "time": segment.time.isoformat(),
        "session": _session(segment.session),
        "application": segment.application,
        "user": segment.user,
        "first": str(segment.first),
        "statements": [
            [str(statement.lsn), *([key.type, key.schema, key.identity] for key in statement.objects)]
            for statement in segment.statements
        ],
        "summary": segment.summary,
        "deployment": segment.deployment,
        "claims": {name: _claim(claim) for name, claim in segment.claims.items()},
        "may_call_back": sorted(segment.may_call_back),
        "callback_of": sorted(segment.callback_of),
        "siblings": [_session(one) for one in sorted(segment.siblings)],
        "taken": segment.taken,
        "takers": [asdict(taker) for taker in segment.takers],
        "tool": segment.tool,
        "orphan": segment.orphan,
        "kind": segment.kind,
    }


def _loaded_segment(one: State_) -> OpenSegment:
    lsn, _, ordinal = one["key"].rpartition("/")
    return OpenSegment(
        place=(LSN.parse(lsn), int(ordinal)),
        commit=one["commit"],
        time=datetime.fromisoformat(one["time"]),
        session=_loaded_session(one["session"]),
        application=one["application"],
        user=one.get("user", ""),
        first=LSN.parse(one["first"]),
        statements=tuple(
            Statement(LSN.parse(at), tuple(ObjectKey(*key) for key in keys)) for at, *keys in one["statements"]
        ),
        summary=one["summary"],
        deployment=one["deployment"],
        claims={name: _loaded_claim(claim) for name, claim in one["claims"].items()},
        may_call_back=frozenset(one["may_call_back"]),
        callback_of=frozenset(one["callback_of"]),
        siblings=frozenset(map(_loaded_session, one["siblings"])),
        taken=one["taken"],
        takers=[
            Taker(**{**taker, "kind": CommitKind(taker["kind"]), "evidence": Evidence(taker["evidence"])})
            for taker in one["takers"]
        ],
        tool=one["tool"],
        orphan=one["orphan"],
        kind=CommitKind(one["kind"]) if one["kind"] is not None else None,
    )


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "source": claim.source,
        "evidence": claim.evidence.value,
        "group": _group(claim.group),
        "certain": claim.certain,
        "weak": claim.weak,
    }


def _loaded_claim(one: State_) -> Claim:
    group = _loaded_group(one["group"])
    return Claim(one["source"], Evidence(one["evidence"]), group, certain=one["certain"], weak=one["weak"])


# -- rows


def _row(row: WaitingRow) -> dict[str, Any]:
    return {
        "source": row.source,
        "lsn": str(row.lsn),
        "commit_lsn": str(row.commit_lsn),
        "time": row.time.isoformat(),
        "last": str(row.last),
        "head": row.head,
        "xid": row.xid,
        "matched": row.matched,
        "overdue": row.overdue,
        "recorded": row.recorded,
        "evidence": row.evidence,
        "note": row.note,
        "parts": [[str(part.place[0]), part.place[1], begin, end] for part, begin, end in row.parts],
        "event": _event(row.event) if isinstance(row.event, HistoryRowEvent) else None,
    }


def _event(event: HistoryRowEvent) -> dict[str, Any]:
    """What is needed to link it; the row itself is stored already."""
    change = event.principal
    return {
        "tool": change.tool,
        "operation": change.operation,
        "meaning": change.meaning.value,
        "row_key": change.row_key,
        "migration": asdict(change.migration) if change.migration is not None else None,
        "migration_source": change.migration_source,
        "session": _session(event.session) if event.session is not None else None,
        "since": str(event.since) if event.since is not None else None,
        "certain": event.certain,
        "late": str(event.late) if event.late is not None else None,
    }


def _loaded_row(one: State_, segments: Mapping[Place, OpenSegment]) -> WaitingRow:
    source, lsn = one["source"], LSN.parse(one["lsn"])
    event = _loaded_event(one["event"], source, lsn) if one["event"] is not None else UndecodableRow(source, lsn)
    return WaitingRow(
        event,
        source,
        lsn,
        LSN.parse(one["commit_lsn"]),
        datetime.fromisoformat(one["time"]),
        LSN.parse(one["last"]),
        one["head"],
        one["xid"],
        matched=one["matched"],
        overdue=one["overdue"],
        recorded=one["recorded"],
        evidence=Evidence(one["evidence"]) if one["evidence"] is not None else None,
        note=one["note"],
        parts=[(segments[LSN.parse(at), ordinal], begin, end) for at, ordinal, begin, end in one["parts"]],
    )


def _loaded_event(one: State_, source: str, lsn: LSN) -> HistoryRowEvent:
    change = HistoryChange(
        source=source,
        tool=one["tool"],
        lsn=lsn,
        operation=one["operation"],
        meaning=Meaning(one["meaning"]),
        row_key=one["row_key"],
        old=None,
        new=None,
        migration=Migration(**one["migration"]) if one["migration"] is not None else None,
        amends=None,
        migration_source=one["migration_source"],
    )
    return HistoryRowEvent(
        (change,),
        session=_loaded_session(one["session"]) if one["session"] is not None else None,
        since=LSN.parse(one["since"]) if one["since"] is not None else None,
        certain=Evidence(one["certain"]) if one["certain"] is not None else None,
        late=LSN.parse(one["late"]) if one["late"] is not None else None,
    )


# -- brackets and tools


def _named(table: TableName) -> str:
    return json.dumps([table.schema, table.table], ensure_ascii=False)


def _bracket(table: TableName, bracket: Bracket) -> dict[str, Any]:
    return {
        "schema": table.schema,
        "table": table.table,
        "opened": str(bracket.opened),
        "at": bracket.at.isoformat() if bracket.at is not None else None,
        "abandoned": bracket.abandoned,
    }


def _tool(tool: ToolSessions) -> dict[str, Any]:
    run = tool.run
    return {
        "run": [_group(run.group), _session(run.session), run.seen.isoformat()] if run is not None else None,
        "holders": [[_session(who), str(held.first), held.seen.isoformat()] for who, held in tool.holders.items()],
        "marks": [str(mark) for mark in tool.marks],
        "strangers": [[_session(who), _group(group)] for who, group in tool.strangers.items()],
        "looks": [list(look) for look in tool.looks],
        "shares": tool.shares,
    }


def _loaded_tool(one: State_) -> ToolSessions:
    tool = ToolSessions()
    if one["run"] is not None:
        group, session, seen = one["run"]
        tool.run = Run(_loaded_group(group), _loaded_session(session), datetime.fromisoformat(seen))
    for who, first, seen in one["holders"]:
        tool.holders[_loaded_session(who)] = Holder(LSN.parse(first), datetime.fromisoformat(seen))
    tool.marks.extend(LSN.parse(mark) for mark in one["marks"])
    for who, group in one["strangers"]:
        tool.strangers[_loaded_session(who)] = _loaded_group(group)
    tool.looks.update(((user, application), None) for user, application in one.get("looks", ()))
    tool.shares = one.get("shares")
    return tool


def _session(session: SessionKey) -> list[Any]:
    return [session.pid, session.started]


def _loaded_session(value: list[Any]) -> SessionKey:
    return SessionKey(int(value[0]), str(value[1]))


def _group(group: Group) -> str | list[Any] | None:
    if isinstance(group, SessionKey):
        return _session(group)
    return str(group) if group is not None else None


def _loaded_group(value: str | list[Any] | None) -> Group:
    if isinstance(value, list):
        return _loaded_session(value)
    return LSN.parse(value) if value is not None else None
