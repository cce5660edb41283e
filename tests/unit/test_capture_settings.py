"""What the capture is set to look for."""

from __future__ import annotations

import re
from importlib.resources import files

import pggit_daemon.sql
from pggit_daemon.tools.capture_settings import capture_settings, usual_histories
from pggit_daemon.tools.preset import packaged


def test_the_capture_knows_the_history_tables_of_tools_that_lock() -> None:
    """It asks for locks as soon as one of that name is there, before any daemon has seen it."""
    text = (files(pggit_daemon.sql) / "capture" / "04_tools.sql").read_text("utf-8")
    [names] = re.findall(r"locking_histories\(\).*?'\{(.*?)\}'::name\[\]", text, re.DOTALL)[:1]
    assert sorted(names.split(",")) == sorted(usual_histories())


def test_the_capture_knows_such_tables_by_a_column_whatever_they_are_called() -> None:
    """Only columns that no table of another tool has."""
    text = (files(pggit_daemon.sql) / "capture" / "04_tools.sql").read_text("utf-8")
    names = re.findall(r"locking_columns\(\).*?'\{(.*?)\}'::name\[\]", text, re.DOTALL)[0].split(",")
    for name in names:
        having = [preset for _stem, preset in packaged() if name in preset.columns]
        assert having
        assert all(preset.advisories for preset in having)


def test_locks_are_watched_for_presets_that_the_capture_does_not_know() -> None:
    presets = dict(packaged())
    assert capture_settings(presets)["watch"] is False
    flyway = presets["flyway"]
    renamed = flyway.model_copy(update={"table": flyway.table.model_copy(update={"name": "our_history"})})
    assert capture_settings({"ours": renamed})["watch"] is True


def test_the_capture_knows_the_lock_tables_of_tools_that_use_lock_table() -> None:
    text = (files(pggit_daemon.sql) / "capture" / "04_tools.sql").read_text("utf-8")
    [ending] = re.findall(r"relname LIKE '%\\(_\w+)'", text)
    found = [one.company.lock_table for _, one in packaged() if one.company is not None]
    assert found
    assert all(name.endswith(ending) for name in found)
