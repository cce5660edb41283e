"""Conflicts follow from whose the commits are, never from when that became known."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psycopg

from tests.integration.test_store_call import COMMIT, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Operation = tuple[str, dict[str, Any]]
BLOBS = [bytes([number]) * 32 for number in range(3)]


@dataclass(frozen=True)
class Change:
    """A commit that makes the object anew, and when it becomes known what `kind` it is: at once where that is None."""

    kind: str
    blob: int = 0
    known: int | None = None


def stored(name: str, changes: Sequence[Change]) -> Iterator[Operation]:
    """The operations of these commits in their order, and of what becomes known of them, in its order."""
    keys = {"type": ["table"], "identity": [name]}
    for number, change in enumerate(changes):
        of = {"hash": f"{name} {number}"}
        kind = change.kind if change.known is None else "pending"
        version = ["table", "public", name, 1259, 99, BLOBS[change.blob], "abc"[change.blob], None, []]
        commit = {**COMMIT, **of, "kind": kind, "lsn": f"0/{number + 16:X}", "author": f"author {number}"}
        yield "insert_commit", {**commit, **({"ended": keys} if number else {}), "begun": [version]}
        if kind == "out_of_band":
            if number:
                yield "out_of_band_conflicts", {**of, **keys}
            yield "undone_conflicts", keys
        elif kind == "migration" and number:
            yield "settle_conflicts", keys
    late = [(change.known, number) for number, change in enumerate(changes) if change.known is not None]
    for _, number in sorted(late):
        of = {"hash": f"{name} {number}"}
        kind = changes[number].kind
        yield "attribute_commit", {**of, "kind": kind, "message": "m", "metadata": {}}
        if kind != "tool":
            yield f"decided_{kind}", of


def conflicts(dsn: str, name: str) -> list[tuple[str, int]]:
    """The open conflicts on the object: what is told, and the number of the commit."""
    with psycopg.connect(dsn) as conn:
        found = conn.execute(
            "SELECT f.description, c.hash FROM pggit.conflicts AS f JOIN pggit.commits AS c ON c.id = f.commit_id"
            " WHERE f.status = 'unresolved' AND f.object_identifier = %s",
            [name],
        ).fetchall()
    return [(description.rpartition(" by ")[2], int(of.rpartition(" ")[2])) for description, of in found]


def open_at(*numbers: int) -> list[tuple[str, int]]:
    return [(f"author {number}", number) for number in numbers]


def test_a_late_migration_resolves_nothing_that_came_after_it(installed_database: str) -> None:
    """Promise: what was changed by hand after a migration stays open when that migration's row comes."""
    history = [Change("migration"), Change("migration", 1, known=0), Change("out_of_band", 2)]
    run(installed_database, list(stored("public.t", history)))
    assert conflicts(installed_database, "public.t") == open_at(2)


def test_what_followed_a_late_migration_is_a_conflict_then(installed_database: str) -> None:
    """Promise: what was changed by hand of an object that a migration made is open once the migration is known."""
    run(installed_database, list(stored("public.t", [Change("migration", known=0), Change("out_of_band", 1)])))
    assert conflicts(installed_database, "public.t") == open_at(1)


def test_what_a_later_migration_settled_is_no_conflict_late(installed_database: str) -> None:
    history = [Change("migration"), Change("out_of_band", 1, known=0), Change("migration", 2)]
    run(installed_database, list(stored("public.t", history)))
    assert conflicts(installed_database, "public.t") == []


def test_a_conflict_is_listed_by_the_name_that_the_object_has_now(installed_database: str) -> None:
    """Promise: through several renames; and not by that of an object that got its number after it was dropped."""
    run(installed_database, list(stored("public.t", [Change("migration"), Change("out_of_band", 1)])))
    named = ["public.t", "public.u", "public.v", None, "public.other"]
    for number, (before, after) in enumerate(pairwise(named)):
        commit = {**COMMIT, "hash": f"rename {number}", "kind": "out_of_band", "lsn": f"0/{number + 64:X}"}
        ended = {"ended": {"type": ["table"], "identity": [before]}} if before is not None else {}
        version: list[Any] = ["table", "public", after, 1259, 99, BLOBS[1], "b", None, []]
        begun = {"begun": [version]} if after is not None else {}
        run(installed_database, [("insert_commit", {**commit, **ended, **begun})])
        with psycopg.connect(installed_database) as conn:
            [(listed,)] = conn.execute("SELECT object_identifier FROM pggit.list_conflicts()").fetchall()
        assert listed == (after if number < 2 else "public.t")


def test_the_first_change_by_hand_has_the_conflict(installed_database: str) -> None:
    """Promise: one object has one open conflict, that of the first change, whenever that was known."""
    history = [Change("migration"), Change("out_of_band", 1, known=0), Change("out_of_band", 2)]
    run(installed_database, list(stored("public.t", history)))
    assert conflicts(installed_database, "public.t") == open_at(1)


def test_what_somebody_resolved_stays_resolved(installed_database: str) -> None:
    history = [Change("migration"), Change("migration", 1, known=0), Change("out_of_band", 2)]
    *before, told, decided = stored("public.t", history)
    run(installed_database, before)
    with psycopg.connect(installed_database) as conn:
        conn.execute("SELECT pggit.resolve_conflict(conflict_id, 'meant so') FROM pggit.conflicts")
    run(installed_database, [told, decided])
    assert conflicts(installed_database, "public.t") == []


def test_conflicts_are_the_same_live_and_from_a_backlog(installed_database: str) -> None:
    """Promise: 120 histories, known in any order, leave the conflicts that are left where all is known at once."""
    chance = random.Random(11)  # noqa: S311 - no secret
    live: list[Operation] = []
    backlog: list[Operation] = []
    histories = {}
    for number in range(120):
        kinds = chance.choices(("migration", "out_of_band", "tool"), (4, 5, 1), k=chance.randint(2, 7))
        history: list[Change] = []
        for kind in kinds:
            others = [blob for blob in range(3) if not history or blob != history[-1].blob]
            late = chance.randrange(100) if chance.random() < 0.5 else None
            history.append(Change(kind, chance.choice(others), late))
        histories[number] = history
        live.extend(stored(f"public.live{number}", history))
        backlog.extend(stored(f"public.backlog{number}", [Change(one.kind, one.blob) for one in history]))
    run(installed_database, live, backlog)
    for number, history in histories.items():
        expected = conflicts(installed_database, f"public.backlog{number}")
        assert conflicts(installed_database, f"public.live{number}") == expected, history
