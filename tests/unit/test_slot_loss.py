"""Whether a slot brings all that was committed after the stored progress."""

from __future__ import annotations

import dataclasses

import pytest

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.progress import RESERVE, Progress
from pggit_daemon.replication.slot import SlotFacts, loss

PROGRESS = Progress(LSN(900), LSN(1000), None, "{}")
SLOT = SlotFacts(
    name="s",
    plugin="wal2json",
    database="app",
    active_pid=None,
    restart_lsn=LSN(800),
    confirmed_lsn=LSN(1000),
    wal_status="reserved",
    safe_wal_size=None,
    retained_bytes=0,
    invalidation_reason=None,
)


@pytest.mark.parametrize(
    ("slot", "progress", "reason"),
    [
        (SLOT, PROGRESS.exact, None),
        (dataclasses.replace(SLOT, confirmed_lsn=LSN(900)), PROGRESS.exact, None),
        (dataclasses.replace(SLOT, confirmed_lsn=LSN(1001)), PROGRESS.exact, "was made again"),
        (dataclasses.replace(SLOT, confirmed_lsn=LSN(1000 + RESERVE)), PROGRESS.reserving, None),
        (dataclasses.replace(SLOT, confirmed_lsn=LSN(1001 + RESERVE)), PROGRESS.reserving, "was made again"),
        (dataclasses.replace(SLOT, confirmed_lsn=LSN(10**9)), PROGRESS, None),  # an older version kept to no bound
        (dataclasses.replace(SLOT, confirmed_lsn=None), PROGRESS.exact, "was never ready"),
        (dataclasses.replace(SLOT, invalidation_reason="wal_removed"), PROGRESS.exact, "is invalidated: wal_removed"),
        (None, PROGRESS.exact, "is missing"),
    ],
)
def test_a_hole_is_known(slot: SlotFacts | None, progress: Progress, reason: str | None) -> None:
    found = loss(slot, progress)
    assert (found is None) == (reason is None)
    assert (found or "").startswith(reason or "")
