"""How far the stream has been handled and stored."""

from __future__ import annotations

from dataclasses import dataclass

from pggit_daemon.model.lsn import LSN


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the results go: `commit` is the last transaction's commit record, `end` where that ends."""

    commit: LSN
    end: LSN
    head: str | None
    remembered: str
