"""How what is known of brackets, tools and sessions is written as JSON, and read again.

In: the values. Out: the states of facts, and the values again. Called by `facts.py` and `encoding.py`; pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pggit_daemon.attribute.claims import Group
from pggit_daemon.attribute.known import Bracket
from pggit_daemon.attribute.sessions import Foreign, Holder, Housekeeper, Own, Run, ToolSessions, Unlocked
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import SessionKey
from pggit_daemon.model.transaction import TableName

Stored = Mapping[str, Any]

FOREIGN_STORED = 4
"""Sessions of a look that are remembered over a restart, the shortest: they are written with each statement."""


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
        "run": [group_state(run.group), session_state(run.session), run.seen.isoformat()] if run is not None else None,
        "own": [
            [session_state(who), one.seen.isoformat(), one.wrote.isoformat() if one.wrote is not None else None]
            for who, one in tool.own.items()
        ],
        "holders": [[session_state(who), str(held.first), held.seen.isoformat()] for who, held in tool.holders.items()],
        "marks": [str(mark) for mark in tool.marks],
        "strangers": [[session_state(who), group_state(group)] for who, group in tool.strangers.items()],
        "foreign": [
            [*look, others.seen.isoformat(), _shortest(others.lasted)] for look, others in tool.foreign.items()
        ],
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
        tool.run = Run(loaded_group(group), loaded_session(session), datetime.fromisoformat(seen))
    for who, seen, *wrote in one.get("own", ()):
        moments = [datetime.fromisoformat(moment) for moment in wrote if moment is not None]
        tool.own[loaded_session(who)] = Own(datetime.fromisoformat(seen), *moments)
    for who, first, seen in one["holders"]:
        tool.holders[loaded_session(who)] = Holder(LSN.parse(first), datetime.fromisoformat(seen))
    tool.marks.extend(LSN.parse(mark) for mark in one["marks"])
    for who, group in one["strangers"]:
        tool.strangers[loaded_session(who)] = loaded_group(group)
    for user, application, seen, *sessions in one.get("foreign", ()):
        tool.foreign[user, application] = Foreign(datetime.fromisoformat(seen), _lasted(*sessions))
    tool.looks.update(((user, application), None) for user, application in one.get("looks", ()))
    for who, application, last, seen in one.get("unlocked", ()):
        tool.unlocked[loaded_session(who)] = Unlocked(application, LSN.parse(last), datetime.fromisoformat(seen))
    tool.shares = one.get("shares")
    tool.named = one.get("named", False)
    return tool


def _shortest(sessions: Mapping[SessionKey, timedelta]) -> list[list[Any]]:
    """Those that decide something: how short the shortest was, and whether there was another than a certain one."""
    found = sorted(sessions.items(), key=lambda item: item[1])[:FOREIGN_STORED]
    return [[session_state(who), took.total_seconds()] for who, took in found]


def _lasted(sessions: Iterable[tuple[list[Any], float]] = (([0, ""], 0.0),)) -> dict[SessionKey, timedelta]:
    """How long each lasted. An earlier version did not store who it was: somebody, as briefly as can be."""
    return {loaded_session(who): timedelta(seconds=took) for who, took in sessions}


def session_state(session: SessionKey) -> list[Any]:
    return [session.pid, session.started]


def loaded_session(value: list[Any]) -> SessionKey:
    return SessionKey(int(value[0]), str(value[1]))


def group_state(group: Group) -> str | list[Any] | None:
    if isinstance(group, SessionKey):
        return session_state(group)
    return str(group) if group is not None else None


def loaded_group(value: str | list[Any] | None) -> Group:
    if isinstance(value, list):
        return loaded_session(value)
    return LSN.parse(value) if value is not None else None
