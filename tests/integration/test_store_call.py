"""The one call that writes a plan: who may make it, that it is whole, and names of any length in it."""

from __future__ import annotations

import asyncio
import json
import random
import string
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.db.connections import STORING, connect
from pggit_daemon.errors import RefusedError, StoreError
from pggit_daemon.install import install
from pggit_daemon.store import writer
from pggit_daemon.store.writer import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMIT: dict[str, Any] = {
    "hash": "a" * 64,
    "parent": None,
    "message": "m",
    "author": "ada",
    "time": "2026-03-01T00:00:00+00:00",
}
COMMIT |= {"tree_hash": "t", "metadata": {}, "kind": "out_of_band", "lsn": "0/10", "xid": 1, "changed": 1}
BLOB = bytes(32)


def run(dsn: str, *calls: Sequence[tuple[str, dict[str, Any]]]) -> None:
    async def act() -> None:
        conn = await connect(dsn, "test")
        await conn.execute(STORING)
        store = Store(conn, "slot")
        try:
            for operations in calls:
                await store.run(operations)
        finally:
            await conn.close()

    asyncio.run(act())


def made(identity: str) -> list[tuple[str, dict[str, Any]]]:
    """The operations of a commit that makes one object."""
    version = ["function", "public", identity, 1255, 99, BLOB, "x", None, ["schema public"]]
    return [("insert_commit", COMMIT), ("open_versions", {"hash": COMMIT["hash"], "begun": [version]})]


