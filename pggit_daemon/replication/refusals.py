"""The server's refusals around replication, as our errors. Translated here and nowhere else, by SQLSTATE.

In: the database error, what we were doing, and what the server says about itself. Out: the error to raise.
Called by `connection.py`. Where one SQLSTATE has several causes the facts decide, never the message's text:
servers write that in the language of their `lc_messages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import errors as pg
from psycopg.sql import Identifier

from pggit_daemon.errors import (
    NOT_LOGICAL,
    SET_LOGICAL,
    PggitDaemonError,
    PluginRefused,
    PrerequisiteError,
    SlotError,
    SlotInUse,
    SlotLost,
    StreamError,
)

if TYPE_CHECKING:
    import psycopg

    from pggit_daemon.replication.slot import Requirements, SlotFacts

USUAL_PLUGINS = ("pgoutput", "test_decoding")


def translate(
    exc: psycopg.Error,
    *,
    doing: str,
    slot: str,
    facts: SlotFacts | None = None,
    needs: Requirements | None = None,
    plugin: str | None = None,
) -> PggitDaemonError:
    """Return our error for a refused replication command.

    `doing` reads like «create replication slot x»; `facts` and `needs` are None where the server could not
    be asked any more.
    """
    message = f"cannot {doing}: {first_line(exc)}"
    if isinstance(exc, pg.ObjectInUse):
        return SlotInUse(message)
    if isinstance(exc, pg.UndefinedObject):
        return SlotLost(f"replication slot {slot} does not exist")
    if isinstance(exc, pg.DuplicateObject):
        return SlotError(message)
    if isinstance(exc, pg.LockNotAvailable | pg.QueryCanceled):
        return too_slow(doing)
    if facts is not None and facts.is_lost and isinstance(exc, pg.ObjectNotInPrerequisiteState):
        return SlotLost(f"replication slot {slot} was invalidated by the server: {facts.invalidation_reason}")
    return _missing(exc, message, needs, plugin) or StreamError(message)


def too_slow(doing: str) -> SlotError:
    return SlotError(
        f"cannot {doing} in time: it waits for every transaction that is open now",
        hint="end the oldest one, or wait for it: SELECT pid, usename, xact_start, query FROM pg_stat_activity"
        " WHERE backend_xid IS NOT NULL ORDER BY xact_start;",
    )


def refused_login(exc: psycopg.Error, needs: Requirements) -> PggitDaemonError:
    """Return our error for a replication login that failed where an ordinary one works."""
    if not needs.may_replicate:
        return _no_right(needs)
    if needs.wal_senders >= needs.max_wal_senders:
        return _no_sender(needs)
    return StreamError(f"the server refuses a replication connection: {first_line(exc)}")


def first_line(exc: BaseException) -> str:
    """Return the server's own message without the lines of context that follow it."""
    return (str(exc).strip() or type(exc).__name__).splitlines()[0]


def _missing(
    exc: psycopg.Error, message: str, needs: Requirements | None, plugin: str | None
) -> PrerequisiteError | None:
    """Return what the server or the role lacks, None when nothing is known to be missing."""
    lacks: PrerequisiteError | None = None
    if isinstance(exc, pg.UndefinedFile):
        package = f"postgresql-{needs.major_version if needs else 'NN'}-wal2json"
        lacks = PluginRefused(
            f"{message} (the server has no output plugin {plugin})",
            hint=f"install it on the server; wal2json on Debian and Ubuntu: apt-get install {package}",
        )
    elif needs is None:
        lacks = None
    elif isinstance(exc, pg.InsufficientPrivilege) and not needs.may_replicate:
        lacks = _no_right(needs)
    elif isinstance(exc, pg.InsufficientPrivilege):
        # A role that may replicate is refused for the plugin only, also where it may not see the server's list.
        lacks = _not_allowed(message, needs.plugin_libraries, plugin)
    elif isinstance(exc, pg.ObjectNotInPrerequisiteState) and needs.wal_level != "logical":
        lacks = PrerequisiteError(NOT_LOGICAL.format(needs.wal_level), hint=SET_LOGICAL)
    elif isinstance(exc, pg.ConfigurationLimitExceeded):
        lacks = _no_slot(needs)
    elif isinstance(exc, pg.TooManyConnections):
        lacks = _no_sender(needs)
    return lacks


def _no_slot(needs: Requirements) -> PrerequisiteError:
    return PrerequisiteError(
        f"all {needs.max_replication_slots} replication slots of the server are taken",
        hint=f"ALTER SYSTEM SET max_replication_slots = {needs.max_replication_slots + 5}; and restart the server;"
        " or drop a slot that nobody needs, see pg_replication_slots",
    )


def plugins_of(setting: str) -> list[str]:
    """Return the names in output_plugin_libraries."""
    return [name.strip().strip('"') for name in setting.split(",") if name.strip()]


def allow_plugin(setting: str | None, plugin: str) -> str:
    """Return the statement that adds a plugin to output_plugin_libraries; None: what it holds now is not known."""
    # In one pair of quotes the whole list would be a single name, and every plugin refused.
    wanted = dict.fromkeys([*(plugins_of(setting or "") or USUAL_PLUGINS), plugin])
    names = ", ".join(name if name.isidentifier() else Identifier(name).as_string() for name in wanted)
    return f"ALTER SYSTEM SET output_plugin_libraries = {names}; SELECT pg_reload_conf();"


def _not_allowed(message: str, allowed: str | None, plugin: str | None) -> PrerequisiteError:
    listed = "output_plugin_libraries lacks it" if allowed is None else f"output_plugin_libraries = {allowed}"
    return PluginRefused(f"{message} ({listed})", hint=allow_plugin(allowed, plugin or "wal2json"))


def _no_right(needs: Requirements) -> PrerequisiteError:
    return PrerequisiteError(
        f"the role {needs.role_name} may not replicate",
        hint=f"ALTER ROLE {Identifier(needs.role_name).as_string()} REPLICATION;",
    )


def _no_sender(needs: Requirements) -> PrerequisiteError:
    return PrerequisiteError(
        f"all {needs.max_wal_senders} WAL senders of the server are taken",
        hint=f"ALTER SYSTEM SET max_wal_senders = {needs.max_wal_senders + 5}; and restart the server",
    )
