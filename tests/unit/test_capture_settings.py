"""What the capture is set to look for."""

from __future__ import annotations

from pggit_daemon.tools.capture_settings import capture_settings
from pggit_daemon.tools.preset import packaged


def test_a_distinctive_column_is_no_other_tools() -> None:
    """The capture takes a table with one for a tool's that holds locks, whatever it is called."""
    names = {name for _stem, preset in packaged() for name in preset.table.distinctive}
    assert names
    for name in names:
        assert all(preset.advisories for _stem, preset in packaged() if name in preset.read)


def test_locks_are_watched_for_presets_that_the_capture_does_not_know() -> None:
    presets = dict(packaged())
    assert capture_settings(presets)["watch"] is False
    flyway = presets["flyway"]
    renamed = flyway.model_copy(update={"table": flyway.table.model_copy(update={"name": "our_history"})})
    assert capture_settings({"ours": renamed})["watch"] is True
