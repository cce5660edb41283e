"""Which output plugins there are: how each is started, and what reads it. Pure.

In: a plugin's name, the tables to stream, the prefix of our messages. Out: options for START_REPLICATION, a decoder.
Called by the worker when it starts the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pggit_daemon.decode import pgoutput, wal2json
from pggit_daemon.decode.plugin import MESSAGE_PREFIX, Decoder
from pggit_daemon.model.transaction import TableName

PLUGINS = (wal2json.PLUGIN, pgoutput.PLUGIN)
"""In the order in which they are tried."""


def decoder(plugin: str, *, encoding: str = "utf-8", messages: str = MESSAGE_PREFIX) -> Decoder:
    """What reads one connection's records. `encoding` is Python's name of the database's."""
    if plugin == pgoutput.PLUGIN:
        return pgoutput.Pgoutput(encoding, messages)
    return wal2json.Wal2json(encoding)


def options(plugin: str, tables: Iterable[TableName], messages: str = MESSAGE_PREFIX) -> Mapping[str, str]:
    """The options that stream the rows of `tables` and `messages`; pgoutput's tables are those of its publications."""
    return pgoutput.OPTIONS if plugin == pgoutput.PLUGIN else wal2json.options(tables, messages)
