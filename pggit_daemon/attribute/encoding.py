"""How what attribution remembers is written as JSON, and read again.

In: segments, rows, brackets and what is known of tools. Out: the states of facts, and the values again. Called by
`facts.py`; pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pggit_daemon.attribute.claims import Claim, Group
from pggit_daemon.attribute.known import Bracket
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment, Place, Statement, Taker
from pggit_daemon.attribute.sessions import Foreign, Holder, Housekeeper, Own, Run, ToolSessions, Unlocked
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange, Migration
from pggit_daemon.model.objects import ObjectKey
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName

Stored = Mapping[str, Any]

# -- segments


def segment_state(segment: OpenSegment) -> dict[str, Any]:
    return {
        "commit": segment.commit,
        "time": segment.time.isoformat(),
        "session": session_state(segment.session),
        "application": segment.application,
        "user": segment.user,
        "first": str(segment.first),
        "statements": [
            [str(statement.lsn), *([key.type, key.schema, key.identity] for key in statement.objects)]
            for statement in segment.statements
        ],
        "summary": segment.summary,
        "deployment": segment.deployment,
        "claims": {name: claim_state(claim) for name, claim in segment.claims.items()},
        "may_call_back": sorted(segment.may_call_back),
        "callback_of": sorted(segment.callback_of),
        "siblings": [session_state(one) for one in sorted(segment.siblings)],
        "taken": segment.taken,
        "takers": [asdict(taker) for taker in segment.takers],
        "tool": segment.tool,
        "orphan": segment.orphan,
        "kind": segment.kind,
    }


def loaded_segment(one: Stored) -> OpenSegment:
    lsn, _, ordinal = one["key"].rpartition("/")
    return OpenSegment(
        place=(LSN.parse(lsn), int(ordinal)),
        commit=one["commit"],
        time=datetime.fromisoformat(one["time"]),
        session=loaded_session(one["session"]),
        application=one["application"],
        user=one.get("user", ""),
        first=LSN.parse(one["first"]),
        statements=tuple(
            Statement(LSN.parse(at), tuple(ObjectKey(*key) for key in keys)) for at, *keys in one["statements"]
        ),
        summary=one["summary"],
        deployment=one["deployment"],
        claims={name: loaded_claim(claim) for name, claim in one["claims"].items()},
        may_call_back=frozenset(one["may_call_back"]),
        callback_of=frozenset(one["callback_of"]),
        siblings=frozenset(map(loaded_session, one["siblings"])),
        taken=one["taken"],
        takers=[
            Taker(**{**taker, "kind": CommitKind(taker["kind"]), "evidence": Evidence(taker["evidence"])})
            for taker in one["takers"]
        ],
        tool=one["tool"],
        orphan=one["orphan"],
        kind=CommitKind(one["kind"]) if one["kind"] is not None else None,
    )


def claim_state(claim: Claim) -> dict[str, Any]:
    return {
        "source": claim.source,
        "evidence": claim.evidence.value,
        "group": _group(claim.group),
        "certain": claim.certain,
        "weak": claim.weak,
        "reads": claim.reads,
        "since": claim.since.isoformat() if claim.since is not None else None,
    }


def loaded_claim(one: Stored) -> Claim:
    group = _loaded_group(one["group"])
    since = datetime.fromisoformat(one["since"]) if one.get("since") is not None else None
    return Claim(
        one["source"],
        Evidence(one["evidence"]),
        group,
        certain=one["certain"],
        weak=one["weak"],
        reads=one.get("reads", False),
        since=since,
    )


# -- rows


def row_state(row: WaitingRow) -> dict[str, Any]:
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
        "ended": row.ended,
        "recorded": row.recorded,
        "evidence": row.evidence,
        "note": row.note,
        "bracket": str(row.bracket) if row.bracket is not None else None,
        "left": row.left,
        "blind": row.blind,
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
        "session": session_state(event.session) if event.session is not None else None,
        "since": str(event.since) if event.since is not None else None,
        "certain": event.certain,
        "late": str(event.late) if event.late is not None else None,
    }


def loaded_row(one: Stored, segments: Mapping[Place, OpenSegment]) -> WaitingRow:
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
        ended=one.get("ended", False),
        recorded=one["recorded"],
        evidence=Evidence(one["evidence"]) if one["evidence"] is not None else None,
        note=one["note"],
        bracket=LSN.parse(one["bracket"]) if one.get("bracket") is not None else None,
        left=one.get("left"),
        blind=one.get("blind", False),
        parts=[(segments[LSN.parse(at), ordinal], begin, end) for at, ordinal, begin, end in one["parts"]],
    )


def _loaded_event(one: Stored, source: str, lsn: LSN) -> HistoryRowEvent:
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
        session=loaded_session(one["session"]) if one["session"] is not None else None,
        since=LSN.parse(one["since"]) if one["since"] is not None else None,
        certain=Evidence(one["certain"]) if one["certain"] is not None else None,
        late=LSN.parse(one["late"]) if one["late"] is not None else None,
    )


# -- brackets and tools


def table_key(table: TableName) -> str:
    return json.dumps([table.schema, table.table], ensure_ascii=False)


def bracket_state(table: TableName, bracket: Bracket) -> dict[str, Any]:
    return {
        "schema": table.schema,
        "table": table.table,
        "opened": str(bracket.opened),
        "at": bracket.at.isoformat() if bracket.at is not None else None,
        "abandoned": bracket.abandoned,
        "wrote": bracket.wrote.isoformat() if bracket.wrote is not None else None,
    }


def loaded_bracket(one: Stored) -> tuple[TableName, Bracket]:
    at = datetime.fromisoformat(one["at"]) if one["at"] is not None else None
    wrote = datetime.fromisoformat(one["wrote"]) if one.get("wrote") is not None else None
    return TableName(one["schema"], one["table"]), Bracket(LSN.parse(one["opened"]), at, one["abandoned"], wrote)


def housekeeper_state(known: Housekeeper) -> dict[str, Any]:
    return {"source": known.source, "seen": known.seen.isoformat(), "dropped": known.dropped}


def loaded_housekeeper(one: Stored) -> Housekeeper:
    return Housekeeper(one["source"], datetime.fromisoformat(one["seen"]), one["dropped"])


def tool_state(tool: ToolSessions) -> dict[str, Any]:
    run = tool.run
    return {
        "run": [_group(run.group), session_state(run.session), run.seen.isoformat()] if run is not None else None,
        "own": [
            [session_state(who), one.seen.isoformat(), one.wrote.isoformat() if one.wrote is not None else None]
            for who, one in tool.own.items()
        ],
        "holders": [[session_state(who), str(held.first), held.seen.isoformat()] for who, held in tool.holders.items()],
        "marks": [str(mark) for mark in tool.marks],
        "strangers": [[session_state(who), _group(group)] for who, group in tool.strangers.items()],
        "foreign": [[*look, others.seen.isoformat()] for look, others in tool.foreign.items()],
        "looks": [list(look) for look in tool.looks],
        "unlocked": [
            [session_state(who), one.application, str(one.last), one.seen.isoformat()]
            for who, one in tool.unlocked.items()
        ],
        "shares": tool.shares,
        "named": tool.named,
    }


def loaded_tool(one: Stored) -> ToolSessions:
    tool = ToolSessions()
    if one["run"] is not None:
        group, session, seen = one["run"]
        tool.run = Run(_loaded_group(group), loaded_session(session), datetime.fromisoformat(seen))
    for who, seen, *wrote in one.get("own", ()):
        moments = [datetime.fromisoformat(moment) for moment in wrote if moment is not None]
        tool.own[loaded_session(who)] = Own(datetime.fromisoformat(seen), *moments)
    for who, first, seen in one["holders"]:
        tool.holders[loaded_session(who)] = Holder(LSN.parse(first), datetime.fromisoformat(seen))
    tool.marks.extend(LSN.parse(mark) for mark in one["marks"])
    for who, group in one["strangers"]:
        tool.strangers[loaded_session(who)] = _loaded_group(group)
    for user, application, seen in one.get("foreign", ()):
        tool.foreign[user, application] = Foreign(datetime.fromisoformat(seen))
    tool.looks.update(((user, application), None) for user, application in one.get("looks", ()))
    for who, application, last, seen in one.get("unlocked", ()):
        tool.unlocked[loaded_session(who)] = Unlocked(application, LSN.parse(last), datetime.fromisoformat(seen))
    tool.shares = one.get("shares")
    tool.named = one.get("named", False)
    return tool


def session_state(session: SessionKey) -> list[Any]:
    return [session.pid, session.started]


def loaded_session(value: list[Any]) -> SessionKey:
    return SessionKey(int(value[0]), str(value[1]))


def _group(group: Group) -> str | list[Any] | None:
    if isinstance(group, SessionKey):
        return session_state(group)
    return str(group) if group is not None else None


def _loaded_group(value: str | list[Any] | None) -> Group:
    if isinstance(value, list):
        return loaded_session(value)
    return LSN.parse(value) if value is not None else None
