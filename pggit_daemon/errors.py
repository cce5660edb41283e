"""The one error tree.

    PggitDaemonError                 everything we raise on purpose: what failed, where, what to do
    ├── ConfigError                  a file, key or value of the configuration          (exit 2)
    ├── ListenError                  the port of the status pages is taken by another   (exit 1)
    ├── ConnectError                 the server cannot be reached or refuses us         (exit 3)
    │   └── ServerAway               it is down, starting, recovering or stopping: come back soon
    ├── PrerequisiteError            wal_level, plugin, rights, not initialised: `hint` (exit 4)
    │   ├── PluginRefused            the server has no such output plugin, or does not allow it
    │   ├── RightMissing             42501: no right to it, or row security hides rows of it
    │   ├── AnotherVersion           init of another version ran in the database
    │   └── InstallError             init, upgrade or uninstall could not go on         (exit 4)
    ├── SlotError                    the replication slot
    │   ├── SlotInUse                another process streams from it: wait and retry
    │   └── SlotLost                 missing or invalidated: record the gap, make a new one
    ├── StreamError                  the replication stream ended or broke: reconnect
    │   ├── ProtocolError            bytes that the protocol does not allow
    │   └── UndecodableError         the server itself cannot decode what the slot holds: never again
    ├── StoreError                   a result could not be written: reconnect and redo
    │   └── RefusedError             the server refuses the values themselves: not again
    ├── NotFoundError                a commit, migration or object that is not recorded (exit 5)
    └── NotAsRecorded                the catalog and the record differ                  (exit 6)

Database errors are translated once, at the boundary that met them, by SQLSTATE, with `raise … from`.
"""

from __future__ import annotations

from pggit_daemon.model.transaction import TableName

RESTORED = "database {} was restored from a dump of the schema alone: what init leaves in the tables is not there"
REPAIR = "pggit-daemon init, as a superuser, repairs it"
NOT_LOGICAL = "logical decoding needs wal_level = logical, the server runs with {}"
SET_LOGICAL = "ALTER SYSTEM SET wal_level = 'logical'; and restart the server"
COUNTED = "synchronous_standby_names counts the daemon as a standby: everybody's commits may wait for it"
NAME_STANDBYS = "ALTER SYSTEM SET synchronous_standby_names = '<your standbys by name>'; SELECT pg_reload_conf();"


class PggitDaemonError(Exception):
    """Base of all errors raised on purpose.

    `message` says what failed and where; `hint` is the statement or step that solves it, if there is one.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class ConfigError(PggitDaemonError):
    """A file, key or value of the configuration is wrong."""

    exit_code = 2


class ConnectError(PggitDaemonError):
    """The server cannot be reached, or refuses the login."""

    exit_code = 3


class ServerAway(ConnectError):
    """The server takes no connection now: it is down, starting, recovering or stopping. That ends by itself."""


class ListenError(PggitDaemonError):
    """Another process listens on the address of the status pages (which it may stop doing)."""


class PrerequisiteError(PggitDaemonError):
    """The server or the database lacks what the daemon needs; `hint` says how to give it."""

    exit_code = 4


class PluginRefused(PrerequisiteError):
    """The server lacks the output plugin, or its list of allowed ones does."""


class RightMissing(PrerequisiteError):
    """SQLSTATE 42501: the role has no right to something, or row security hides rows of it.

    What may not be read is unknown: nobody may conclude that it is not there.
    """


class AnotherVersion(PrerequisiteError):
    """The schema is another version's: init of a newer one ran while this daemon did, or not yet that of this one."""


class InstallError(PrerequisiteError):
    """init, upgrade or uninstall could not go on; nothing was changed."""


class SlotError(PggitDaemonError):
    """Something about the replication slot."""


class SlotInUse(SlotError):
    """Another process streams from the slot (SQLSTATE 55006)."""


class SlotLost(SlotError):
    """The slot is missing (42704) or invalidated (55000): WAL after it is gone for us."""


class StreamError(PggitDaemonError):
    """The replication stream ended or broke."""


class StreamEnded(StreamError):
    """Somebody has ended it: the server shuts down, or was told to end our session."""


class ProtocolError(StreamError):
    """The server sent bytes that the protocol does not allow."""


class UndecodableError(StreamError):
    """The server gives up decoding where the slot stands, and would again: a publication did not exist then."""


class StoreError(PggitDaemonError):
    """A result could not be written."""


class RefusedError(StoreError):
    """The values themselves were refused (SQLSTATE classes 22, 23, 54): the same would be refused again."""


class NotFoundError(PggitDaemonError):
    """A commit, migration or object that is not recorded."""

    exit_code = 5


class NotAsRecorded(PggitDaemonError):
    """The catalog and the record differ."""

    exit_code = 6


class TablesChangedError(Exception):
    """No failure: a history table was made, so the stream starts over with it, before the transaction that made it."""

    def __init__(self, tables: tuple[TableName, ...]) -> None:
        super().__init__(", ".join(map(str, tables)))
        self.tables = tables