def test_only_the_daemons_role_may_store(installed_database: str) -> None:
    """Promise: neither everybody nor who reads or writes through the SQL API can call the store or one of its parts."""
    name = psycopg.conninfo.conninfo_to_dict(installed_database)["dbname"]
    with psycopg.connect(installed_database, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE somebody_{name}".encode())
        conn.execute(f"CREATE ROLE daemon_{name}".encode())
        install(conn, daemon_role=f"daemon_{name}")
        functions = conn.execute(
            "SELECT oid FROM pg_proc WHERE pronamespace = 'pggit_daemon'::regnamespace AND proname ~ '^store'"
        ).fetchall()
        assert len(functions) > 20
        may = "SELECT has_function_privilege(%s, %s::oid, 'EXECUTE')"
        for (function,) in functions:
            for role in (f"somebody_{name}", "pggit_reader", "pggit_migrator"):
                assert conn.execute(may, [role, function]).fetchone() == (False,)
            assert conn.execute(may, [f"daemon_{name}", function]).fetchone() == (True,)
        conn.execute(f"SET ROLE daemon_{name}".encode())
        conn.execute("SELECT pggit_daemon.store('[]')")


def test_a_plan_is_stored_whole_or_not_at_all(installed_database: str) -> None:
    with pytest.raises(StoreError, match='PGD02: the store knows no operation "no_such"'):
        run(installed_database, [*made("public.f()"), ("no_such", {})])
    with psycopg.connect(installed_database) as conn:
        assert conn.execute("SELECT count(*) FROM pggit.commits").fetchone() == (0,)
    run(installed_database, made("public.f()"))
    with psycopg.connect(installed_database) as conn:
        assert conn.execute("SELECT hash, kind FROM pggit.commits").fetchall() == [("a" * 64, "out_of_band")]


def test_a_plan_in_pieces_is_stored_whole_or_not_at_all(
    installed_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is too large for one document: each operation is a call of its own, all in one transaction."""
    monkeypatch.setattr(writer, "PIECE", 1)
    with pytest.raises(StoreError, match='PGD02: the store knows no operation "no_such"'):
        run(installed_database, [*made("public.f()"), ("no_such", {})])
    with psycopg.connect(installed_database, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM pggit_daemon.blob").fetchone() == (0,)
        run(installed_database, [*made("public.f()"), ("handled_events", {"ids": [7]})])
        versions = (
            "SELECT v.identity, c.hash FROM pggit_daemon.object_version v JOIN pggit.commits c ON c.id = from_commit"
        )
        assert conn.execute(versions).fetchall() == [("public.f()", COMMIT["hash"])]


@pytest.mark.parametrize("author", ["\0", "\ud800"])
def test_what_the_server_can_never_store_is_told_from_what_may_work_again(installed_database: str, author: str) -> None:
    with pytest.raises(RefusedError):
        run(installed_database, [("insert_commit", COMMIT | {"author": author})])


TRAPS = """
    CREATE SCHEMA trap;
    CREATE FUNCTION trap.translate(text, text, text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN RAISE 'translate is a trap'; END $$;
    CREATE FUNCTION trap.jsonb_array_elements_text(jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
        BEGIN RAISE 'jsonb_array_elements_text is a trap'; END $$;
    SET search_path = trap, pg_catalog;
"""


def test_the_callers_search_path_is_none_of_the_operations(installed_database: str) -> None:
    """Promise: the call alone pins the search_path, and what it calls runs with that."""
    plan = json.dumps([*made("public.f()"), ("handled_events", {"ids": [7]})], default=bytes.hex)
    with psycopg.connect(installed_database) as conn:
        conn.execute(TRAPS)
        answer = conn.execute("SELECT pggit_daemon.store(%s::jsonb)", [plan]).fetchone()
        assert answer == ({"handled_events": [7], "handled_requests": [], "gone": [], "parked": False},)
        with pytest.raises(psycopg.errors.RaiseException, match="is a trap"):
            conn.execute("SELECT translate('a', 'b', 'c')")


def test_what_is_stored_of_a_commit_goes_to_the_one_of_its_hash(installed_database: str) -> None:
    """Promise: in a plan of several commits each operation finds its own, made in this call or before."""
    first, second, third = (COMMIT | {"hash": letter * 64, "lsn": f"0/{letter}"} for letter in "abc")
    link = {"tool": "t", "source": "s", "evidence": "lock", "part": False, "made": True, "objects": None, "detail": {}}
    run(
        installed_database,
        [("insert_commit", first)],
        [
            ("insert_commit", second),
            ("link", {**link, "migration_id": 1, "hash": first["hash"], "at": None}),
            ("link", {**link, "migration_id": 2, "hash": second["hash"], "at": None}),
            ("insert_commit", third),
            ("link", {**link, "migration_id": 3, "hash": second["hash"], "at": None}),
            ("link", {**link, "migration_id": 4, "hash": third["hash"], "at": None}),
            ("link", {**link, "migration_id": 5, "hash": None, "at": second["lsn"]}),
            ("link", {**link, "migration_id": 6, "hash": None, "at": None}),
        ],
    )
    with psycopg.connect(installed_database) as conn:
        linked = conn.execute(
            "SELECT l.migration_id, left(c.hash, 1) FROM pggit_daemon.link l JOIN pggit.commits c ON c.id = l.commit_id"
            " ORDER BY 1"
        ).fetchall()
        assert linked == [(1, "a"), (2, "b"), (3, "b"), (4, "c"), (5, "b")]


def test_names_may_be_longer_than_an_index_takes(installed_database: str) -> None:
    """Promise: a name of 20,000 characters is stored, found, made a conflict of, and ended."""
    chance = random.Random(1)  # noqa: S311 - letters that do not compress
    name = "public.f(" + "".join(chance.choices(string.ascii_letters, k=20_000)) + ")"
    keys = {"type": ["function"], "identity": [name]}
    later = COMMIT | {"hash": "b" * 64}
    run(
        installed_database,
        made(name),
        [("tree_conflicts", {**keys, "hash": COMMIT["hash"], "description": ["d"]})],
        [("move_versions", {**keys, "classid": [1255], "objid": [100]})],
        [("insert_commit", later), ("close_versions", {**keys, "hash": later["hash"]}), ("settle_conflicts", keys)],
    )
    with psycopg.connect(installed_database) as conn:
        versions = "SELECT objid, to_commit IS NOT NULL FROM pggit_daemon.object_version WHERE identity = %s"
        assert conn.execute(versions, [name]).fetchall() == [(100, True)]
        assert conn.execute("SELECT status FROM pggit.conflicts").fetchall() == [("resolved",)]
        found = conn.execute("SELECT operation FROM pggit.object_history(%s)", [name]).fetchall()
        assert found == [("CREATE",), ("DROP",)]
