"""Whose DDL may be, from what its session shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pggit_daemon.attribute.claims import Claim, claims_on, first_schema
from pggit_daemon.attribute.state import Memory
from pggit_daemon.config.model import Source as Section
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import HeldLock, Session
from pggit_daemon.tools.configured import configured_source
from pggit_daemon.tools.source import Source
from tests.unit.build import FSH, LOG_LOCK, Who, flyway_key, flyway_source, liquibase_source, who

A, B = who(100), who(101)


def session(one: Who) -> Session:
    return Session(one.key, one.profile, one.profile.user)


def lock(holder: Who, schema: str = "public") -> HeldLock:
    classid, objid = flyway_key(replace(FSH, schema=schema))
    return HeldLock(classid, objid, holder.key, holder.profile)


def claims(
    one: Who,
    *locks: HeldLock,
    sources: tuple[Source, ...] = (flyway_source(), liquibase_source()),
    opened: int | None = None,
    memory: Memory | None = None,
    path: str | None = None,
) -> dict[str, Claim]:
    brackets = {LOG_LOCK: LSN(opened)} if opened is not None else {}
    return claims_on(
        session(one),
        locks,
        LSN(50),
        sources={source.name: source for source in sources},
        brackets=brackets,
        memory=memory or Memory(),
        search_path=path,
    )


def test_a_sister_of_the_holder_may_be_flyways() -> None:
    assert claims(B, lock(A)) == {str(FSH): Claim(str(FSH), Evidence.LOCK, A.key, certain=False)}


def test_the_holder_itself_is_flyways() -> None:
    assert claims(A, lock(A))[str(FSH)].certain


@pytest.mark.parametrize("other", [who(7, "psql"), who(7, "billing"), who(7, user="ann"), who(7, "pgAdmin 4 - DB:x")])
def test_sessions_that_look_otherwise_are_not_its_sisters(other: Who) -> None:
    assert claims(other, lock(A)) == {}


def test_locks_of_other_tables_claim_nothing() -> None:
    assert claims(B, lock(A, "other")) == {}
    assert claims(B) == {}


def test_a_bracket_claims_what_begins_inside_it() -> None:
    assert claims(B, opened=40)["public.databasechangelog"].evidence is Evidence.BRACKET
    assert claims(B, opened=60) == {}
    assert claims(who(7, "psql"), opened=40) == {}


def test_a_known_session_is_its_own_tools_alone() -> None:
    memory = Memory()
    memory.learn(str(FSH), A.key, B.key, LSN(1))
    assert {name: claim.certain for name, claim in claims(B, lock(A), opened=40, memory=memory).items()} == {
        str(FSH): True
    }
    assert list(claims(who(102), lock(A), opened=40, memory=memory)) == ["public.databasechangelog"]


def test_a_session_that_made_the_tools_tables_is_the_tools() -> None:
    memory = Memory()
    memory.keeps("public.databasechangelog", B.key, LSN(1))
    found = claims(B, lock(A), opened=40, memory=memory)
    assert {name: claim.certain for name, claim in found.items()} == {"public.databasechangelog": True}


def test_the_search_path_decides_between_two_locks() -> None:
    sources = (flyway_source("one"), flyway_source("two"))
    locks = (lock(A, "one"), lock(who(200), "two"))
    assert len(claims(B, *locks, sources=sources)) == 2
    assert list(claims(B, *locks, sources=sources, path='"two", public')) == ["two.flyway_schema_history"]
    assert len(claims(B, *locks, sources=sources, path="public")) == 2


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ('"one", "$user", public', "one"),
        ("One , public", "one"),
        ('"O""n,e"', 'O"n,e'),
        ("", None),
        ('"broken', None),
        ('""', ""),
    ],
)
def test_the_first_schema_of_a_path(path: str, schema: str | None) -> None:
    assert first_schema(path) == schema


def test_a_table_of_the_users_own_claims_by_window_and_hints() -> None:
    section = {"name": "own", "table": "app.history", "tool": "own", "columns": {"id": "id"}, "ddl": "after"}
    hinted = configured_source(Section.model_validate(section | {"user": "deploy"}), timedelta(seconds=9))
    assert claims(B, sources=(hinted,))["own"].evidence is Evidence.WINDOW
    assert claims(who(7, user="ann"), sources=(hinted,)) == {}
    never = configured_source(Section.model_validate(section | {"ddl": "same"}), timedelta(seconds=9))
    assert claims(B, sources=(never,)) == {}
    assert (hinted.grace, hinted.origin, hinted.tables) == (timedelta(seconds=9), "config", (hinted.table,))
