"""A source of the user's own, from a few lines of configuration.

In: a `[[database.source]]` section. Out: a `Source`. Pure. What a table of a known tool means, its preset says, where a
row is not simply a migration; the section still names the source, its tool and its sessions.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from pggit_daemon.config.model import Source as Section
from pggit_daemon.tools.preset import MigrationColumns, Preset, SessionHints, custom
from pggit_daemon.tools.source import Source

UNNAMED = "custom"
"""The tool of a section that names none."""


def configured_source(section: Section, grace: timedelta) -> Source:
    """The source that a section describes; `grace` is the database's, for where it names none."""
    columns = section.columns
    preset = custom(
        section.tool,
        MigrationColumns(
            id=columns.id,
            version=(columns.id,),
            name=columns.name,
            checksum=columns.checksum,
            applied_by=columns.applied_by,
            applied_at=columns.applied_at,
            execution_time=columns.execution_time,
            success=columns.success,
        ),
        window=section.ddl == "after",
        session=SessionHints(user=section.user, application_name=section.application_name),
    )
    own = timedelta(seconds=section.grace_seconds) if section.grace_seconds is not None else grace
    return Source(section.name, preset, section.table_name, grace=own, origin="config")


def as_known(source: Source, stem: str, preset: Preset, database: str) -> Source:
    """The configured source of a table that this preset knows. How it is proven the preset says, unless `ddl` does."""
    hints = {"user": source.hints.user, "application_name": source.hints.application_name}
    named: dict[str, Any] = {"session": preset.session.model_copy(update=hints)}
    if source.tool != UNNAMED:
        named["tool"] = source.tool
    if source.outlives_session:  # ddl = "after"
        named["proof"] = source.preset.proof
    return replace(source, preset=preset.model_copy(update=named), preset_name=stem, database=database)
