"""A tool's callbacks: DDL of its own, on a connection of its own, under no lock.

In: a transaction that no source may claim, and the sessions that were connected beside its own and look the
same. Out: the tool it belongs to, once one of those sisters is known as the tool's; none after a short wait. Pure.

Flyway runs beforeMigrate, afterMigrate and the like each on a new connection, while its main connection stays. That
connection is known by the lock that it held, or will hold a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from pggit_daemon.attribute.claims import first_schema
from pggit_daemon.attribute.pending import Pending
from pggit_daemon.model.meaning import Claims
from pggit_daemon.model.session import SessionKey
from pggit_daemon.tools.source import Source

GRACE = timedelta(seconds=5)
"""How long such a transaction waits for its sister to show herself, in the stream's own time."""


def possible_kin(pending: Pending, sources: Iterable[Source]) -> frozenset[str]:
    """The sources whose callback this may be: their usual program, with sisters connected."""
    session = pending.session
    if session is None or not sisters(pending):
        return frozenset()
    told = next((event.search_path for event in pending.unit.events if event.search_path is not None), None)
    # The tool sets it on every connection; an application of the same driver, user and address has its own.
    path = first_schema(told) if told is not None else None
    return frozenset(
        source.name
        for source in sources
        if source.preset.claims is Claims.LOCK
        and source.preset.session.usual_application_name == session.profile.application_name
        and not source.preset.session.rule_out(session)
        and path in {None, source.table.schema}
    )


def sisters(pending: Pending) -> frozenset[SessionKey]:
    """The sessions that were connected beside the transaction's own, under the same name, from the same place."""
    return frozenset(key for event in pending.unit.events for key in event.sisters)


def recognise(pending: Pending, known: Mapping[str, frozenset[SessionKey]]) -> None:
    """Make it the tool's whose session (`known`, by source) was among the sisters."""
    for source in sorted(pending.kin):
        if sisters(pending) & known.get(source, frozenset()):
            pending.known_tool, pending.kin = source, frozenset()
            return
