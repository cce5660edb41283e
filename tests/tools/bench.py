"""Many tools at once, each on a database of its own, under one daemon that runs as the documented role.

In: a server, names of tools, a mode. Out: a verdict for each.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sandbox.daemon import OPEN, Daemon, pggit
from sandbox.databases import Databases
from sandbox.jars import ToolFailed, ToolMissing
from sandbox.tools import TOOLS, Project
from tests.tools.hands import OTHERS, hands
from tests.tools.story import Story, Telling
from tests.tools.verdict import Verdict, judge

ROLE = "tools_daemon"
TEMPLATE = "tools_template"
GRACE = 4.0  # seconds
WORKERS = 2
DECIDED_TIMEOUT = 120.0  # seconds; a loaded machine
COMPARED = 3.0  # seconds in which a table is compared whose changes the stream does not show
READY_TIMEOUT = 300.0  # seconds for the baselines of all databases
METRICS = 60.0  # seconds between readings, which nobody asks for here: each costs 50 ms where the databases are many


Tell = Callable[[Project, list[str]], Telling]
"""Makes the story of a project, which puts what the tool says into the list."""


class Mode(StrEnum):
    """Nothing configured; hands beside it; the history table integrated, and hands beside it."""

    NONE = "none"
    HANDS = "hands"
    INTEGRATED = "integrated"


@dataclass(frozen=True, slots=True)
class Done:
    """`told` is what the tool printed; `missing` says why it could not be had, `failure` what it did wrong."""

    tool: str
    mode: Mode
    verdict: Verdict
    told: str
    failure: str | None = None
    missing: str | None = None

    @property
    def ok(self) -> bool:
        return self.failure is None and self.missing is None and not self.verdict.wrong


class Bench:
    """One daemon for the databases of all tools; `plugin` is the output plugin of its slots.

    `reading`: the hands beside a tool also look at its history table. Where that is integrated they always do.
    """

    def __init__(self, cluster: Databases, folder: Path, plugin: str = "auto", *, reading: bool = False) -> None:
        self.cluster = cluster
        self.folder = folder
        self.plugin = plugin
        self.reading = reading
        self.missing: dict[str, str] = {}
        self._prepare()

    def _prepare(self) -> None:
        with psycopg.connect(self.cluster.dsn(), autocommit=True) as conn:
            for role, options in (("ada", "LOGIN SUPERUSER"), ("deploy", "LOGIN CREATEROLE")):
                if not conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchall():
                    conn.execute(f"CREATE ROLE {role} {options}".encode())
        self.cluster.create_database(TEMPLATE)
        dsn = self.cluster.dsn(TEMPLATE)
        done = pggit("init", "--dsn", dsn, "--role", ROLE, "--read-all-data")
        assert done.returncode == 0, done.stderr
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("ALTER SCHEMA public OWNER TO deploy")
            conn.execute("CREATE SCHEMA ops AUTHORIZATION deploy")

    def run(
        self, names: list[str], mode: Mode, *, short: bool = False, telling: Callable[..., Telling] = Story
    ) -> list[Done]:
        """Put the tools through their story, each in a new database."""
        databases = {name: f"{re.sub('[^a-z]+', '_', name)}_{mode.value}" for name in names}
        for name, database in databases.items():
            self._create(database, TEMPLATE)
            if TOOLS[name].shadow:
                self._create(f"{database}_shadow")
        with self._daemon(databases.values()) as daemon, ThreadPoolExecutor(WORKERS) as pool:
            tell = partial(telling, short=short)
            running = [pool.submit(self._one, name, database, mode, tell) for name, database in databases.items()]
            stories = [one.result() for one in running]
            for database in databases.values():
                self._wait(daemon, database)
        return [
            Done(name, mode, judge(self.cluster.dsn(databases[name]), TOOLS[name]), "\n".join(told), failure, missing)
            for name, (told, failure, missing) in zip(names, stories, strict=True)
        ]

    def _create(self, database: str, template: str | None = None) -> None:
        self.cluster.create_database(database, template)
        with psycopg.connect(self.cluster.dsn(), autocommit=True) as conn:
            conn.execute(sql.SQL("ALTER DATABASE {} OWNER TO deploy").format(sql.Identifier(database)))

    @contextmanager
    def _daemon(self, databases: Iterable[str]) -> Iterator[Daemon]:
        sections = "".join(
            f'[[database]]\nname = "{name}"\ndsn = "{self.cluster.dsn(name, ROLE)}"\nslot = "{name}"\n'
            f'plugin = "{self.plugin}"\ngrace_seconds = {GRACE}\nmetrics_interval_seconds = {METRICS}\n\n'
            for name in databases
        )
        config = self.folder / "config.toml"
        config.write_text(sections)
        daemon = Daemon(self.cluster.dsn(), self.folder, ["--config", str(config)])
        daemon.start()
        try:
            daemon.wait_ready(READY_TIMEOUT)
            yield daemon
        finally:
            daemon.kill()

    def _one(self, name: str, database: str, mode: Mode, tell: Tell) -> tuple[list[str], str | None, str | None]:
        kind = TOOLS[name]
        looks = (*OTHERS, ("deploy", kind.application_name))
        dsn = self.cluster.dsn(database)
        told: list[str] = []
        failure = None
        if name in self.missing:  # to try again may take as long as a build
            return told, failure, self.missing[name]
        try:
            project = kind(self.cluster.dsn(database, "deploy"), self.folder / database)
            story = tell(project, told)
            if mode is Mode.INTEGRATED:
                with ExitStack() as beside:
                    story.between = partial(_integrate, dsn, project.history, beside, looks)
                    story.run()
            else:
                with hands(dsn, looks if mode is Mode.HANDS else (), project.history if self.reading else None):
                    story.run()
        except ToolMissing as exc:
            self.missing[name] = str(exc)
        except (ToolFailed, psycopg.Error) as exc:
            failure = f"{type(exc).__name__}: {exc}"
        return told, failure, self.missing.get(name)

    def _wait(self, daemon: Daemon, database: str) -> None:
        dsn = make_conninfo(self.cluster.dsn(database))
        with psycopg.connect(dsn, autocommit=True) as conn:
            (target,) = conn.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or ("",)
            conn.execute("SELECT pggit_daemon.ping('', true)")
            slot = "SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s"
            daemon.wait_for(
                lambda: conn.execute(slot, [target, database]).fetchone() == (True,), f"at {target}", DECIDED_TIMEOUT
            )
            daemon.wait_for(lambda: conn.execute(OPEN).fetchone() == (0,), f"sure in {database}", DECIDED_TIMEOUT)
        if self.plugin == "pgoutput":
            time.sleep(COMPARED)


def _integrate(dsn: str, history: str, beside: ExitStack, looks: Sequence[tuple[str, str]]) -> None:
    """Integrate the history table, which the first run has made; then the hands come."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SELECT pggit.integrate(%s)", [history])
    beside.enter_context(hands(dsn, looks, history))
