"""Whose DDL may be, from what its session shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pggit_daemon.attribute.claims import Claim, Seen
from pggit_daemon.attribute.known import Bracket, Known
from pggit_daemon.attribute.opening import claims_on
from pggit_daemon.attribute.search_path import first_schema
from pggit_daemon.attribute.sessions import KnownSessions
from pggit_daemon.config.model import Source as Section
from pggit_daemon.config.sources import configured_source
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.session import HeldLock, Session
from pggit_daemon.tools.source import Source
from tests.unit.build import FSH, LOG_LOCK, START, Who, flyway_key, flyway_source, liquibase_source, who

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
    sessions: KnownSessions | None = None,
    path: str | None = None,
    writers: frozenset[str] | None = None,
) -> dict[str, Claim]:
    brackets = {LOG_LOCK: Bracket(LSN(opened), START)} if opened is not None else {}
    known = Known(brackets, sessions or KnownSessions(), {source.name: writers for source in sources})
    seen = Seen(session(one), locks, LSN(50), LSN(90), START, path)
    return claims_on(seen, {source.name: source for source in sources}, known)


def test_a_sibling_of_the_holder_may_be_flyways() -> None:
    assert claims(B, lock(A)) == {str(FSH): Claim(str(FSH), Evidence.LOCK, A.key, certain=False)}


def test_the_holder_itself_is_flyways() -> None:
    assert claims(A, lock(A))[str(FSH)].certain


EARLIER = "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "other",
    [
        who(7, "psql"),
        who(7, "pgAdmin 4 - DB:x"),
        who(7, "billing", user="ann"),
        who(7, "billing", started=EARLIER),
        who(7, user="ann", started=EARLIER),
    ],
)
def test_sessions_that_look_otherwise_are_not_its_siblings(other: Who) -> None:
    assert claims(other, lock(A)) == {}


@pytest.mark.parametrize("other", [who(7, "V2 orders"), who(7, user="owner")])
def test_a_session_that_began_with_the_holder_may_have_another_name_or_user(other: Who) -> None:
    """Scripts name themselves and act as others: only the order of positions may prove it."""
    assert claims(other, lock(A))[str(FSH)].weak


def test_locks_of_other_tables_claim_nothing() -> None:
    assert claims(B, lock(A, "other")) == {}
    assert claims(B) == {}


def test_a_bracket_claims_what_begins_inside_it() -> None:
    assert claims(B, opened=40)["public.databasechangelog"].evidence is Evidence.BRACKET
    assert claims(B, opened=60) == {}
    assert claims(who(7, "psql"), opened=40) == {}


def test_a_bracket_claims_nothing_of_sessions_that_began_after_it() -> None:
    assert claims(who(7, started="2026-03-01T00:00:01+00:00"), opened=40) == {}


def test_by_bracket_and_window_only_ddl_of_roles_with_a_right_on_the_table_is_claimed() -> None:
    """A superuser has no more; by lock the session proved itself."""
    window = {"name": "own", "table": "app.history", "tool": "own", "columns": {"id": "id"}, "ddl": "after"}
    own = configured_source(Section.model_validate(window), timedelta(seconds=9))
    sources = (flyway_source(), liquibase_source(), own)
    allowed = claims(B, lock(A), sources=sources, opened=40, writers=frozenset({"deploy"}))
    assert set(allowed) == {str(FSH), "public.databasechangelog", "own"}
    assert set(claims(B, lock(A), sources=sources, opened=40, writers=frozenset({"app_owner"}))) == {str(FSH)}


def test_a_known_session_is_its_own_tools_alone() -> None:
    sessions = KnownSessions()
    sessions.learn(str(FSH), A.key, B.key, START)
    assert {name: claim.certain for name, claim in claims(B, lock(A), opened=40, sessions=sessions).items()} == {
        str(FSH): True
    }
    assert list(claims(who(102), lock(A), opened=40, sessions=sessions)) == ["public.databasechangelog"]


def test_a_known_session_is_the_tools_only_while_the_lock_is_held() -> None:
    sessions = KnownSessions()
    sessions.learn(str(FSH), A.key, B.key, START)
    assert list(claims(B, opened=40, sessions=sessions)) == ["public.databasechangelog"]
    assert claims(B, sessions=sessions) == {}


def test_a_known_session_is_the_tools_whatever_it_calls_itself() -> None:
    sessions = KnownSessions()
    sessions.learn(str(FSH), A.key, B.key, START)
    assert claims(who(101, "psql", user="ann"), lock(A), sessions=sessions)[str(FSH)].certain


def test_a_session_that_made_the_tools_tables_is_the_tools() -> None:
    sessions = KnownSessions()
    sessions.keep_house("public.databasechangelog", B.key, START, dropped=False)
    found = claims(B, lock(A), opened=40, sessions=sessions)
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
