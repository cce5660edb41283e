"""Whether the schema in the database is the one that this program writes to.

In: a connection, or how to make one. Out: nothing, or the error that says what is otherwise and what to do. Called by
`runtime/worker.py` before it reads or writes anything, and by `runtime/supervised.py` to explain what has failed:
`init` of a newer version may have run meanwhile. Nothing is lost then, as what is not stored stays in the slot.
"""

from __future__ import annotations

from typing import Any

import psycopg

from pggit_daemon.db.connections import connect
from pggit_daemon.db.refusals import translated
from pggit_daemon.errors import REPAIR, RESTORED, AnotherVersion, PggitDaemonError, PrerequisiteError
from pggit_daemon.sql import functions_digest, load_queries, schema_version

UPGRADED = "the schema in database {} was upgraded to version {} by init, and this daemon is of version {}"
RENEWED = "the functions in database {} were renewed by init of another version than this daemon's"
NOT_UPGRADED = "the schema in database {} is of version {}, and this daemon needs version {}"
RESTART = "restart the daemon with the version that ran init: systemctl restart pggit-daemon; nothing is lost"
UPGRADE = "pggit-daemon init --dsn …, as a superuser"

_QUERIES = load_queries("load")


async def check_installation(conn: psycopg.AsyncConnection[Any]) -> None:
    """Raise PrerequisiteError where the tables are there and the rows are not that init leaves in them.

    AnotherVersion where they are of a version that this program does not know, or that it is too new for.
    """
    if await _fetch(conn, "installation") != [(True,)]:
        raise PrerequisiteError(RESTORED.format(conn.info.dbname), hint=REPAIR)
    [(version, _)] = await _fetch(conn, "versions")
    if version > schema_version():
        raise AnotherVersion(UPGRADED.format(conn.info.dbname, version, schema_version()), hint=RESTART)
    if version < schema_version():
        raise AnotherVersion(NOT_UPGRADED.format(conn.info.dbname, version, schema_version()), hint=UPGRADE)


async def another_version(dsn: str) -> AnotherVersion | None:
    """Say that the schema or its functions are another version's; None where they are not, or cannot be looked at.

    To be asked once something did not go as expected: functions that were renewed without a step may as well do the
    same as before, so that alone keeps nobody from beginning.
    """
    try:
        async with await connect(dsn, "reader") as conn:
            await check_installation(conn)
            [(_, digest)] = await _fetch(conn, "versions")
            if digest == functions_digest():
                return None
            return AnotherVersion(RENEWED.format(conn.info.dbname), hint=RESTART)
    except AnotherVersion as found:
        return found
    except PggitDaemonError:
        return None


async def _fetch(conn: psycopg.AsyncConnection[Any], name: str) -> list[tuple[Any, ...]]:
    try:
        return await (await conn.execute(_QUERIES[name])).fetchall()
    except psycopg.Error as exc:
        raise translated(exc) from exc
