"""The commands that read the recorded history: log, show, diff."""

from __future__ import annotations

import psycopg
import pytest

from tests.integration.cli_support import HOSTILE, commit_hash, record, run


@pytest.fixture
def recorded(installed_database: str) -> str:
    """Give a database with the history of `cli_support.record`."""
    record(installed_database)
    return installed_database


def test_log(recorded: str) -> None:
    """Newest first, with migration and evidence; filters and --json."""
    text = run("log", dsn=recorded)
    assert (text.code, text.err) == (0, "")
    lines = [line.split()[0] for line in text.out.splitlines() if line.strip()[:1].isdigit()]
    assert lines == ["3", "2", "1"]
    assert "flyway:1 (lock)" in text.out
    assert "flyway:2 (part, window)" in text.out
    assert "ann / psql / 10.0.0.7" in text.out
    document = run("log", "--json", dsn=recorded).json
    assert [c["kind"] for c in document["commits"]] == ["out_of_band", "migration", "baseline"]
    second = document["commits"][1]
    assert second["hash"] == commit_hash(2)
    assert second["migrations"][0]["evidence"] == "lock"
    assert second["migrations"][0]["execution_ms"] == 12
    assert second["metadata"]["session"]["pid"] == 42
    assert [c["id"] for c in run("log", "--json", "-n", "1", dsn=recorded).json["commits"]] == [3]
    assert [c["id"] for c in run("log", "--json", "--tool", "liquibase", dsn=recorded).json["commits"]] == [1]
    assert [c["id"] for c in run("log", "--json", "--kind", "migration", dsn=recorded).json["commits"]] == [2]
    flyway = run("log", "--json", "--tool", "flyway", dsn=recorded).json["commits"]
    assert [c["id"] for c in flyway] == [3, 2]
    nothing = run("log", "--json", "--source", "nowhere", dsn=recorded)
    assert nothing.json["commits"] == []
    assert nothing.err == (
        "note: no migration of --source nowhere is recorded; there are:"
        " public.databasechangelog, public.flyway_schema_history\n"
    )
    assert "no migration of --tool flywya is recorded; there are: flyway, liq" in (
        run("log", "--tool", "flywya", dsn=recorded).err
    )
    for none, note in (
        (("--kind", "gap"), " of the kind gap"),
        (("--kind", "snapshot", "-n", "3"), " of the kind snapshot"),
    ):
        said = run("log", *none, dsn=recorded)
        assert (said.code, said.out, said.err) == (0, "", f"note: no commit is recorded{note}\n")
    unknown = run("log", "--kind", "foo", dsn=recorded)
    assert (unknown.code, unknown.out) == (2, "")
    assert "--kind foo: allowed: pending, baseline, migration, tool, out_of_band" in unknown.err


def test_log_fits_eighty_columns(recorded: str) -> None:
    """One line a commit, cut where the terminal ends; the message first, then the evidence or who it was."""
    text = run("log", dsn=recorded, COLUMNS="80").out
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert lines[0].endswith("out_of_band  ALTER TABLE (ann / psql / 10.0.0.7)")
    assert "2026-01-01 12:02  migration    flyway: 1 first (lock)" in lines[1]


@pytest.mark.parametrize("word", ["flyway:1", "flyway:1.2", "@2", commit_hash(2)[:7], commit_hash(2), "2"])
def test_show_by_every_form(recorded: str, word: str) -> None:
    """Ids, versions and hashes lead to the commit, or to the migration without one."""
    document = run("show", word, "--json", dsn=recorded).json
    if word in {"flyway:1.2", "2"}:
        assert document["commit"] is None
        assert document["migration"]["name"] == "second"
    else:
        assert document["commit"]["id"] == 2


def test_show_prints_evidence_and_diff(recorded: str) -> None:
    """A person sees who, on which evidence, and what the objects became."""
    shown = run("show", "flyway:1", dsn=recorded)
    assert shown.code == 0
    assert "lock" in shown.out
    assert "PostgreSQL JDBC Driver" in shown.out
    assert "changed table public.users" in shown.out
    assert "-    id integer\n+    id bigint\n" in shown.out
    a, b = commit_hash(1)[:12], commit_hash(2)[:12]
    assert f"--- a/table public.users\t{a}\n+++ b/table public.users\t{b}\n@@ " in shown.out


