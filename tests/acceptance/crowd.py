"""Many at work in one database at once: real tools, and hands beside them. The truth stands in the names.

In: a database, and who shall take part. Out: nothing but the changes themselves; every object's name says who made it
and in which migration. Called by the tests of links, of equal histories and of kills.
"""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from sandbox.flyway import Flyway
from sandbox.liquibase import Liquibase
from tests.acceptance.recorded import Commit, Migration, commits, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sandbox.jars import ToolRun

GATE = 4242
"""The advisory lock at which the first migration of each tool waits until all of them are there."""

GATE_TIMEOUT = 240.0  # seconds; some Java processes start, each several seconds of a processor that others use too
JDBC = "PostgreSQL JDBC Driver"


@dataclass(frozen=True, slots=True)
class Hand:
    """A session that changes the schema itself: `prefix` begins the names of what it makes."""

    prefix: str
    application_name: str


def flyway_scripts(folder: Path, schema: str, count: int, pause: float) -> Path:
    """Write `count` migrations of three statements each; the objects of migration 7 are named after it."""
    folder.mkdir()
    for number in range(1, count + 1):
        gate = f"SELECT pg_advisory_xact_lock_shared({GATE});\n" if number == 1 else ""
        (folder / f"V{number}__step_{number}.sql").write_text(
            f"{gate}CREATE TABLE {schema}.m{number:02}_a (id int PRIMARY KEY);\n"
            f"SELECT pg_sleep({pause});\n"
            f"CREATE VIEW {schema}.m{number:02}_b AS SELECT id FROM {schema}.m{number:02}_a;\n"
            f"ALTER TABLE {schema}.m{number:02}_a ADD note text;\n"
        )
    return folder


def liquibase_changelog(file: Path, schema: str, count: int, pause: float) -> Path:
    """Write `count` changesets of two statements each."""
    lines = ["--liquibase formatted sql"]
    for number in range(1, count + 1):
        gate = [f"SELECT pg_advisory_xact_lock_shared({GATE});"] if number == 1 else []
        lines += [
            f"--changeset ada:{number}",
            *gate,
            f"CREATE TABLE {schema}.m{number:02}_a (id int PRIMARY KEY);",
            f"SELECT pg_sleep({pause});",
            f"CREATE INDEX m{number:02}_b ON {schema}.m{number:02}_a (id);",
        ]
    file.write_text("\n".join(lines) + "\n")
    return file


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who takes part. `statements` is how many each hand runs; `pause` stretches the migrations (seconds)."""

    dsn: str
    folder: Path
    flyways: tuple[str, ...] = ("one",)
    liquibases: tuple[str, ...] = ()
    hands: tuple[Hand, ...] = ()
    count: int = 20
    statements: int = 20
    pause: float = 0.03

    def prepare(self) -> None:
        """Make the schemas of Liquibase and the hands; Flyway makes its own."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for schema in (*self.liquibases, *(hand.prefix for hand in self.hands)):
                conn.execute(f"CREATE SCHEMA {schema}".encode())

    def run(self, config: Mapping[str, str] | None = None, *, beside: Callable[[], None] | None = None) -> None:
        """Run all at once and wait for all. `config` is for the Flyways; `beside` is called in a loop meanwhile."""
        with ThreadPoolExecutor(max_workers=16) as pool, self._gate() as opened:
            tools = [pool.submit(self._flyway, schema, config or {}) for schema in self.flyways]
            tools += [pool.submit(self._liquibase, schema) for schema in self.liquibases]
            self._wait_at_gate(tools)
            opened.set()
            hands = [pool.submit(self._work, hand) for hand in self.hands]
            while beside is not None and any(not one.done() for one in tools):
                beside()
            for hand in hands:
                hand.result()
            for tool in tools:
                tool.result().check()

    @contextmanager
    def _gate(self) -> Iterator[threading.Event]:
        opened = threading.Event()

        def hold() -> None:
            with psycopg.connect(self.dsn) as conn:
                conn.execute("SELECT pg_advisory_xact_lock(%s)", [GATE])
                held.set()
                opened.wait(GATE_TIMEOUT)

        held = threading.Event()
        keeper = threading.Thread(target=hold)
        keeper.start()
        held.wait(GATE_TIMEOUT)
        try:
            yield opened
        finally:
            opened.set()
            keeper.join()

    def _wait_at_gate(self, tools: list[Future[ToolRun]]) -> None:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        deadline = time.monotonic() + GATE_TIMEOUT
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while conn.execute(waiting, [GATE]).fetchone() != (len(tools),):
                for tool in tools:
                    if tool.done():
                        raise AssertionError(f"a tool ended before it came to the gate:\n{tool.result().output}")
                assert time.monotonic() < deadline, "the tools did not come to the gate"
                time.sleep(0.01)

    def _flyway(self, schema: str, config: Mapping[str, str]) -> ToolRun:
        scripts = flyway_scripts(self.folder / f"flyway_{schema}", schema, self.count, self.pause)
        return Flyway(self.dsn, scripts, schema=schema).migrate(**config)

    def _liquibase(self, schema: str) -> ToolRun:
        changelog = liquibase_changelog(self.folder / f"{schema}.sql", schema, self.count, self.pause)
        return Liquibase(self.dsn, changelog, schema=schema).update()

    def _work(self, hand: Hand) -> None:
        """Each statement commits by itself, a little slower than the migrations, so that all stand among them."""
        dsn = make_conninfo(self.dsn, application_name=hand.application_name)
        with psycopg.connect(dsn, autocommit=True) as conn:
            for number in range(self.statements):
                conn.execute(f"CREATE TABLE {hand.prefix}.h{number:02} (id int)".encode())
                time.sleep(self.pause * 1.3 * self.count / max(1, self.statements))


