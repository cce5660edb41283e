"""A history run by its own tool, stopped after each migration.

In: a database and the history's name. Out: the names of the migrations, one after the other; the tool waits with the
next one until it is asked for. Used by the tests of the oracle.
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


def django(dsn: str) -> Iterator[str]:
    """Django's contributed applications, an OAuth server, and others, by `migrate`."""
    return _run(dsn, [fetch.python(), HERE / "django_history.py"], HERE)


def ckan(dsn: str) -> Iterator[str]:
    """CKAN's history since 2006, by Alembic."""
    return _run(dsn, [fetch.python(), HERE / "alembic_history.py"], HERE)


def unleash(dsn: str) -> Iterator[str]:
    """Unleash's history since 2014, by db-migrate."""
    return _run(dsn, ["node", HERE / "db_migrate_history.cjs"], fetch.node())


def procrastinate() -> list[tuple[str, str]]:
    """Name and text of procrastinate's migrations, plain SQL that one runs with psql."""
    folder = fetch.packages() / "procrastinate" / "sql" / "migrations"
    return [(file.name, file.read_text()) for file in sorted(folder.glob("*.sql"))]


def _run(dsn: str, command: list[str | Path], folder: Path) -> Iterator[str]:
    parts = conninfo_to_dict(dsn)
    environment = {
        **os.environ,
        "PGHOST": str(parts["host"]),
        "PGPORT": str(parts["port"]),
        "PGUSER": str(parts["user"]),
        "PGDATABASE": str(parts["dbname"]),
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
            for line in tool.stdout:
                if line.startswith(POINT):
                    yield line.removeprefix(POINT).strip()
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
