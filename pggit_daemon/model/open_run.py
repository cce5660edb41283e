"""What a session has begun through the SQL API and not ended: a migration or a deployment.

In: nothing. Out: built by `interpret/sql_api.py`, kept in `pggit_daemon.open_run`, one row each. Only values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.row_text import TextRow
from pggit_daemon.model.session import SessionKey


class RunState(StrEnum):
    ANNOUNCED = "announced"  # reported by a message, before the commit of its transaction
    OPEN = "open"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """`key` is the id that begin_migration and begin_deployment return.

    `xact` is the transaction that began it, `failed_at` where a failure came that its transaction may have taken
    back: since then the run takes nothing more. `last_part` is where the newest transaction with its DDL committed.
    `wrapped`: called from inside a tool's own migration, so it is none of its own. `waits`: a deployment with
    auto_commit.
    """

    key: str
    state: RunState
    session: SessionKey
    user: str
    started_at: datetime
    migration_id: int | None = None
    tool: str = "sql"
    name: str | None = None
    xact: str | None = None
    wrapped: bool = False
    waits: bool = False
    failed_at: LSN | None = None
    last_part: LSN | None = None

    def as_row(self) -> TextRow:
        """What `history_event` shows of it."""
        return {
            "deployment": self.key,
            "state": self.state.value,
            "migration_id": str(self.migration_id) if self.migration_id is not None else None,
            "tool": self.tool,
            "name": self.name,
            "user": self.user,
            "started_at": self.started_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is not open any more; `deployed` with the arguments of end_deployment, if it was one."""

    key: str
    session: SessionKey
    deployed: bool = False
    ended_at: datetime | None = None
    message: str | None = None
    tags: tuple[str | None, ...] = ()