def test_a_number_that_is_a_migration_and_a_commit_is_said_to_be_both(recorded: str) -> None:
    """On stderr, in the commands that take one; nothing where only one is meant."""
    note = f"note: 2 is taken for flyway:2 in public.flyway_schema_history; the commit 2 {commit_hash(2)[:12]} is @2\n"
    assert run("show", "2", dsn=recorded).err == note
    assert run("show", "2", "--json", dsn=recorded).err == note
    assert run("diff", "@1", "2", dsn=recorded).err.startswith("error: migration flyway:2")
    with psycopg.connect(recorded) as conn:
        conn.execute("UPDATE pggit.external_migrations SET pggit_commit_id = 3 WHERE migration_id = 2")
    assert run("diff", "@1", "2", dsn=recorded).err.startswith(note)
    assert run("export", "2", dsn=recorded).err == note
    for word in ("@2", "flyway:2", "head"):
        assert run("show", word, dsn=recorded).err == ""


def test_the_first_commit_is_called_baseline(recorded: str) -> None:
    assert run("show", "baseline", "--json", dsn=recorded).json["commit"]["id"] == 1
    assert run("diff", "baseline", "head", "--json", dsn=recorded).json["from"]["id"] == 1
    assert run("export", "Baseline", "--json", dsn=recorded).json["commit"]["id"] == 1


def test_counts_of_a_commit_are_told_apart(recorded: str) -> None:
    """What it changed and what is recorded; how many statements it had and of how many the text is kept."""
    with psycopg.connect(recorded) as conn:
        conn.execute(
            "UPDATE pggit.commits SET kind = 'gap', metadata ="
            ' \'{"objects": 7, "statements": 2, "texts": ["DROP TABLE a"]}\' WHERE id = 3'
        )
    lines = {line[:18].strip(): line[18:].strip() for line in run("show", "@3", dsn=recorded).out.splitlines()}
    assert (lines["changed"], lines["objects recorded"]) == ("1 object", "7")
    assert lines["statements"] == "2, the text of 1 kept"


def test_what_a_tool_does_for_itself_is_told_as_that(recorded: str) -> None:
    """A row without DDL that saw its tool's own commit, and a rollback of a migration whose id is ours."""
    link_parts(recorded)
    with psycopg.connect(recorded) as conn:
        conn.execute(
            "UPDATE pggit.commits SET kind = 'tool', message = 'CREATE SCHEMA shop', metadata = '{\"source\": \"f\"}'"
            " WHERE id = 3"
        )
        conn.execute(
            "INSERT INTO pggit.external_migrations"
            " (migration_id, tool_name, source, version, pggit_commit_id, evidence, rollback_of, status)"
            " VALUES (-1000000000000000002, 'alembic', 'a', '3f2a', 2, 'transaction', 1000000000000000002, 'rollback')"
        )
    said = run("show", "flyway:8", dsn=recorded).out.splitlines()[0]
    assert said.endswith(", which is housekeeping of flyway itself (CREATE SCHEMA shop)")
    assert "rollback of alembic:3f2a (transaction)" in run("log", dsn=recorded).out


def link_parts(dsn: str) -> None:
    """Give flyway:7 two commits, the second with another's objects in it, and flyway:8 none of its own."""
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "INSERT INTO pggit.external_migrations"
            " (migration_id, tool_name, source, version, pggit_commit_id, evidence)"
            " VALUES (7, 'flyway', 'f', '7', 3, 'lock'), (8, 'flyway', 'f', '8', 3, 'none')"
        )
        conn.execute(
            "INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part, made, objects)"
            " VALUES ('flyway', 'f', 7, 2, 'lock', true, true, NULL),"
            " ('flyway', 'f', 7, 3, 'lock', false, true, '{table public.after}'),"
            " ('flyway', 'f', 8, 3, 'none', false, false, NULL)"
        )


def test_show_of_a_migration_has_all_its_commits_or_says_why_there_is_none(recorded: str) -> None:
    link_parts(recorded)
    both = run("show", "flyway:7", "--json", dsn=recorded).json
    assert (both["commit"]["id"], [commit["id"] for commit in both["commits"]], both["note"]) == (3, [2, 3], None)
    assert [(c["operation"], c["identity"]) for c in both["changes"]] == [
        ("changed", "public.users"),
        ("renamed", "public.after"),
    ]
    assert run("show", "flyway:7", dsn=recorded).out.count("\nparent ") == 2
    none = run("show", "flyway:8", dsn=recorded)
    said, *rest = none.out.splitlines()
    assert said == f"flyway:8 in f changed no schema: this is the one that it saw, commit 3 {commit_hash(3)[:12]}"
    # Who, when and how it ended are told as of any other.
    assert {line.split()[0] for line in rest} >= {"tool", "source", "migration_id", "version", "status", "evidence"}
    assert "flyway:8 (no schema change)" in run("log", dsn=recorded).out


