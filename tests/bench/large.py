"""What is far too large, through the whole daemon: `python -m tests.bench.large`.

A logical message that any role may send, a function with such a body, and a history row with such a text, of 200 MB
each. Out: the daemon's peak of memory, whether it is the same process still, how long until it has caught up, and
whether what came after was recorded.
"""

# ruff: noqa: T201 - a bench prints its figures
from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psycopg

from pggit_daemon.decode.plugins import PLUGINS
from pggit_daemon.install import install
from sandbox.cluster import Cluster
from sandbox.daemon import Daemon
from tests.bench.backlog import peak

MEGABYTES = 200
CAUGHT_UP = 600  # seconds
STATEMENTS = {
    "message": "SELECT pg_logical_emit_message(false, 'anybody', repeat('x', {size}))",
    "definition": "DO $do$ BEGIN EXECUTE 'CREATE FUNCTION large() RETURNS int LANGUAGE sql AS $$ SELECT 1 /* '"
    " || repeat('x', {size}) || ' */ $$'; END $do$",
    "history row": "INSERT INTO public.applied VALUES (1, repeat('x', {size}))",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--megabytes", type=int, default=MEGABYTES)
    arguments.add_argument("--plugin", choices=PLUGINS, help="only this one")
    chosen = arguments.parse_args()
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        for plugin in (chosen.plugin,) if chosen.plugin else PLUGINS:
            for what, statement in STATEMENTS.items():
                name = f"{plugin}_{what.replace(' ', '_')}"
                print(f"{plugin}, a {what} of {chosen.megabytes} MB: ", end="", flush=True)
                large = statement.format(size=chosen.megabytes << 20)
                print(_through(cluster, Path(folder), plugin, name, large), "(aim: at most 150 MB)", flush=True)
                cluster.drop_database(name)


def _through(cluster: Cluster, folder: Path, plugin: str, name: str, statement: str) -> str:
    cluster.create_database(name)
    dsn = cluster.dsn(name)
    with psycopg.connect(dsn) as conn:
        install(conn)
        conn.execute("CREATE TABLE public.applied (id int PRIMARY KEY, script text)")
    config = folder / f"{name}.toml"
    source = '[[database.source]]\nname = "applied"\ntable = "public.applied"\ncolumns = { id = "id" }\n'
    database = f'name = "{name}"\ndsn = "{dsn}"\nslot = "{name}"\nplugin = "{plugin}"\n'
    config.write_text(f"[[database]]\n{database}{source}")
    with Daemon(dsn, folder, ["--config", str(config)], name=name, cold=True) as daemon:
        daemon.wait_caught_up()
        before, idle = daemon.pid, peak(daemon.pid)
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(statement.encode())
            began = time.perf_counter()
            conn.execute("CREATE TABLE public.after_it (id int)")
            daemon.wait_caught_up(CAUGHT_UP)
            seconds = time.perf_counter() - began
            seen = conn.execute(
                "SELECT count(*) FROM pggit_daemon.object_version WHERE identity = 'public.after_it'"
            ).fetchone()
        lives = "the daemon lives" if daemon.pid == before else "THE DAEMON DIED"
        recorded = "what came after it is recorded" if seen and seen[0] else "WHAT CAME AFTER IT IS MISSING"
        return f"peak {peak(daemon.pid):.0f} MB ({idle:.0f} before), {lives}, {recorded}, in {seconds:.1f} s"


if __name__ == "__main__":
    main()
