"""Segments become commits with hashes, and commits become operations of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import RowOp, Unreadable
from pggit_daemon.store.statements import statements
from pggit_daemon.versioning.plan import Commit, Step, closing, make_commit
from tests.unit.build import (
    FSH,
    START,
    Flyway,
    Follower,
    Liquibase,
    Wal,
    dropped,
    element,
    flyway_row,
    flyway_source,
    liquibase_source,
    psql,
    who,
)


def followed(wal: Wal) -> Follower:
    return Follower(flyway_source(), liquibase_source()).feed(*wal.transactions)


def names(step: Step) -> list[str]:
    return [name for name, _ in statements(step)]


def commits(follower: Follower) -> list[Step]:
    return [step for step in follower.steps if step.commit is not None]


def test_a_migration_is_recorded_at_once_and_linked_when_its_row_comes() -> None:
    wal = Wal()
    Flyway(wal, who(1), who(2)).migrate("public.a")
    follower = followed(wal)
    ddl, row = follower.steps
    assert ddl.commit is not None
    assert (ddl.commit.kind, ddl.commit.parent, ddl.commit.author) == (CommitKind.PENDING, None, "deploy")
    assert (ddl.commit.message, ddl.commit.summary) == ("pending: CREATE TABLE public.a", "CREATE TABLE public.a")
    assert ddl.commit.tree_hash == follower.stored.record.logged.tree.hash
    assert names(ddl) == ["insert_commit", "handled_events"]
    assert names(row) == ["record_migration", "attribute_commit", "decided_migration", "forget", "remember"]
    values = dict(statements(row))
    recorded = values["record_migration"]
    assert (recorded["evidence"], recorded["part"], recorded["hash"]) == ("lock", False, ddl.commit.hash)
    assert recorded["made"] is True
    assert values["attribute_commit"]["message"] == "flyway: 1 step 1"
    assert recorded["applied_at"] == row.time
    assert recorded["new"]["version"] == "1"


def test_the_same_transactions_give_the_same_hashes() -> None:
    hashes = []
    for _ in range(2):
        wal = Wal()
        Flyway(wal, who(1), who(2)).migrate("public.a")
        psql(wal, "public.b")
        hashes.append([step.commit.hash for step in followed(wal).steps if step.commit])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 2


def test_the_hash_covers_the_content_and_nothing_else() -> None:
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
        "ordinal": 0,
    }
    first = make_commit(**said).hash  # type: ignore[arg-type]
    others = {
        "tree_hash": "u",
        "parent": None,
        "message": "n",
        "author": "b",
        "time": START + timedelta(microseconds=1),
        "lsn": LSN(2),
        "ordinal": 1,
    }
    assert all(make_commit(**(said | {name: value})).hash != first for name, value in others.items())  # type: ignore[arg-type]
    moved = said | {"time": START.astimezone(timezone(timedelta(hours=5))), "xid": 9, "metadata": {"x": 1}}
    assert make_commit(**(moved | {"kind": CommitKind.TOOL})).hash == first  # type: ignore[arg-type]


def test_statements_without_an_effect_make_no_commit_but_are_handled() -> None:
    wal = Wal()
    psql(wal, "public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    again = tx.create("public.a")
    tx.commit()
    last = followed(wal).steps[-1]
    assert last.commit is None
    assert list(statements(last)) == [("handled_events", {"ids": [again]})]


def test_a_data_only_migration_makes_no_commit() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate("public.a")
    run.migrate()
    follower = followed(wal)
    (made,) = commits(follower)
    assert made.commit is not None
    recorded = dict(statements(follower.steps[-1]))["record_migration"]
    assert (recorded["hash"], recorded["made"], recorded["evidence"]) == (made.commit.hash, False, "none")


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
    links = [
        values for step in follower.steps for name, values in statements(step) if name in {"link", "record_migration"}
    ]
    assert [(link["evidence"], link["part"]) for link in links] == [("bracket", True), ("bracket", False)]
    assert {link["migration_id"] for link in links} == {1}
    assert follower.messages[0].endswith("(part)")


def test_a_row_that_waits_is_recorded_at_once_and_linked_later() -> None:
    """Flyway holds its lock meanwhile, so the DDL could be its own until its row and the end of the bracket tell."""
    wal = Wal()
    flyway, run = Flyway(wal, who(1), who(2)), Liquibase(wal, who(3))
    flyway.lock()
    run.open()
    wal.sleep(2)
    run.run("public.a")
    follower = followed(wal)
    first = len(wal.transactions)
    recorded = dict(statements(follower.steps[-1]))
    assert (recorded["put_migration"]["hash"], recorded["put_migration"]["evidence"]) == (None, None)
    assert "link" not in recorded
    flyway.migrate("public.b")
    run.close()
    follower.feed(*wal.transactions[first:])
    later = [values for name, values in statements(follower.steps[-1]) if name in {"link", "link_row"}]
    link, row = (values for values in later if values["migration_id"] == 1 and values["tool"] == "liquibase")
    assert link["hash"] == row["hash"] == next(iter(follower.stored.commits))
    assert (row["lsn"], row["evidence"]) == (recorded["put_migration"]["lsn"], "bracket")
    assert "put_migration" not in names(follower.steps[-1])


def test_an_out_of_band_change_of_an_object_opens_a_conflict_and_a_migration_settles_it() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate("public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    tx.ddl("DROP TABLE", dropped("public.a"))
    tx.commit()
    psql(wal, "public.c")
    follower = followed(wal)
    _, dropping, making = commits(follower)
    assert "out_of_band_conflicts" in names(dropping)
    assert "out_of_band_conflicts" not in names(making), "a new object is nobody's"
    assert follower.messages[1] == "out of band: DROP TABLE public.a"


def test_a_checksum_set_to_null_is_stored_as_null() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate()
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.UPDATE, flyway_row(1, "1", checksum=None), {"installed_rank": 1})
    tx.commit()
    values = dict(statements(followed(wal).steps[-1]))
    assert (values["amend_migration"]["sets_checksum"], values["amend_migration"]["checksum"]) == (True, None)
    assert "checksum_conflict" in values


def test_a_removed_row_says_nothing_of_the_checksum() -> None:
    wal = Wal()
    run = Flyway(wal, who(1), who(2))
    run.migrate(success=False)
    tx = wal.begin(run.a)
    tx.row(FSH, RowOp.DELETE, {}, {"installed_rank": 1})
    tx.commit()
    values = dict(statements(followed(wal).steps[-1]))
    assert (values["amend_migration"]["status"], values["amend_migration"]["sets_checksum"]) == ("removed", False)
    assert values["delete_row"] == {"source": str(FSH), "row_key": '["1"]'}
    assert values["record_event"]["migration_id"] == 1


def test_what_could_not_be_read_is_quarantined_without_nul() -> None:
    bad = Unreadable(LSN(3), "a\0b", "why")
    step = closing(Changeset(7, LSN(8), LSN(9), datetime(2026, 3, 1, tzinfo=UTC), (bad,)))
    assert list(statements(step)) == [("quarantine", {"lsn": "0/3", "xid": 7, "raw": "a\\0b", "reason": "why"})]


def test_new_ids_of_unchanged_objects_are_stored_without_a_commit() -> None:
    wal = Wal()
    psql(wal, "public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    tx.ddl("DROP TABLE", dropped("public.a"))
    made = dropped("public.a") | {"op": "set", "objid": 5, "definition": "CREATE table public.a;\n", "later": None}
    tx.ddl("CREATE TABLE", made | {"depends": [], "columns": ["id"]})
    tx.commit()
    values = dict(statements(followed(wal).steps[-1]))
    assert values["move_versions"]["objid"] == [5]
    assert "insert_commit" not in values


def said_of(*statements: tuple[str, tuple[dict[str, Any], ...]]) -> str:
    """The summary of a transaction with these statements, after public.a was made and recorded."""
    return commit_of(*statements).summary


def commit_of(*statements: tuple[str, tuple[dict[str, Any], ...]]) -> Commit:
    """The commit of such a transaction."""
    wal = Wal()
    psql(wal, "public.a")
    tx = wal.begin(who(900, "psql", "dba"))
    for tag, of in statements:
        tx.ddl(tag, *of)
    tx.commit()
    commit = followed(wal).steps[-1].commit
    assert commit is not None
    return commit


def test_a_summary_names_what_is_gone_as_it_was_recorded_however_the_session_quotes_names() -> None:
    gone = dropped("public.a") | {"identity": '"public"."a"'}
    assert said_of(("DROP TABLE", (gone,))) == "DROP TABLE public.a"
    rewritten = gone | {"op": "rewrite"}
    wider = element("public.a", columns=("id",), definition="CREATE TABLE public.a (id bigint);\n")
    assert said_of(("ALTER TABLE", (rewritten,)), ("ALTER TABLE", (wider,))) == "ALTER TABLE public.a"


def test_a_summary_passes_over_what_was_no_object_of_ours() -> None:
    """As the script of CREATE EXTENSION hstore drops operators that an earlier version of it made."""
    member = dropped("public.@(public.hstore,public.hstore)")
    beside = element("hstore", direct=False)
    statements = (("DROP OPERATOR", (member, beside)), ("CREATE EXTENSION", (element("hstore"),)))
    assert said_of(*statements) == "CREATE EXTENSION hstore"


def test_metadata_counts_no_statement_of_an_extensions_script() -> None:
    """What a person ran is one command, whatever the extension's script dropped on the way."""
    member = dropped("public.@(public.hstore,public.hstore)")
    statements = (("DROP OPERATOR", (member,)), ("CREATE EXTENSION", (element("hstore"),)))
    metadata = commit_of(*statements).metadata
    assert metadata["commands"] == ["CREATE EXTENSION"]
    assert (metadata["statements"], len(metadata["texts"])) == (1, 1)


