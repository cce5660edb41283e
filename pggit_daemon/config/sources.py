"""A source of the user's own, from a few lines of configuration.

In: a `[[database.source]]` section. Out: a `Source`. Pure. Called by `runtime/worker.py`. Where its table is a known
tool's, `tools/configured.py` makes it that tool's.
"""

from __future__ import annotations

from datetime import timedelta

from pggit_daemon.config.model import Source as Section
from pggit_daemon.tools.preset import MigrationColumns, SessionHints, custom
from pggit_daemon.tools.source import Source


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
