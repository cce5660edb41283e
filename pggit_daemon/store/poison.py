"""Transactions that cannot be recorded, and what becomes of them.

In: a transaction or message, and what went wrong while it was handled alone. Out: a `PoisonError` that names it, and
the operation that puts it into quarantine. Pure; called by `pipeline.py` and `runtime/worker.py`.

Poison is what the server refuses because of its values, or what the pure core cannot digest: it would be so again and
again, and the history would stop there. So the stream starts over and is handled transaction by transaction, until the
one is found; it is skipped from then on, and what it changed is read from the catalog.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from pggit_daemon.errors import PggitDaemonError, RefusedError
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Message, Transaction
from pggit_daemon.store.statement import Statement

LONGEST_RAW = 1_000_000
SHORT_RAW = 10_000
"""Characters of a transaction that are kept in the quarantine: whole, and where there are many of them."""

SUSPECTS = 100
"""Transactions that are stored alone once something was refused, to find which it is, and those behind it."""

MOST_WHOLE = 100
"""Transactions that one process puts into quarantine whole; of later ones it keeps the beginning."""

OF_VALUES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What code raises that meets a value which it was not written for."""


class PoisonError(Exception):
    """A transaction (or message) cannot be recorded."""

    def __init__(self, item: Transaction | Message, reason: str) -> None:
        super().__init__(reason)
        self.item = item
        self.reason = reason

    @property
    def lsn(self) -> LSN:
        return place(self.item)


def place(item: Transaction | Message) -> LSN:
    """Where it stands in the order of the stream."""
    return item.commit_lsn if isinstance(item, Transaction) else item.lsn


@contextmanager
def blamed(item: Transaction | Message) -> Iterator[None]:
    """Say of what is raised inside that it comes of this item, unless it is about connections or order."""
    try:
        yield
    except RefusedError as exc:
        raise PoisonError(item, exc.message) from exc
    except PggitDaemonError:
        raise
    except OF_VALUES as exc:
        raise PoisonError(item, f"{type(exc).__name__}: {exc}") from exc


def quarantined(poison: PoisonError, *, whole: bool = True) -> Statement:
    """How it is remembered, and known when it comes again."""
    item = poison.item
    raw = json.dumps(asdict(item), default=str)
    longest = LONGEST_RAW if whole else SHORT_RAW
    xid = item.xid if isinstance(item, Transaction) else None
    reason = poison.reason.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    values = {
        "lsn": str(poison.lsn),
        "xid": xid,
        "raw": raw[:longest],
        "reason": reason,
        "kind": "transaction",
    }
    return "quarantine", values
