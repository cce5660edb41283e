"""`make demo`: a private server, the real daemon, real Flyway, real Liquibase, a custom table, and a hand at psql.

In: nothing. Out: tables of what was recorded, and 0 only if every link is right. Takes well under a minute once
everything is set up, and leaves nothing behind.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import psycopg
from rich.console import Console

from sandbox import report, story
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon, pggit
from sandbox.flyway import Flyway
from sandbox.jars import ToolMissing, ToolRun
from sandbox.liquibase import Liquibase

console = Console(width=None if sys.stdout.isatty() else 130)


@dataclass(frozen=True)
class Demo:
    """A server with an initialised database, a folder for scripts, and which tools there are."""

    cluster: Cluster
    dsn: str
    folder: Path

    def hand(self, statement: str) -> None:
        """Run a statement as somebody would by hand: in psql, under a name of their own."""
        ada = self.cluster.dsn("shop", "ada")
        command = [str(self.cluster.bin / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", ada, "-c", statement]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Run it all."""
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        cluster.create_database("shop")
        demo = Demo(cluster, cluster.dsn("shop"), Path(folder))
        _step("pggit-daemon init: once, as a superuser")
        done = pggit("init", "--dsn", demo.dsn, cold=True)
        if done.returncode:
            console.print(done.stdout + done.stderr)
            return 1
        with psycopg.connect(demo.dsn, autocommit=True) as conn:
            conn.execute("CREATE ROLE ada LOGIN SUPERUSER")
        config = demo.folder / "config.toml"
        config.write_text(story.configuration(demo.dsn))
        _step("pggit-daemon run: makes its slot and the baseline, then follows the WAL")
        with Daemon(demo.dsn, demo.folder, ["--config", str(config)], cold=True) as daemon:
            missing = _act(demo)
            daemon.wait_caught_up()
            return report.show(console, demo.dsn, daemon.page("/metrics")[1], missing)


def _act(demo: Demo) -> frozenset[str]:
    """Let everybody work; return the sources whose tool is missing here."""
    scripts, changelog = story.write_scripts(demo.folder)
    missing = set()
    for schema in ("audit", "ops"):
        demo.hand(f"CREATE SCHEMA {schema}")
    demo.hand(story.CUSTOM_TABLE)
    beside = threading.Thread(target=demo.hand, args=(story.BY_HAND[0],))
    beside.start()
    try:
        _step("Flyway makes and migrates schema shop, while somebody creates a table by hand")
        _ran(Flyway(demo.dsn, scripts, schema="shop", resident=False).migrate())
        _step("Liquibase updates schema audit")
        _ran(Liquibase(demo.dsn, changelog, schema="audit", resident=False).update())
    except ToolMissing as exc:
        console.print(f"[yellow]{exc}: the demo goes on without Flyway and Liquibase[/]")
        missing |= {story.FLYWAY, story.LIQUIBASE}
        demo.hand("CREATE SCHEMA shop CREATE TABLE orders (id bigint)")
    beside.join()
    _step("a script of our own writes its own table, DDL and row in one transaction")
    for number, (title, statement) in story.CUSTOM_MIGRATIONS.items():
        with psycopg.connect(demo.dsn, application_name="deploy.py") as conn:
            conn.execute(statement)
            conn.execute("INSERT INTO ops.applied (version, title) VALUES (%s, %s)", [number, title])
    _step("somebody changes the schema by hand")
    for statement in story.BY_HAND[1:]:
        demo.hand(statement)
    return frozenset(missing)


def _ran(run: ToolRun) -> None:
    run.check()


def _step(text: str) -> None:
    console.print(f"[bold cyan]▶[/] {text}")


if __name__ == "__main__":
    sys.exit(main())
