"""A message that takes more memory than there is stops the stream for two starts, and no longer.

The daemon runs as a process under the documented role, with pgoutput, which sends us the messages of everybody.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.install import install
from sandbox.daemon import Daemon, pause
from sandbox.recorded import commits

ROLE = "large_daemon"
STRANGER = "large_stranger"
CONFIG = '[[database]]\nname = "app"\ndsn = "{dsn}"\nslot = "{slot}"\nplugin = "pgoutput"\n'
SIZE = 64 << 20
SPARE = 48 << 20  # bytes of memory that the daemon may still take
DEADLINE = 60.0  # seconds; a busy machine


class Followed:
    """A database with its daemon."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn = dsn
        config = folder / "config.toml"
        slot = f"large_{conninfo_to_dict(dsn)['dbname']}"
        config.write_text(CONFIG.format(dsn=make_conninfo(dsn, user=ROLE), slot=slot))
        self.daemon = Daemon(dsn, folder, ["--config", str(config)])

    def value(self, query: str) -> Any:
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            (found,) = conn.execute(query.encode()).fetchone() or (None,)
        return found

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.daemon.events() if one.get("event") == event]

    def limit_memory(self) -> None:
        """Let the process have little more than it has."""
        lines = Path(f"/proc/{self.daemon.pid}/status").read_text().splitlines()
        (size,) = (int(line.split()[1]) << 10 for line in lines if line.startswith("VmSize"))
        resource.prlimit(self.daemon.pid, resource.RLIMIT_AS, (size + SPARE, resource.RLIM_INFINITY))

    def wait_recorded(self, table: str) -> None:
        begun = time.monotonic()
        while not any(table in one.changed for one in commits(self.dsn)):
            assert time.monotonic() < begun + DEADLINE, self.daemon.log_tail()
            pause(begun)


def follow(database: str, folder: Path) -> Iterator[Followed]:
    """Give a database, in which we are installed, with a daemon under the documented role."""
    with psycopg.connect(database) as conn:
        install(conn, daemon_role=ROLE)
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [STRANGER]).fetchone() is None:
            conn.execute(f"CREATE ROLE {STRANGER} LOGIN".encode())
    followed = Followed(database, folder)
    with followed.daemon:
        yield followed


@pytest.fixture
def followed(installed_database: str, tmp_path: Path) -> Iterator[Followed]:
    yield from follow(installed_database, tmp_path)


@pytest.mark.parametrize("transactional", [False, True])
def test_what_comes_after_a_message_beyond_all_memory_is_recorded(followed: Followed, *, transactional: bool) -> None:
    """Promise: any role may send one; it costs two starts, and messages that come later are read."""
    followed.daemon.wait_caught_up()
    pid = followed.daemon.pid
    followed.limit_memory()
    with psycopg.connect(make_conninfo(followed.dsn, user=STRANGER), autocommit=True) as conn:
        conn.execute("SELECT pg_logical_emit_message(%s, 'theirs', repeat('x', %s))", [transactional, SIZE])
    with psycopg.connect(followed.dsn) as conn:
        conn.execute("CREATE TABLE a (id int)")
    followed.wait_recorded("table public.a")
    (left_out,) = followed.logged("messages_left_out")
    assert (left_out["level"], left_out["starts"]) == ("warning", 3)
    assert followed.daemon.pid == pid
    deadline = time.monotonic() + DEADLINE
    while not followed.logged("stream_renewed"):
        assert time.monotonic() < deadline, followed.daemon.log_tail()
        time.sleep(0.05)
    assert followed.value("SELECT starts FROM pggit_daemon.progress") == 0
    forged = "SELECT pg_logical_emit_message(false, pggit_daemon.message_prefix(), '?')"
    with psycopg.connect(followed.dsn, autocommit=True) as conn:
        conn.execute(forged.encode())
        conn.execute("CREATE TABLE b (id int)")
    followed.wait_recorded("table public.b")
    followed.daemon.wait_caught_up()
    assert followed.daemon.metric("pggit_forged_messages_total") == 1
    assert len(followed.logged("messages_left_out")) == 1


def test_starts_that_bring_something_are_not_counted(followed: Followed) -> None:
    """Promise: however often the daemon is killed, no message is left out where the stream gets on."""
    for number in range(4):
        with psycopg.connect(followed.dsn) as conn:
            conn.execute(f"CREATE TABLE t{number} (id int)".encode())
        followed.wait_recorded(f"table public.t{number}")
        followed.daemon.kill()
        followed.daemon.start()
        followed.daemon.wait_ready()
    followed.daemon.wait_caught_up()
    assert followed.logged("messages_left_out") == []
