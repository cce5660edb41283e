"""What a preset of the package says of its tables is in the capture's functions, by the installation alone."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg
import pytest

from pggit_daemon.install import install, plan
from pggit_daemon.sql import functions_digest
from pggit_daemon.tools import preset
from pggit_daemon.tools.capture_settings import names_in_capture

if TYPE_CHECKING:
    from collections.abc import Iterator

PRESET = """
tool = "a new tool"
key = ["step"]

[table]
name = "new_tool_history"
columns = { step = "text", new_tool_mark = "integer" }
distinctive = ["new_tool_mark"]

[[proof]]
by = "advisory_lock"
holder = "own"
key = { number = 4711 }

[[proof]]
by = "window"
company = { lock_table = "{table}_taken", sessions = 2 }

[migration]
version = ["step"]
"""
CACHES = (preset.packaged, names_in_capture, functions_digest)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with the presets of the package, which stands for theirs."""
    with resources.as_file(resources.files("pggit_daemon.tools.presets")) as packaged:
        shutil.copytree(packaged, tmp_path / "presets")
    monkeypatch.setattr(preset, "resources", SimpleNamespace(files=lambda _name: tmp_path / "presets"))
    yield tmp_path / "presets"
    for cached in CACHES:
        cached.cache_clear()


def add(folder: Path, text: str) -> None:
    (folder / "a-new-tool.toml").write_text(text)
    for cached in CACHES:
        cached.cache_clear()


@pytest.mark.parametrize("table", ["new_tool_history (step text)", "our_own_name (new_tool_mark integer)"])
def test_a_new_preset_reaches_the_server_with_an_upgrade(installed_database: str, folder: Path, table: str) -> None:
    """Promise: installed over an older program, a new preset has its tables known by their names and columns, before
    any daemon has seen one; the script for psql says the same, and a second installation has nothing to do.
    """
    add(folder, PRESET)
    with psycopg.connect(installed_database, autocommit=True) as conn:
        script = plan(conn)
        assert "new_tool_history" in script
        assert "new_tool_mark" in script
        assert install(conn).changed
        assert not install(conn).changed
        assert plan(conn).startswith("-- Nothing to do")
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute("SELECT setval('pggit_daemon.tool_watch', 1, false)")
        conn.execute("CREATE TABLE of_nobody (step text)")
        assert watches(conn) == (1, False)
        conn.execute(f"CREATE TABLE {table}".encode())
        assert watches(conn) == (2, True)


def test_a_table_that_a_new_tool_locks_is_told(installed_database: str, folder: Path) -> None:
    """Promise: the end of its name is the one in the preset."""
    add(folder, PRESET)
    with psycopg.connect(installed_database, autocommit=True) as conn:
        install(conn)
        conn.execute("SELECT setval('pggit_daemon.tool_watch', 2)")
        conn.execute("CREATE TABLE history_taken (); CREATE TABLE history_taken_not ()")
    with psycopg.connect(installed_database) as other, psycopg.connect(installed_database) as conn:
        other.execute("LOCK TABLE history_taken; LOCK TABLE history_taken_not")
        conn.execute("CREATE TABLE probed ()")
        (locks,) = conn.execute("SELECT locks FROM pggit_daemon.ddl_event ORDER BY id DESC LIMIT 1").fetchone() or ((),)
    assert [lock["table"] for lock in locks] == [["public", "history_taken"]]


@pytest.mark.parametrize("name", ["it's", "a,b", "a.b", "a b", 'a"b', "a}b", ""])
def test_a_name_that_would_not_be_safe_in_the_text_is_refused(folder: Path, name: str) -> None:
    quoted = name.replace('"', '\\"')
    add(folder, PRESET.replace('"new_tool_history"', f'"{quoted}"'))
    with pytest.raises(ValueError, match="not a plain name"):
        functions_digest()


def watches(conn: psycopg.Connection) -> tuple[int, bool]:
    """What captures of this database look for: 2 has them look for advisory locks."""
    row = conn.execute("SELECT last_value::int, is_called FROM pggit_daemon.tool_watch").fetchone()
    assert row is not None
    return row[0], row[1]
