"""What a look at sessions shows, asked of a real server: never less than a statement may have done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.attribute.looking import Wanted
from pggit_daemon.db.connections import connect
from pggit_daemon.model.session import SessionKey
from pggit_daemon.reconcile.looks import activity

if TYPE_CHECKING:
    from pggit_daemon.model.sighting import Activity

KEPT = 1023
"""Bytes that the server keeps of a statement, by its default."""


def shown(session: psycopg.Connection[Any], statement: str) -> Activity | None:
    """What a look shows of a session that has run this statement."""
    [(pid, start, user)] = session.execute(
        "SELECT pid, backend_start, usename FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ).fetchall()
    key = SessionKey.of(pid, str(start))
    session.execute(statement.encode())

    async def look() -> Activity | None:
        conn = await connect(session.info.dsn, "test")
        try:
            found = await activity(conn, Wanted(frozenset({key}), frozenset({user}), frozenset({"history"})))
        finally:
            await conn.close()
        [(_, one)] = found.found.items()
        return one

    return asyncio.run(look())


@pytest.mark.parametrize("last", ["a", "é", "€", "\N{GRINNING FACE}"])
@pytest.mark.parametrize("before", range(4))
def test_a_statement_that_is_cut_may_name_the_table(database: str, before: int, last: str) -> None:
    """Promise: also where the cut would split a character, so that up to three bytes more are missing."""
    with psycopg.connect(database, autocommit=True) as session:
        text = f"SELECT '{'x' * before}{last * KEPT}' AS name FROM (VALUES (1)) AS history"
        cut = shown(session, text)
        assert cut is not None
        assert (cut.state, cut.writes) == ("idle", True)
        whole = shown(session, f"SELECT '{'x' * before}{last}'")
        assert whole is not None
        assert not whole.writes
