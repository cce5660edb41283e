"""How segments and rows that attribution remembers are written as JSON, and read again.

In: segments, their claims, and rows. Out: the states of facts, and the values again. Called by `facts.py`; pure.
What is known of brackets and tools is in `encoding_known.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pggit_daemon.attribute.claims import Claim
from pggit_daemon.attribute.encoding_known import Stored, group_state, loaded_group, loaded_session, session_state
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment, Place, Statement, Taker
from pggit_daemon.model.changeset import Evidence, HistoryRowEvent, UndecodableRow
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.migration import HistoryChange, Migration
from pggit_daemon.model.objects import ObjectKey

# -- segments


def segment_state(segment: OpenSegment) -> dict[str, Any]:
    return {
        "commit": segment.commit,
        "time": segment.time.isoformat(),
        **({"began": segment.began.isoformat()} if segment.began is not None else {}),
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
        began=datetime.fromisoformat(one["began"]) if "began" in one else None,
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
        "group": group_state(claim.group),
        "certain": claim.certain,
        "weak": claim.weak,
        "reads": claim.reads,
        "since": claim.since.isoformat() if claim.since is not None else None,
    }


def loaded_claim(one: Stored) -> Claim:
    group = loaded_group(one["group"])
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
        "writer": session_state(row.writer) if row.writer is not None else None,
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
    writer = loaded_session(one["writer"]) if one.get("writer") is not None else None
    undecodable = UndecodableRow(source, lsn, writer)
    event = _loaded_event(one["event"], source, lsn) if one["event"] is not None else undecodable
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