def test_diff_of_a_migration_takes_all_its_commits(recorded: str) -> None:
    """And of a commit alone what it changed; what is not the migration's in a commit that it shares is left out."""
    link_parts(recorded)
    document = run("diff", "flyway:7", "--json", dsn=recorded).json
    assert (document["from"]["id"], document["to"]["id"]) == (1, 3)
    assert [(c["operation"], c["identity"]) for c in document["changes"]] == [
        ("renamed", "public.after"),
        ("changed", "public.users"),
    ]
    a, b = commit_hash(1)[:12], commit_hash(3)[:12]
    assert f"--- a/table public.users\t{a}\n+++ b/table public.users\t{b}\n@@ " in run("diff", "7", dsn=recorded).out
    none = run("diff", "flyway:8", dsn=recorded)
    assert "note: flyway:8 in f changed no schema" in none.err
    assert none.out == "no schema change\n"
    assert len(run("diff", "@3", "--json", dsn=recorded).json["changes"]) == 2
    first = run("diff", "@1", "--json", dsn=recorded).json
    assert (first["from"], first["to"]["id"], len(first["changes"])) == (None, 1, 3)
    assert run("diff", "1", "head", dsn=recorded).code == 2
    chosen = run("diff", "1", "head", "--tool", "liquibase", "--json", dsn=recorded).json
    assert (chosen["from"]["id"], chosen["to"]["id"]) == (1, 3)
    assert chosen["notes"][0].startswith("liquibase:1 in public.databasechangelog was there before the history began")


def test_show_of_an_ambiguous_id_names_the_candidates(recorded: str) -> None:
    """Flyway's 1 and Liquibase's 1 live side by side; --tool chooses, and so does what the error lists."""
    refused = run("show", "1", dsn=recorded)
    assert refused.code == 2
    assert "say which: flyway:1; liquibase:1" in refused.err
    assert run("show", "liquibase:1", "--json", dsn=recorded).json["commit"]["id"] == 1
    assert run("show", "1", "--tool", "liquibase", "--json", dsn=recorded).json["commit"]["id"] == 1


def test_a_version_is_that_of_the_migration_and_not_of_its_rollback(recorded: str) -> None:
    """After an upgrade and a downgrade both carry the version; the rollback is named by its negative id."""
    # As the daemon itself writes: nobody else may undo what a tool applied.
    with psycopg.connect(recorded, autocommit=True, options="-c session_replication_role=replica") as conn:
        conn.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, version, rollback_of, success)"
            " VALUES (7, 'alembic', 'public.alembic_version', 'a2', NULL, true),"
            " (-7, 'alembic', 'public.alembic_version', 'a2', 7, true),"
            " (8, 'alembic', 'public.alembic_version', 'a3', NULL, true),"
            " (9, 'alembic', 'public.alembic_version', 'a3', NULL, true),"
            " (9, 'alembic', 'other.alembic_version', 'a3', NULL, true)"
        )
    for word, number in (("alembic:a2", 7), ("a2", 7), ("alembic:-7", -7), ("1.2", 2)):
        assert run("show", word, "--json", dsn=recorded).json["migration"]["migration_id"] == number
    for word in ("alembic:a3", "a3"):
        several = run("show", word, dsn=recorded)
        assert several.code == 2
        assert several.err.startswith(
            "error: several migrations are called a3; say which:"
            " alembic:9 --source other.alembic_version; alembic:8; alembic:9 --source public.alembic_version"
        )
    assert run("show", "no such version", dsn=recorded).code == 5
    alone = run("show", "alembic:9", "--source", "other.alembic_version", "--json", dsn=recorded)
    assert alone.json["migration"]["source"] == "other.alembic_version"


def test_a_number_with_zeros_before_it_is_a_version_first(recorded: str) -> None:
    """Alembic's 0001 is nobody's id 1; where no tool has such a version, it is the number."""
    with psycopg.connect(recorded, autocommit=True, options="-c session_replication_role=replica") as conn:
        conn.execute(
            "INSERT INTO pggit.external_migrations (migration_id, tool_name, source, version, success)"
            " VALUES (1000000000000000001, 'alembic', 'public.alembic_version', '0001', true)"
        )
    assert run("show", "0001", "--json", dsn=recorded).json["migration"]["tool"] == "alembic"
    assert run("show", "alembic:0001", "--json", dsn=recorded).json["migration"]["tool"] == "alembic"
    assert run("show", "02", "--json", dsn=recorded).json["migration"]["migration_id"] == 2
    assert "several migrations are called 1; say which: flyway:1; liquibase:1" in run("show", "1", dsn=recorded).err


