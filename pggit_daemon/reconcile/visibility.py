"""Which of the transactions that the stream has brought other sessions do not see yet.

In: the changesets, and a connection. Out: whether a query sees all of them. Used by what reads the database beside the
stream: a commit is decoded a moment before other sessions see it, and long before where it waits for a standby.
"""

from __future__ import annotations

from typing import Any

import psycopg

from pggit_daemon.db import catalog
from pggit_daemon.model.changeset import Changeset


class Visibility:
    """Remembers each transaction until a query has seen it."""

    def __init__(self) -> None:
        self._unseen: set[int] = set()

    def observe(self, changeset: Changeset) -> None:
        """Take a transaction that the stream has brought."""
        self._unseen.add(changeset.xid)

    async def is_complete(self, conn: psycopg.AsyncConnection[Any]) -> bool:
        """Whether what is read from now on shows every transaction that the stream has brought until now."""
        asked = frozenset(self._unseen)
        invisible = await catalog.invisible(conn, asked)
        self._unseen -= asked - invisible
        return not invisible
