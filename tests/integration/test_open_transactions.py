"""An open transaction of a user, whatever it called or wrote of ours, holds up nothing that the daemon stores.

The SQL API only inserts into the outbox, so its calls lock nothing that the daemon writes. A row that a user inserts
into external_migrations holds its key until its transaction ends: what the daemon has to say of that migration is
parked.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed, following


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    with following(cluster, installed_template, tmp_path_factory.mktemp("open")) as followed:
        yield followed


def tables_made(api: Followed, *names: str) -> None:
    """Others make tables, and the daemon records them although it is waited for nothing."""
    with api.connect() as other:
        for name in names:
            other.execute(f"CREATE TABLE {name} (id integer)".encode())
        assert other.execute("SELECT pggit.wait_for_sync('10 s')").fetchone() == (True,)
    assert api.commits()[-len(names) :] == [f"out_of_band: public.{name}" for name in names]


def begun(conn: Connection) -> None:
    conn.execute("SELECT pggit.begin_migration(31, 'custom', 'slow')")
    conn.execute("SELECT pggit.begin_deployment('slow')")


def test_what_the_functions_do_locks_nothing(api: Followed) -> None:
    """Promise: a transaction that ends its migration and its deployment, and stays open, is nobody's concern."""
    with api.connect() as conn:
        begun(conn)
        tables_made(api, "before_it_ends")
        with conn.transaction():
            conn.execute("SELECT pggit.end_migration(31)")
            conn.execute("SELECT pggit.end_deployment('done')")
            # The caller sees what it did.
            with pytest.raises(psycopg.Error, match="no deployment is open"), conn.transaction():
                conn.execute("SELECT pggit.end_deployment()")
            tables_made(api, "while_it_ends", "while_it_ends_too")
            assert api.migration(31, "status") == ("started",)
        assert api.migration(31, "status") == ("applied",)
        assert api.value("SELECT status FROM pggit.deployments WHERE deployment_name = 'slow'") == "ended"


def test_the_state_of_a_session_is_the_same_before_and_after_the_daemon_has_it(api: Followed) -> None:
    """Promise: each call finds what the session began, handled or not, and what a rollback took back never was."""
    with api.connect() as conn:
        for handled in (False, True):
            begun(conn)
            if handled:
                assert conn.execute("SELECT pggit.wait_for_sync()").fetchone() == (True,)
            with pytest.raises(psycopg.Error, match="31 of custom is open"):
                conn.execute("SELECT pggit.begin_migration(31, 'custom')")
            with pytest.raises(psycopg.Error, match='"slow" is open'):
                conn.execute("SELECT pggit.begin_deployment('another')")
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT pggit.end_migration(31)")
                conn.execute("SELECT pggit.end_deployment()")
            conn.execute("SELECT pggit.end_migration(31)")
            conn.execute("SELECT pggit.end_deployment()")
            with pytest.raises(psycopg.Error, match="was not begun in this session"):
                conn.execute("SELECT pggit.end_migration(31)")


def test_a_session_has_no_more_than_a_hundred_open(api: Followed) -> None:
    with api.connect() as conn, conn.transaction(force_rollback=True):
        for number in range(100):
            conn.execute("SELECT pggit.begin_migration(%s, 'custom')", [number + 1])
        with pytest.raises(psycopg.Error, match="begun 100 migrations"):
            conn.execute("SELECT pggit.begin_migration(101, 'custom')")


@pytest.mark.parametrize("stays", [False, True])
def test_a_row_that_is_being_inserted_holds_up_only_its_own_migration(api: Followed, *, stays: bool) -> None:
    """Promise: the daemon has to write the very row that an open transaction inserts, and goes on without it."""
    number = 41 + stays
    with api.connect() as holder:
        holder.execute("BEGIN")
        holder.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, migration_name)"
            " VALUES (%s, 'custom', 'mine')",
            [number],
        )
        with api.connect() as conn:
            conn.execute("SELECT pggit.begin_migration(%s, 'custom', 'theirs')", [number])
            conn.execute(f"CREATE TABLE held_{number} (id integer)".encode())
            conn.execute("SELECT pggit.end_migration(%s)", [number])
        tables_made(api, f"beside_{number}")
        waits = f"Migration {number} of custom waits: a row of it is held by a transaction that is open"
        assert api.value("SELECT message FROM pggit.validate_migrations() WHERE status = 'pending'") == waits
        assert api.migration(number, "status") is None
        holder.execute("COMMIT" if stays else "ROLLBACK")
    with api.connect() as conn:
        conn.execute(f"CREATE TABLE behind_{number} (id integer)".encode())
        wanted = "SELECT count(*) FROM pggit_daemon.parked"
        api.daemon.wait_for(lambda: conn.execute(wanted).fetchone() == (0,), "what was parked")
    assert api.migration(number, "status", "evidence", "migration_name") == ("applied", "session", "theirs")
