"""What is left to the DBA after an installation: the server's settings, and who may read the history tables.

In: a superuser's connection. Out: statements, each with its reason as a comment. Nothing is changed here: a setting
concerns the whole server and may want a restart, and reading the users' tables is theirs to allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from pggit_daemon.decode.plugins import AUTO, candidates
from pggit_daemon.decode.wal2json import PLUGIN as WAL2JSON
from pggit_daemon.install.state import queries, rows
from pggit_daemon.replication.refusals import allow_plugin, plugins_of

if TYPE_CHECKING:
    import psycopg


def still_to_do(conn: psycopg.Connection[Any], role: str | None, plugin: str) -> tuple[str, ...]:
    """Return the statements that somebody should still run."""
    [(wal_level, plugin_libraries, slot_limit)] = rows(conn, queries["server"])
    notes = []
    if wal_level != "logical":
        notes.append("ALTER SYSTEM SET wal_level = 'logical';  -- then restart the server")
    allowed = None if plugin_libraries is None else plugins_of(plugin_libraries)
    if allowed is not None and not any(one in allowed for one in candidates(plugin, conn.info.server_version)):
        named = WAL2JSON if plugin == AUTO else plugin
        notes.append(f"{allow_plugin(plugin_libraries, named)}  -- the server may load {named} then")
    if slot_limit == "-1":
        notes.append(
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();"
            "  -- so that a stopped daemon does not fill the disk"
        )
    if role is not None and rows(conn, queries["may_read_all_data"], {"role": role}) == [(False,)]:
        name = sql.Identifier(role).as_string(conn)
        notes.append(
            f"GRANT SELECT ON <each history table> TO {name};  -- and USAGE on its schema;"
            f" or once for all: GRANT pg_read_all_data TO {name};"
        )
    return tuple(notes)
