"""A history run by its own tool, stopped where somebody wants to look.

In: a database, the history's name, and the numbers (from 1) of the migrations after which to look. Out: the names of
the migrations, one after the other; after those the tool waits with the next one until it is asked for. Used by the
tests of the oracle.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from sandbox.histories import fetch
from sandbox.jars import ToolFailed

HERE = Path(__file__).resolve().parent
POINT = "point "


def django(dsn: str, looks: frozenset[int]) -> Iterator[str]:
    """Django's contributed applications, an OAuth server, and others, by `migrate`."""
    return _run(dsn, looks, [fetch.python(), HERE / "django_history.py"], HERE)


def ckan(dsn: str, looks: frozenset[int]) -> Iterator[str]:
    """CKAN's history since 2006, by Alembic."""
    return _run(dsn, looks, [fetch.python(), HERE / "alembic_history.py"], HERE)


def unleash(dsn: str, looks: frozenset[int]) -> Iterator[str]:
    """Unleash's history since 2014, by db-migrate."""
    return _run(dsn, looks, ["node", HERE / "db_migrate_history.cjs"], fetch.node())


def procrastinate() -> list[tuple[str, str]]:
    """Name and text of procrastinate's migrations, plain SQL that one runs with psql."""
    folder = fetch.packages() / "procrastinate" / "sql" / "migrations"
    return [(file.name, file.read_text()) for file in sorted(folder.glob("*.sql"))]


def _run(dsn: str, looks: frozenset[int], command: list[str | Path], folder: Path) -> Iterator[str]:
    parts = conninfo_to_dict(dsn)
    environment = {
        **os.environ,
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGUSER": str(parts["user"]),
        "PGDATABASE": str(parts["dbname"]),
        "LOOKS": ",".join(map(str, sorted(looks))),
    }
    with tempfile.TemporaryFile("w+") as errors:
        tool = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert tool.stdin is not None
        assert tool.stdout is not None
        try:
            number = 0
            for line in tool.stdout:
                if line.startswith(POINT):
                    number += 1
                    yield line.removeprefix(POINT).strip()
                    if number in looks:
                        tool.stdin.write("\n")
                        tool.stdin.flush()
            if tool.wait() != 0:
                errors.seek(0)
                raise ToolFailed(f"the history broke off with {tool.returncode}:\n{errors.read()[-4000:]}")
        finally:
            tool.kill()
            tool.wait()
            tool.stdin.close()
            tool.stdout.close()
