"""Flyway as its users run it: both versions, the three ways it uses transactions."""

from __future__ import annotations

import pytest

from sandbox.flyway import NO_LOCK
from sandbox.jars import FLYWAY_VERSIONS
from tests.acceptance.scenes import FLYWAY_TABLE, Scene

GROUP = {"group": "true"}
MODES = {"default": {}, "group": GROUP, "no-lock": NO_LOCK, "no-lock-group": NO_LOCK | GROUP}
FIRST = {
    "V1__accounts": "CREATE TABLE account (id int PRIMARY KEY); CREATE INDEX account_idx ON account (id);",
    "V2__orders": "CREATE TABLE orders (id int); ALTER TABLE account ADD COLUMN note text;",
    "R__names": "CREATE OR REPLACE VIEW names AS SELECT id FROM account;",
}


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_versioned_and_repeatable(scene: Scene, version: str, mode: str) -> None:
    """Each migration has exactly its objects, whatever transactions Flyway uses; a hand between has its own."""
    evidence = "transaction" if "no-lock" in mode else "lock"
    flyway = scene.flyway(version=version, config=MODES[mode])
    scene.scripts(**FIRST)
    flyway.migrate().check()
    scene.moment("the first run")
    scene.hand("CREATE TABLE by_hand (id int)")
    scene.scripts(
        R__names="CREATE OR REPLACE VIEW names AS SELECT id, note FROM account;",
        V3__more="CREATE TYPE mood AS ENUM ('good');",
    )
    flyway.migrate().check()
    scene.moment("the second run")
    account = "table constraint account_pkey on public.account, table public.account"
    first = [
        f"migration 1/{evidence}: index public.account_idx, {account}",
        f"migration 2/{evidence}: table public.account, table public.orders",
        f"migration names/{evidence}: view public.names",
    ]
    second = [f"migration 3/{evidence}: type public.mood", f"migration names/{evidence}: view public.names"]
    if mode == "group":
        # One transaction held the DDL of all, and was recorded before their rows came.
        all_three = f"index public.account_idx, {account}, table public.orders, view public.names"
        first = [f"migration 1/lock 2/lock names/lock: {all_three}"]
        second = [f"migration 3/{evidence} names/{evidence}: type public.mood, view public.names"]
    assert scene.commits() == [FLYWAY_TABLE, *first, "out_of_band ada: table public.by_hand", *second]
    assert scene.migrations() == [
        f"1 1 accounts applied {evidence}",
        f"2 2 orders applied {evidence}",
        f"1000000000000000003 names applied {evidence}",
        f"3 3 more applied {evidence}",
        f"1000000000000000005 names applied {evidence}",
    ]
    assert scene.events() == [
        "applied insert 1",
        "applied insert 2",
        "applied insert 1000000000000000003",
        "applied insert 3",
        "applied insert 1000000000000000005",
    ]