# ------------------------------------------------------------------ was it recorded as it was?


def wrong_links(crowd: Crowd) -> list[str]:
    """Every link that is not what the names say; empty when all is right and complete."""
    chain = commits(crowd.dsn)
    by_id = {commit.id: commit for commit in chain}
    found = migrations(crowd.dsn)
    wrong = [f"unlinked: {one}" for one in found if one.commit_id is None]
    for schema in (*crowd.flyways, *crowd.liquibases):
        mine = [one for one in found if one.source.startswith(f"{schema}.") and one.status == "applied"]
        if len(mine) != crowd.count:
            wrong.append(f"{schema}: {len(mine)} migrations, not {crowd.count}")
        wrong += [
            f"{one.source} {one.version} has {one.changed}"
            for one in mine
            if one.commit_id is not None and _makers(one.changed) != {f"{schema} {_number(one):02}"}
        ]
        wrong += [f"{one}" for one in mine if one.commit_id is not None and by_id[one.commit_id].kind != "migration"]
    for hand in crowd.hands:
        made = [commit for commit in chain if any(f" {hand.prefix}.h" in name for name in commit.changed)]
        wrong += [
            f"{hand}: {commit}"
            for commit in made
            if commit.kind != "out_of_band"
            or len(commit.changed) != 1
            or commit.author != "postgres"
            or commit.metadata["session"]["application_name"] != hand.application_name
        ]
        if len(made) != crowd.statements:
            wrong.append(f"{hand}: {len(made)} commits, not {crowd.statements}")
    strangers = [commit for commit in chain if commit.kind == "out_of_band" and not _by_hand(crowd, commit)]
    return wrong + [f"out of band, but nobody's: {commit}" for commit in strangers]


def _number(migration: Migration) -> int:
    """The migration's number: Flyway's version, or the id of Liquibase's `file::id::author`."""
    parts = (migration.version or "").split("::")
    return int(parts[1] if len(parts) > 1 else parts[0])


def _makers(changed: Iterable[str]) -> set[str]:
    """Who made these objects, as their names say: {"one 07"}."""
    found = set()
    for name in changed:
        match = re.search(r"(?:^| )(\w+)\.m(\d\d)_[ab]", name) or re.search(r" on (\w+)\.m(\d\d)_", name)
        found.add(f"{match[1]} {match[2]}" if match else name)
    return found


def _by_hand(crowd: Crowd, commit: Commit) -> bool:
    return any(f" {hand.prefix}" in name for hand in crowd.hands for name in commit.changed) or any(
        name in {f"schema {schema}" for schema in crowd.liquibases} for name in commit.changed
    )
