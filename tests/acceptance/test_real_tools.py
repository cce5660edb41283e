"""Migration tools of PyPI and npm, each run by its own program: here that they ran at all."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from sandbox.tools import TOOLS
from sandbox.tools.project import SCRIPTS, Script
from tests.acceptance.conftest import RealTool

FAILING = Script("m5_fails", ("CREATE TABLE m5_bad (id integer)", "SELECT 1/0"), ("SELECT 1", "SELECT 1"))


@pytest.mark.parametrize("name", TOOLS)
def test_each_tool_writes_a_history(real_tool: RealTool, database: str, name: str) -> None:
    """Two migrations at once, then one by one, one that fails, and one reverted: rows and tables tell of each."""
    project = real_tool(name, database)
    scripts = SCRIPTS if project.mixes else SCRIPTS[:3]
    project.add(*scripts[:2])
    project.up().check()
    project.add(*scripts[2:])
    project.up().check()
    made = [table for table in ("m1_users", "m2_orders", "m4_users_email") if _there(database, table)]
    assert len(made) == (3 if project.mixes else 2)
    history = _rows(database, project.history)
    if name == "alembic":
        assert history == [(scripts[-1].name,)]
    else:
        assert len(history) == len(scripts)
    if project.reverts:
        project.down().check()
        assert not _there(database, "m4_users_email")
        assert _rows(database, project.history) != history
        project.up().check()
    project.add(FAILING if project.reverts else replace(FAILING, down=()))
    assert not project.up().ok
    assert len(_rows(database, project.history)) == len(history)


def _there(dsn: str, name: str) -> bool:
    with psycopg.connect(dsn) as conn:
        return conn.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,)


def _rows(dsn: str, table: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(f"SELECT * FROM {table}".encode()).fetchall()
