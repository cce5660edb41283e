"""What people read: one form of time in all commands, and migrations by the names that their tools give them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.integration.cli_support import HISTORY, run

if TYPE_CHECKING:
    from sandbox.databases import Databases

MORE = """
UPDATE pggit_daemon.progress SET updated_at = '2026-01-01 12:03:04.567891+00';
UPDATE pggit.external_migrations SET applied_at = '2026-01-01 12:02:03.456789+00' WHERE migration_id IN (1, 2);
INSERT INTO pggit_daemon.verification (began_at, finished_at, objects, differing, unreadable, seconds)
VALUES ('2026-01-01 12:01:02.345678+00', now(), 7, 0, 0, 0.1)
ON CONFLICT (singleton) DO UPDATE SET began_at = excluded.began_at, finished_at = excluded.finished_at;
INSERT INTO pggit.external_migrations (migration_id, tool_name, source, migration_name, version, sequence, status)
VALUES (1000000000000000001, 'alembic', 'public.alembic_version', NULL, '3f2a9c', 1, 'applied'),
       (1000000000000000002, 'alembic', 'public.alembic_version', 'add orders', '9c1b07', 2, 'applied'),
       (-1000000000000000002, 'alembic', 'public.alembic_version', NULL, '9c1b07', 3, 'rollback'),
       (1000000000000000003, 'django', 'public.django_migrations', NULL, 'shop.0002_orders', 2, 'applied'),
       (3, 'django', 'public.django_migrations', NULL, 'shop.0003_failed', 3, 'failed');
UPDATE pggit.external_migrations SET rollback_of = 1000000000000000002 WHERE migration_id < 0;
INSERT INTO pggit.external_migrations (migration_id, tool_name, source, status, applied_at)
VALUES (9, 'flyway', 'public.flyway_schema_history', 'started', '2026-01-01 12:02:03.456789+00');
INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)
VALUES ('public.alembic_version', 'alembic', 'alembic', 'public', 'alembic_version', 'discovered'),
       ('public.django_migrations', 'django', 'django', 'public', 'django_migrations', 'discovered');
INSERT INTO pggit.commits (hash, branch_id, kind, occurred_at, objects_changed)
VALUES ('gap', 1, 'gap', '2026-01-01 12:02:03.456789+00', 0);
"""


@pytest.fixture(scope="module")
def recorded(cluster: Databases, installed_template: str) -> str:
    cluster.create_database("cli_forms", installed_template)
    with psycopg.connect(cluster.dsn("cli_forms")) as conn:
        conn.execute("ALTER TABLE pggit.external_migrations DISABLE TRIGGER USER")
        conn.execute(HISTORY)
        conn.execute(MORE.encode())
    return cluster.dsn("cli_forms")


@pytest.mark.parametrize("command", ["status", "log", "show 2", "show flyway:2", "findings"])
def test_times_have_seconds_and_no_letter(recorded: str, command: str) -> None:
    """People compare times of one command with those of another: all are written alike, to the second."""
    text = run(*command.split(), dsn=recorded).out
    assert re.search(r"2026-01-01 12:0\d:0\d\+00", text), text
    assert not re.search(r"\d{2}T\d{2}:|:\d{2}\.\d{3}", text), text


def test_status_names_the_newest_migration_as_its_tool_does(recorded: str) -> None:
    """Not one that was rolled back, failed or has not ended; JSON has it, too."""
    [found] = run("status", "--json", dsn=recorded).json["databases"].values()
    assert {source["name"]: source["newest"] for source in found["sources"]} == {
        "public.flyway_schema_history": "1.2",
        "public.alembic_version": "9c1b07",
        "public.django_migrations": "shop.0002_orders",
    }
    text = run("status", dsn=recorded).out
    assert re.search(r"django_migrations .*shop\.0002_orders", text)