def test_what_a_statement_dropped_and_rewrote_is_said_with_it() -> None:
    """Up to three events are of one statement; the next statement of the same command is another."""
    wider = element("public.a", columns=("id",), definition="CREATE TABLE public.a (id bigint);\n")
    other = element("public.b", columns=("id",))
    events = (
        ("ALTER TABLE", (dropped("public.a") | {"op": "rewrite"},)),
        ("ALTER TABLE", (dropped("public.gone"),)),
        ("ALTER TABLE", (wider,)),
        ("ALTER TABLE", (other,)),
    )
    commit = commit_of(*events)
    assert commit.summary == "ALTER TABLE public.a; ALTER TABLE public.b"
    assert (commit.metadata["statements"], commit.metadata["texts"]) == (2, ["ALTER TABLE", "ALTER TABLE"])


def test_a_summary_names_what_a_transaction_made_and_dropped_again() -> None:
    passing, other = element("public.passing", columns=("id",)), element("public.b", columns=("id",))
    again = dropped("public.passing") | {"identity": '"public"."passing"'}
    said = said_of(("CREATE TABLE", (passing,)), ("DROP TABLE", (again,)), ("CREATE TABLE", (other,)))
    assert said == "CREATE TABLE public.passing; DROP TABLE public.passing; CREATE TABLE public.b"
