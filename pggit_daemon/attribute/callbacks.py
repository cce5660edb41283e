"""A tool's callbacks: DDL of its own, on a connection of its own, under no lock.

In: a transaction that no source may claim, and the sessions that were connected beside its own and look the same.
Out: the tools it may belong to; it does once one of those siblings is known as the tool's at work. Pure.

Flyway runs beforeMigrate, afterMigrate and the like each on a new connection, while its main connection stays. That
connection is known by the lock that it held, or will hold a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from pggit_daemon.attribute.claims import Seen
from pggit_daemon.attribute.search_path import first_schema
from pggit_daemon.tools.source import Source

GRACE = timedelta(seconds=5)
"""How long such a transaction waits for its sibling to show itself, in the stream's own time."""


def possible_callback(seen: Seen, sources: Iterable[Source]) -> frozenset[str]:
    """The sources whose callback this may be: their usual program, in their schema."""
    session = seen.session
    # The tool sets it on every connection; an application of the same driver, user and address has its own.
    path = first_schema(seen.search_path) if seen.search_path is not None else None
    return frozenset(
        source.name
        for source in sources
        if source.preset.session.callbacks
        and source.preset.session.usual_application_name == session.profile.application_name
        and not source.preset.session.rule_out(session)
        and path in {None, source.table.schema}
    )
