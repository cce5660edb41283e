"""What is known of sessions is the same after a restart, so that no link depends on when the daemon was started."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from pggit_daemon.attribute.encoding_known import loaded_tool, tool_state
from pggit_daemon.attribute.sessions import Holder, Own, Run, ToolSessions, Unlocked
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Profile, SessionKey

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
LOOK = Profile("app", "", None)


def session(number: int, began: timedelta = timedelta(minutes=1)) -> SessionKey:
    return SessionKey(number, (NOW - began).isoformat())


def stored(tool: ToolSessions) -> ToolSessions:
    return loaded_tool(json.loads(json.dumps(tool_state(tool))))


def test_all_that_is_known_of_a_tools_sessions_comes_back() -> None:
    tool = ToolSessions(Run(session(1), session(2), NOW), shares=True, named=True)
    tool.own[session(3)] = Own(NOW, NOW)
    tool.holders[session(4)] = Holder(LSN(1), NOW)
    tool.mark(LSN(2))
    tool.estrange(session(5), LSN(3))
    tool.see_foreign(session(6), LOOK, NOW)
    tool.see_foreign(session(7, timedelta(seconds=1)), LOOK, NOW)
    tool.ran([("app", "")], shared=True)
    tool.see_unlocked(session(8), Unlocked("", LSN(4), NOW))
    assert stored(tool) == tool


def test_a_session_is_not_the_first_of_its_look_because_of_a_restart() -> None:
    """Others of the look ran DDL before; were they forgotten, what it runs next could be taken for the tool's."""
    tool = ToolSessions()
    tool.see_foreign(session(1), LOOK, NOW)
    tool = stored(tool)
    tool.see_foreign(session(2), LOOK, NOW)
    assert tool.is_foreign(LOOK, NOW, but=session(2))
    assert not tool.is_foreign(LOOK, NOW, within=timedelta(seconds=10))


def test_many_of_one_look_are_remembered_by_the_shortest() -> None:
    tool = ToolSessions()
    for number in range(1, 10):
        tool.see_foreign(session(number, timedelta(seconds=number)), LOOK, NOW)
    again = stored(tool)
    for seconds in (0.5, 1, 5):
        within = timedelta(seconds=seconds)
        assert again.is_foreign(LOOK, NOW, within) == tool.is_foreign(LOOK, NOW, within)


def test_what_an_earlier_version_stored_counts_as_somebody_elses() -> None:
    state = tool_state(ToolSessions()) | {"foreign": [["app", "", NOW.isoformat()]]}
    tool = loaded_tool(state)
    tool.see_foreign(session(1), LOOK, NOW)
    assert tool.is_foreign(LOOK, NOW, timedelta(0), but=session(1))
