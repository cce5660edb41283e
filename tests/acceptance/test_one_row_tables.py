"""Migrations of a tool that keeps one number in a table without a key (tern), as quickly as they can follow each other.

The plugins show nothing of the UPDATE. Up, down and up again, in one session, and people change the schema meanwhile.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.scenes import Scene

LOCK = 9628173550095224
WAY = (1, 2, 3, 2, 1, 2, 3, 4, 3, 4, 5)
TIMEOUT = 30.0  # seconds; a table is compared again a second after nobody else may claim its newest steps
LINKED = """
    SELECT v.identity, l.migration_id, l.evidence
      FROM pggit_daemon.link AS l JOIN pggit_daemon.object_version AS v ON v.from_commit = l.commit_id
     WHERE v.type = 'table' AND l.made ORDER BY 1
"""
BY_HAND = "SELECT count(*) FROM pggit.commits WHERE kind = 'out_of_band'"


def begin(scene: Scene) -> None:
    """The tool's first run makes its table."""
    scene.script("CREATE TABLE public.schema_version (version int4 NOT NULL)", "INSERT INTO schema_version VALUES (0)")
    scene.caught_up()


def run(scene: Scene, way: tuple[int, ...]) -> dict[str, int]:
    """Go that way; which table each migration made, negative where it was taken back."""
    made: dict[str, int] = {}
    with (
        psycopg.connect(scene.dsn, application_name="tern", autocommit=True) as tool,
        psycopg.connect(scene.dsn, application_name="psql", autocommit=True) as hand,
    ):
        tool.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        before = 0
        for place, number in enumerate(way):
            with tool.transaction():
                tool.execute(f"CREATE TABLE public.step_{place:02} (id int)".encode())
                tool.execute("UPDATE public.schema_version SET version = %s", [number])
            made[f"public.step_{place:02}"] = number if number > before else -before
            hand.execute(f"CREATE TABLE public.hand_{place} (id int)".encode())
            before = number
    return made


def linked(scene: Scene, *, expected: int) -> list[tuple[Any, ...]]:
    until = time.monotonic() + TIMEOUT
    with psycopg.connect(scene.dsn, autocommit=True) as conn:
        while True:
            scene.caught_up()
            found = conn.execute(LINKED).fetchall()
            if len(found) >= expected or time.monotonic() > until:
                return found
            time.sleep(0.1)


@BOTH_PLUGINS
def test_each_step_has_its_own_ddl(scene: Scene) -> None:
    begin(scene)
    made = run(scene, WAY)
    expected = [(table, number, "transaction") for table, number in sorted(made.items())]
    assert linked(scene, expected=len(expected)) == expected
    assert scene.value(BY_HAND) == len(WAY)


def test_what_it_ran_outside_of_transactions_too(scene: Scene) -> None:
    """The lock shows whose that is, and what its session read, which step it belongs to."""
    begin(scene)
    with psycopg.connect(scene.dsn, application_name="tern", autocommit=True) as tool:
        tool.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        for place, number in enumerate((1, 2, 1, 2, 3)):
            tool.execute(f"CREATE TABLE public.step_{place:02} (id int)".encode())
            tool.execute("UPDATE public.schema_version SET version = %s", [number])
    assert linked(scene, expected=5) == [
        (f"public.step_{place:02}", number, "lock") for place, number in enumerate((1, 2, -2, 2, 3))
    ]
