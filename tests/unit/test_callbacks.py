"""Whose callback a transaction may be that nobody may claim."""

from __future__ import annotations

import pytest

from pggit_daemon.attribute.callbacks import possible_callback
from pggit_daemon.attribute.claims import Seen
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import Session
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.capture_settings import capture_settings
from pggit_daemon.tools.preset import packaged
from pggit_daemon.tools.source import Source
from tests.unit.build import START, Who, who

PRESETS = dict(packaged())


def source_of(stem: str) -> Source:
    return Source(stem, PRESETS[stem], TableName("public", PRESETS[stem].table.name or "history"), preset_name=stem)


def seen(one: Who) -> Seen:
    session = Session(one.key, one.profile, one.profile.user)
    return Seen(session, locks=(), first=LSN(10), commit=LSN(20), time=START)


@pytest.mark.parametrize("stem", sorted(PRESETS))
def test_only_tools_whose_preset_says_so_have_callbacks(stem: str) -> None:
    """Promise: no session of another tool's name and look is left to that tool because its siblings are."""
    source = source_of(stem)
    name = source.hints.usual_application_name or "any"
    found = possible_callback(seen(who(1, name)), [source])
    assert found == ({stem} if stem == "flyway" else set())


def test_siblings_are_recorded_of_sessions_with_the_name_of_such_a_tool() -> None:
    assert capture_settings(PRESETS)["applications"] == ["PostgreSQL JDBC Driver"]
    assert capture_settings({name: one for name, one in PRESETS.items() if name != "flyway"})["applications"] == []
