"""The statements of docs/operations.md, "Who may send messages": others may send none any more, and ours goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pggit_daemon
from pggit_daemon.install import install
from sandbox.daemon import Daemon, pggit

FOUR_ARGUMENTS = 170000  # the version from which on they have one more
ROLES = ("messages_daemon", "messages_migrator")


def statements(server_version: int, role: str) -> list[str]:
    text = (Path(pggit_daemon.__file__).parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"```sql messages\n(.*?)```", text, re.DOTALL)
    assert found is not None
    said = found[1].replace("pggit_api, pggit_daemon;", f"pggit_api, {role};")
    if server_version >= FOUR_ARGUMENTS:
        said = said.replace("text)", "text, boolean)").replace("bytea)", "bytea, boolean)")
    return said.strip().splitlines()


@pytest.fixture
def dsn(installed_database: str) -> Iterator[str]:
    daemon, migrator = ROLES
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(f"DROP ROLE IF EXISTS {migrator}; CREATE ROLE {migrator} LOGIN".encode())
        install(conn, daemon_role=daemon, read_all_data=True, migrators=(migrator,))
        conn.execute(f"GRANT CREATE ON SCHEMA public TO {migrator}".encode())
        for statement in statements(conn.info.server_version, daemon):
            conn.execute(statement.encode())
        yield installed_database
        for role in ROLES:
            conn.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}".encode())


def test_others_may_send_none_and_ours_goes_on(dsn: str, tmp_path: Path) -> None:
    daemon, migrator = ROLES
    with Daemon(make_conninfo(dsn, user=daemon), tmp_path):
        with psycopg.connect(make_conninfo(dsn, user=migrator), autocommit=True) as conn:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute("SELECT pg_logical_emit_message(false, 'theirs', 'x')")
            conn.execute("SELECT pggit.begin_migration(1, 'custom', 'one')")
            conn.execute("CREATE TABLE one (id int)")
            conn.execute("SELECT pggit.end_migration(1)")
            assert conn.execute("SELECT pggit.wait_for_sync('60 s')").fetchone() == (True,)
            history = "SELECT migration_id, status FROM pggit.migration_history"
            assert conn.execute(history).fetchall() == [(1, "applied")]
        assert pggit("verify", "--dsn", make_conninfo(dsn, user=daemon)).returncode == 0
