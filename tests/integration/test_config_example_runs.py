"""config.example.toml starts as it is shipped; only the address of the server is that of the tests."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pggit_daemon.install import install, uninstall
from sandbox.daemon import Daemon

EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
# What Flyway leaves behind after one migration.
MIGRATED = """
CREATE TABLE shop (id int PRIMARY KEY);
CREATE TABLE flyway_schema_history (
    installed_rank int NOT NULL CONSTRAINT flyway_schema_history_pk PRIMARY KEY, version varchar(50),
    description varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int,
    installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(), execution_time int NOT NULL,
    success boolean NOT NULL);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);
INSERT INTO flyway_schema_history VALUES (1, '1', 'shop', 'SQL', 'V1__shop.sql', 7, 'ada', now(), 3, true);
"""


@pytest.mark.parametrize(("before", "linked"), [("", 0), (MIGRATED, 1)], ids=["empty", "with migrations"])
def test_the_example_as_shipped_starts(database: str, tmp_path: Path, before: str, linked: int) -> None:
    """As the role and with the slot that it names: streaming, nothing complained of, what was there is linked."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(before.encode())
        install(conn, daemon_role="pggit_daemon", read_all_data=True)
        server = conninfo_to_dict(database)
        dsn = make_conninfo(host=server["host"], port=server["port"], dbname=server["dbname"], user="pggit_daemon")
        text, count = re.subn(r'^dsn = ".*"$', f'dsn = "{dsn}"', EXAMPLE, flags=re.MULTILINE)
        assert count == 1
        (tmp_path / "config.toml").write_text(text)
        with Daemon(database, tmp_path, ["--config", str(tmp_path / "config.toml")]) as daemon:
            daemon.wait_caught_up()
            assert [event for event in daemon.events() if event["level"] not in {"info", "debug"}] == []
        rows = conn.execute("SELECT evidence FROM pggit.external_migrations").fetchall()
        assert rows == [("baseline",)] * linked
        conn.execute("SELECT pg_drop_replication_slot('pggit_daemon')")
        uninstall(conn)
