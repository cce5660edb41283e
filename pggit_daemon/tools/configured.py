"""A configured source whose table is a known tool's.

In: the `Source` that the section describes (`config/sources.py`), the preset that knows its table. Out: one of both.
Pure. What a table of a known tool means, its preset says, where a row is not simply a migration; the section still
names the source, its tool and its sessions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pggit_daemon.tools.preset import Preset
from pggit_daemon.tools.source import Source

UNNAMED = "custom"
"""The tool of a section that names none."""


def as_known(source: Source, stem: str, preset: Preset, database: str) -> Source:
    """The configured source of a table that this preset knows. How it is proven the preset says, unless `ddl` does."""
    hints = {"user": source.hints.user, "application_name": source.hints.application_name}
    named: dict[str, Any] = {"session": preset.session.model_copy(update=hints)}
    if source.tool != UNNAMED:
        named["tool"] = source.tool
    if source.outlives_session:  # ddl = "after"
        named["proof"] = source.preset.proof
    return replace(source, preset=preset.model_copy(update=named), preset_name=stem, database=database)
