"""Which output plugins there are: how each is started, and what reads it. Pure.

In: a plugin's name, the tables to stream, the prefix of our messages. Out: options for START_REPLICATION, a decoder.
Called by the worker when it starts the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pggit_daemon.decode import pgoutput, wal2json
from pggit_daemon.decode.plugin import MESSAGE_PREFIX, Decoder
from pggit_daemon.errors import PrerequisiteError
from pggit_daemon.model.transaction import TableName

PLUGINS = (wal2json.PLUGIN, pgoutput.PLUGIN)
"""In the order in which they are tried."""

AUTO = "auto"
"""Whichever the slot was made with; for a new one, the first of them that the server has and allows."""

OLDEST_PGOUTPUT = 15
"""PostgreSQL 14's pgoutput sends a begin and a commit of every transaction, whatever it wrote."""


def candidates(wanted: str, server_version: int) -> tuple[str, ...]:
    """With which plugins to try to make a slot, in order, on a server of this version (as 150018)."""
    major = server_version // 10_000
    if wanted == AUTO:
        return PLUGINS if major >= OLDEST_PGOUTPUT else (wal2json.PLUGIN,)
    if wanted == pgoutput.PLUGIN and major < OLDEST_PGOUTPUT:
        raise PrerequisiteError(
            f"plugin pgoutput needs PostgreSQL {OLDEST_PGOUTPUT} or later, this server is {major}",
            hint='set plugin = "wal2json", and install it on the server; on Debian and Ubuntu:'
            f" apt-get install postgresql-{major}-wal2json",
        )
    return (wanted,)


def decoder(plugin: str, *, encoding: str = "utf-8", messages: str = MESSAGE_PREFIX) -> Decoder:
    """What reads one connection's records. `encoding` is Python's name of the database's."""
    if plugin == pgoutput.PLUGIN:
        return pgoutput.Pgoutput(encoding, messages)
    return wal2json.Wal2json(encoding)


def options(plugin: str, tables: Iterable[TableName], messages: str | None = MESSAGE_PREFIX) -> Mapping[str, str]:
    """The options that stream the rows of `tables` and `messages` of this prefix; of pgoutput all, or none with None.

    pgoutput's tables are those of its publications.
    """
    if plugin == pgoutput.PLUGIN:
        return pgoutput.options(messages=messages is not None)
    return wal2json.options(tables, messages or MESSAGE_PREFIX)
