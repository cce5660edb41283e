"""deploy/server.sql as the superuser runs it: without an error, whatever settings this server knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg

SCRIPT = Path(__file__).parents[2] / "deploy" / "server.sql"


def test_the_script_runs_to_its_end(database: str) -> None:
    """Promise: no statement fails, and what it sets is what the next start reads."""
    done = subprocess.run(
        ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", str(SCRIPT), database],
        capture_output=True,
        text=True,
        check=False,
    )
    with psycopg.connect(database, autocommit=True) as conn:
        written: dict[str, str] = dict(
            conn.execute("SELECT name, setting FROM pg_file_settings ORDER BY seqno").fetchall()
        )
        listed = conn.execute("SELECT FROM pg_settings WHERE name = 'output_plugin_libraries'").fetchone()
        for name in ("wal_level", "max_slot_wal_keep_size", *(["output_plugin_libraries"] if listed else [])):
            conn.execute(f"ALTER SYSTEM RESET {name}".encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert (written["wal_level"], written["max_slot_wal_keep_size"]) == ("logical", "10GB")
    assert ("wal2json" in written.get("output_plugin_libraries", "")) == (listed is not None)
