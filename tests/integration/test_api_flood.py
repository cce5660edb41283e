"""Migrations that are begun and rolled back by the hundred: what is kept of them does not grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from pggit_daemon.interpret.sql_api import MOST_ANNOUNCED
from tests.integration.api_write_support import following

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.databases import Databases

KEPT = "SELECT count(*) FROM pggit_daemon.open_run"
FLOOD = """
    DO $$
    BEGIN
        FOR number IN 1..300 LOOP
            BEGIN
                PERFORM pggit.begin_migration(number, 'custom');
                RAISE division_by_zero;
            EXCEPTION WHEN division_by_zero THEN NULL;
            END;
        END LOOP;
    END $$
"""


def test_what_is_begun_and_rolled_back_is_not_kept(cluster: Databases, installed_template: str, tmp_path: Path) -> None:
    """Promise: of one transaction the newest hundred, until the session begins something in another one."""
    with following(cluster, installed_template, tmp_path) as followed:
        with psycopg.connect(followed.dsn, autocommit=True) as conn:
            conn.execute(FLOOD)
            assert conn.execute("SELECT pggit.wait_for_sync()").fetchone() == (True,)
            assert followed.value(KEPT) == MOST_ANNOUNCED
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT pggit.begin_migration(1, 'custom')")
            conn.execute("CREATE TABLE behind (id integer)")
            assert conn.execute("SELECT pggit.wait_for_sync()").fetchone() == (True,)
            assert followed.value(KEPT) == 1
        assert followed.commits()[-1] == "out_of_band: public.behind"
