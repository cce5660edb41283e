"""Decisions become commits with hashes, and commits become statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.decision import CommitKind, Decision
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowOp, Unreadable
from pggit_daemon.store.statements import statements
from pggit_daemon.versioning.plan import make_commit, plan
from pggit_daemon.versioning.schema import Schema
from tests.unit.build import (
    FSH,
    START,
    Flyway,
    Follower,
    Liquibase,
    Wal,
    dropped,
    flyway_row,
    flyway_source,
    liquibase_source,
    psql,
    who,
)


def followed(wal: Wal) -> Follower:
    return Follower(flyway_source(), liquibase_source()).feed(*wal.transactions)


def names(follower: Follower, step: int) -> list[str]:
    return [name for name, _ in statements(follower.steps[step])]


def test_a_migration_is_one_commit_with_its_link() -> None:
    wal = Wal()
    Flyway(wal, who(1), who(2)).migrate("public.a")
    follower = followed(wal)
    (step,) = follower.steps
    assert step.commit is not None
    assert (step.commit.kind, step.commit.parent, step.commit.author) == (CommitKind.MIGRATION, None, "deploy")
    assert step.commit.message == "flyway: 1 step 1"
    assert step.commit.tree_hash == follower.stored.schema.tree.hash
    assert names(follower, 0) == [
        "insert_blobs",
        "insert_commit",
        "open_versions",
        "move_head",
        "put_migration",
        "link",
        "record_event",
        "put_row",
        "handled_events",
    ]
    values = dict(statements(step))
    assert (values["link"]["evidence"], values["link"]["part"], values["link"]["hash"]) == (
        "lock",
        False,
        step.commit.hash,
    )
    assert values["put_migration"]["applied_at"] == step.time
    assert values["put_row"]["columns"]["version"] == "1"


def test_the_same_decisions_give_the_same_hashes() -> None:
    hashes = []
    for _ in range(2):
        wal = Wal()
        Flyway(wal, who(1), who(2)).migrate("public.a")
        psql(wal, "public.b")
        hashes.append([step.commit.hash for step in followed(wal).steps if step.commit])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2


def test_the_hash_covers_what_it_says_and_no_time_zone() -> None:
    said = {
        "kind": CommitKind.MIGRATION,
        "tree_hash": "t",
        "parent": "p",
        "message": "m",
        "author": "a",
        "time": START,
        "lsn": LSN(1),
        "xid": 1,
        "metadata": {},
        "changes": (),
    }
    first = make_commit(**said).hash  # type: ignore[arg-type]
    others = {
        "kind": CommitKind.TOOL,
        "tree_hash": "u",
        "parent": None,
        "message": "n",
        "author": "b",
        "time": START + timedelta(microseconds=1),
        "lsn": LSN(2),
    }
    assert all(make_commit(**(said | {name: value})).hash != first for name, value in others.items())  # type: ignore[arg-type]
    moved = said | {"time": START.astimezone(timezone(timedelta(hours=5))), "xid": 9, "metadata": {"x": 1}}
    assert make_commit(**moved).hash == first  # type: ignore[arg-type]


def test_statements_without_an_effect_make_no_commit_but_are_handled() -> None:
    wal = Wal()
    psql(wal, "public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    again = tx.create("public.a")
    tx.commit()
    follower = followed(wal)
    assert follower.steps[1].commit is None
    assert list(statements(follower.steps[1])) == [("handled_events", {"ids": [again]})]


def test_a_data_only_migration_is_a_commit_of_the_same_tree() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate("public.a")
    run.migrate()
    first, second = [step.commit for step in followed(wal).steps]
    assert first is not None
    assert second is not None
    assert (second.tree_hash, second.parent, second.changes) == (first.tree_hash, first.hash, ())


def test_parts_are_linked_each_with_the_evidence() -> None:
    wal = Wal()
    run = Liquibase(wal, who(1))
    run.open()
    run.statements("public.a")
    psql(wal, "public.mine")
    run.statements("public.b")
    run.insert()
    run.close()
    follower = followed(wal)
    links = [values for step in follower.steps for name, values in statements(step) if name == "link"]
    assert [(link["evidence"], link["part"]) for link in links] == [("bracket", True), ("bracket", False)]
    assert {link["migration_id"] for link in links} == {1}
    first = follower.steps[0].commit
    assert first is not None
    assert first.message.endswith("(part)")


def test_an_out_of_band_change_of_an_object_opens_a_conflict_and_a_migration_settles_it() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate("public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    tx.ddl("DROP TABLE", dropped("public.a"))
    tx.commit()
    psql(wal, "public.c")
    follower = followed(wal)
    assert "out_of_band_conflicts" in names(follower, 1)
    assert "out_of_band_conflicts" not in names(follower, 2), "a new object is nobody's"
    message = follower.steps[1].commit.message if follower.steps[1].commit else ""
    assert message == "out of band: DROP TABLE public.a"


def test_a_late_link_names_the_commit_that_exists() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.lock()
    script, history = wal.begin(run.b), wal.begin(run.a)
    script.create("public.a")
    run.insert(history)
    done = script.commit()
    wal.sleep(60)
    history.commit()
    values = dict(statements(followed(wal).steps[1]))
    assert (values["link"]["late"], values["link"]["hash"]) == (str(done.commit_lsn), None)
    assert (values["put_migration"]["late"], values["put_migration"]["evidence"]) == (str(done.commit_lsn), "late")


def test_a_checksum_set_to_null_is_stored_as_null() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate()
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.UPDATE, flyway_row(1, "1", checksum=None), {"installed_rank": 1})
    tx.commit()
    values = dict(statements(followed(wal).steps[1]))
    assert (values["amend_migration"]["sets_checksum"], values["amend_migration"]["checksum"]) == (True, None)
    assert "checksum_conflict" in values


def test_a_removed_row_says_nothing_of_the_checksum() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate(success=False)
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.DELETE, {}, {"installed_rank": 1})
    tx.commit()
    values = dict(statements(followed(wal).steps[1]))
    assert (values["amend_migration"]["status"], values["amend_migration"]["sets_checksum"]) == ("removed", False)
    assert values["delete_row"] == {"source": str(FSH), "row_key": '["1"]'}
    assert values["record_event"]["migration_id"] == 1


def test_what_could_not_be_read_is_quarantined_without_nul() -> None:
    unit = Changeset(7, LSN(8), LSN(9), datetime(2026, 3, 1, tzinfo=UTC), ())
    decision = Decision(unit, None, unreadable=(Unreadable(LSN(3), "a\0b", "why"),))
    step = plan(decision, Schema(), None)
    assert step.commit is None
    assert list(statements(step)) == [("quarantine", {"lsn": "0/3", "xid": 7, "raw": "a\\0b", "reason": "why"})]


def test_new_ids_of_unchanged_objects_are_stored_without_a_commit() -> None:
    wal = Wal()
    psql(wal, "public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    tx.ddl("DROP TABLE", dropped("public.a"))
    made = dropped("public.a") | {"op": "set", "objid": 5, "definition": "CREATE table public.a;\n", "later": None}
    tx.ddl("CREATE TABLE", made | {"depends": [], "columns": ["id"]})
    tx.commit()
    values = dict(statements(followed(wal).steps[1]))
    assert values["move_versions"]["objid"] == [5]
    assert "insert_commit" not in values