def test_a_migration_is_found_as_its_tool_prints_it_and_at_last_by_its_name(recorded: str) -> None:
    """Django keeps app and name, and prints them as one word with a dot. A name that several have names none."""
    insert = (
        "INSERT INTO pggit.external_migrations (tool_name, source, migration_id, version, migration_name, success)"
        " VALUES (%s, %s, %s, %s, %s, true)"
    )
    with psycopg.connect(recorded, autocommit=True, options="-c session_replication_role=replica") as conn:
        for number, app in enumerate(("core", "shop"), 1):
            version = f"{app} 0001_initial"
            conn.execute(insert, ["django", "public.django_migrations", 10**18 + number, version, "0001_initial"])
            conn.execute(insert, ["dated", "public.dated", 20260101 + number, str(20260101 + number), f"only in {app}"])
    for word in ("core.0001_initial", "core 0001_initial", "django:core.0001_initial"):
        found = run("show", word, "--json", dsn=recorded).json["migration"]
        assert (found["version"], "called_by" in found) == ("core 0001_initial", False)
    assert run("show", "only in shop", "--json", dsn=recorded).json["migration"]["version"] == "20260103"
    several = run("show", "0001_initial", dsn=recorded)
    assert several.code == 2
    assert "several migrations are called 0001_initial; say which: django:" in several.err
    with psycopg.connect(recorded) as conn:
        for function in ("analyze_migration_impact", "migration_diff"):
            for word in ("core.0001_initial", "core 0001_initial", "only in shop", "20260103", "1.2", "2"):
                conn.execute(f"SELECT * FROM pggit.{function}(%s::text)".encode(), [word])
            with pytest.raises(psycopg.errors.AmbiguousFunction, match="django core 0001_initial"), conn.transaction():
                conn.execute(f"SELECT * FROM pggit.{function}('0001_initial')".encode())
            with (
                pytest.raises(psycopg.errors.UndefinedObject, match='"none" is not recorded for dated'),
                conn.transaction(),
            ):
                conn.execute(f"SELECT * FROM pggit.{function}('none', 'dated')".encode())
        by_version = conn.execute("SELECT * FROM pggit.analyze_migration_impact('1.2')").fetchall()
        assert by_version
        assert by_version == conn.execute("SELECT * FROM pggit.analyze_migration_impact(2)").fetchall()
        assert by_version == conn.execute("SELECT * FROM pggit.analyze_migration_impact('2')").fetchall()


def test_diff_of_a_migration_before_the_first_commit_says_so(recorded: str) -> None:
    """What it changed is not known, which is another thing than that it changed nothing."""
    said = run("diff", "liquibase:1", dsn=recorded).out
    assert said.startswith("what it changed is not recorded: the history begins with commit 1 ")


def test_log_names_a_migration_that_changed_nothing_beside_the_one_whose_message_it_is(recorded: str) -> None:
    link_parts(recorded)
    with psycopg.connect(recorded) as conn:
        conn.execute("UPDATE pggit.external_migrations SET pggit_commit_id = 2 WHERE migration_id = 8")
        conn.execute("UPDATE pggit_daemon.link SET commit_id = 2 WHERE migration_id = 8")
    lines = run("log", dsn=recorded, COLUMNS="120").out.splitlines()
    assert lines[1].endswith("flyway: 1 first (lock; no schema change: flyway:8)")


def test_unknown_names_are_exit_5(recorded: str) -> None:
    """Also a migration without a commit, where a commit is needed."""
    for arguments in (("show", "flyway:99"), ("show", "@99"), ("show", "fffffff"), ("diff", "@1", "@99")):
        refused = run(*arguments, dsn=recorded)
        assert (refused.code, refused.out) == (5, "")
        assert refused.err.startswith("error: nothing is recorded under")
    unlinked = run("export", "flyway:2", dsn=recorded)
    assert unlinked.code == 5
    assert "is not linked to a commit" in unlinked.err


def test_diff(recorded: str) -> None:
    """Object by object; renames as renames; backwards it is the reverse; a hostile name cannot steer the terminal."""
    document = run("diff", "@1", "head", "--json", dsn=recorded).json
    assert [(c["operation"], c["old_identity"], c["identity"]) for c in document["changes"]] == [
        ("renamed", "public.before", "public.after"),
        ("dropped", f"public.{HOSTILE}", f"public.{HOSTILE}"),
        ("changed", "public.users", "public.users"),
    ]
    back = run("diff", "head", "@1", "--json", dsn=recorded).json
    assert [c["operation"] for c in back["changes"]] == ["renamed", "created", "changed"]
    text = run("diff", "@1", "head", dsn=recorded).out
    assert "renamed table public.after (was public.before)" in text
    assert "--- a/table public.evil" in text
    assert "+++ /dev/null\n" in text
    assert "+    id bigint" in text
    assert "\x1b" not in text
    assert '\\x1b[31m "quoted" [red]name' in text
    assert run("diff", "head", "@3", "--json", dsn=recorded).json["changes"] == []
    assert run("diff", "flyway:1", "@3", "--json", dsn=recorded).json["from"]["id"] == 2
