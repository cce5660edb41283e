"""Runs the scripts of `kinds/` on a server, with the event triggers on, and keeps what came of each statement.

In: the kinds of one script. Out: for each step the complaints (none: all as promised).
Called by `test_kinds.py`; a database is run once, however many tests ask for its cells.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from pggit_daemon.install import install
from sandbox.servers import find_server
from tests.integration.capture_support import Captured, apply
from tests.integration.describe_oracle import OWN_WORDS, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from sandbox.databases import Databases
    from tests.integration.capture_support import Event
    from tests.integration.kind_table import Kind, Step

ROLES = ("kinds_reader", "kinds_writer")
ICU_DATABASES = 150000  # the first version that has them
# What the server calls a thing that it dropped, where that is not the type of our key.
SERVERS_WORD = {"domain": "type"}
CATALOG = """
    SELECT jsonb_build_object('type', s.type, 'identity', s.identity, 'definition', s.definition, 'later', s.later,
                              'depends', s.depends, 'classid', s.classid::bigint, 'objid', s.objid::bigint)
      FROM pggit_daemon.snapshot() s
"""


@dataclass
class Complaints:
    """What was not as promised in one script, by the id of the step in this process."""

    of_step: dict[int, list[str]] = field(default_factory=dict)

    def of(self, kind: Kind, verb: str) -> list[str]:
        return [line for step in kind.cell(verb) for line in self.of_step[id(step)]]

    def preparing(self, kinds: list[Kind]) -> list[str]:
        return [line for kind in kinds for step in kind.steps if not step.verb for line in self.of_step[id(step)]]


def run_kinds(dsn: str, kinds: list[Kind]) -> Complaints:
    """Run all steps in their order."""
    said = Complaints()
    session = _Session(dsn)
    try:
        for kind in kinds:
            for step in kind.steps:
                said.of_step[id(step)] = list(session.step(step))
    finally:
        session.captured.close()
    return said


class _Session:
    def __init__(self, dsn: str) -> None:
        self.captured = Captured(dsn)
        self.version = self.captured.conn.info.server_version // 10_000
        # What the daemon starts with: the database as it was created.
        self.tree = self.catalog()

    def step(self, step: Step) -> Iterator[str]:
        for statement in step.statements:
            yield from (f"{statement}: {word}" for word in self._statement(step, statement))

    def _statement(self, step: Step, statement: str) -> Iterator[str]:
        try:
            self.captured.conn.execute(statement.encode())
        except psycopg.Error as error:
            if step.since <= self.version:
                yield str(error)
            return
        if step.since > self.version:
            yield f"this server knows it, although it is older than {step.since}"
        events = self.captured.events()
        for event in events:
            apply(list(event.objects), self.tree)
        yield from (event.failure for event in events if event.failure)
        if step.verb:
            yield from self._broken_promises(step, events)
        if step.how == "unseen":
            self.tree = self.catalog()  # as the daemon does, by comparing

    def _broken_promises(self, step: Step, events: list[Event]) -> Iterator[str]:
        differing = self.differing()
        if step.how == "unseen":
            if events or step.key not in differing:
                yield f"{differing} differ, and {len(events)} events"
            return
        yield from _unsaid(step, events)
        yield from (f"differs from the catalog: {key}" for key in differing)

    def catalog(self) -> dict[str, dict[str, Any]]:
        """Every object as the catalog has it now, in the form of an event's elements."""
        rows = self.captured.conn.execute(CATALOG).fetchall()
        return {f"{o['type']} {o['identity']}": o for (o,) in rows}

    def differing(self) -> list[str]:
        """The keys at which all events so far and the catalog differ."""
        now = {key: _told(o) for key, o in self.catalog().items()}
        told = {key: _told(o) for key, o in self.tree.items()}
        return sorted(key for key in told.keys() | now.keys() if told.get(key) != now.get(key))


def _told(element: Mapping[str, Any]) -> list[Any]:
    return [element[name] for name in ("definition", "later", "depends", "classid", "objid")]


def _unsaid(step: Step, events: list[Event]) -> Iterator[str]:
    """What the step promises and the events do not say."""
    said = {
        (o["op"], _plain(f"{o.get('type')} {o.get('identity')}"), o["direct"])
        for event in events
        for o in event.objects
    }
    if step.how == "drop" or (step.verb == "dropped" and not step.how and not step.named):
        if not {("drop", _servers_words(step.key), True), ("drop", _servers_words(step.key), False)} & said:
            yield f"no drop of {step.key}: {said}"
    elif step.named is not None:
        if ("set", step.named, True) not in said:
            yield f"no set of {step.named}: {said}"
        if not any(key == step.key and op in ("set", "drop") for op, key, _ in said):
            yield f"nothing of {step.key}: {said}"
    elif ("set", step.key, step.how != "indirect") not in said:
        yield f"no set of {step.key}: {said}"


def _plain(key: str) -> str:
    """A transform's key as newer servers write it; older ones have an `on` in it."""
    return key.replace(" on language ", " language ") if key.startswith("transform ") else key


def _servers_words(key: str) -> str:
    kind, _, identity = key.partition(" ")
    return f"{SERVERS_WORD.get(kind, kind)} {identity}"


def restored_copy(cluster: Databases, original: str, copy: str) -> None:
    """Restore the export of one database into another one that is empty, then install what the original has.

    The copy has another locale, with other rules for upper and lower case and for sorting: nothing may depend on it.
    """
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        turkish = "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR'" if conn.info.server_version >= ICU_DATABASES else ""
        conn.execute(f"CREATE DATABASE {copy} TEMPLATE template0 {turkish}".encode())
    Side(cluster.dsn(copy)).restore(Side(original).export())
    with psycopg.connect(cluster.dsn(copy)) as conn:
        install(conn)


def whole_dump(dsn: str) -> str:
    """What pg_dump says of all but our own schemas; no line is left out but the versions and the random key."""
    command = [str(find_server() / "pg_dump"), "--schema-only", "-N", "pggit", "-N", "pggit_daemon", "-d", dsn]
    text = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    return "\n".join(line for line in text.split("\n") if not line.startswith(OWN_WORDS))


@contextmanager
def roles(cluster: Databases) -> Iterator[None]:
    """The roles that the scripts name, while their databases are there."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        for role in ROLES:
            conn.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        yield
        for role in ROLES:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def drop_subscriptions(dsn: str) -> None:
    """A database with subscriptions cannot be dropped; these have no slot to drop with them."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for (name,) in conn.execute(
            "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
            " WHERE d.datname = current_database()",
        ).fetchall():
            conn.execute(sql.SQL("ALTER SUBSCRIPTION {} SET (slot_name = NONE)").format(sql.Identifier(name)))
            conn.execute(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(name)))
