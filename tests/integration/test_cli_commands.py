"""The commands, as processes, over a database with a small recorded history."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sandbox import fork_server

HOSTILE = 'evil\x1b[31m "quoted" [red]name'

HISTORY = """
INSERT INTO pggit.commits (hash, branch_id, kind, author, message, occurred_at, source_lsn, source_xid,
                           tree_hash, objects_changed, metadata, parent_commit_hash)
SELECT encode(sha256(n::text::bytea), 'hex'), 1, kind, 'ann', message,
       '2026-01-01 12:00+00'::timestamptz + n * '1 min'::interval,
       ('0/' || n)::pg_lsn, 700 + n, 'tree' || n, 1, metadata::jsonb,
       CASE WHEN n > 1 THEN encode(sha256((n - 1)::text::bytea), 'hex') END
FROM (VALUES (1, 'baseline', 'Baseline', '{}'),
             (2, 'migration', 'flyway: 1 first',
              '{"session": {"application_name": "PostgreSQL JDBC Driver", "pid": 42}}'),
             (3, 'out_of_band', 'ALTER TABLE', '{"session": {"application_name": "psql", "client_addr": "10.0.0.7"}}'))
     AS c (n, kind, message, metadata);
INSERT INTO pggit.external_migrations (migration_id, tool_name, migration_name, source, version, status, evidence,
                                       success, pggit_commit_id, execution_time, applied_at, checksum)
VALUES (1, 'flyway', 'first', 'public.flyway_schema_history', '1', 'applied', 'lock', true, 2, '12 ms',
        '2026-01-01 12:02+00', '-77'),
       (1, 'liquibase', 'one', 'public.databasechangelog', 'a:1', 'applied', 'baseline', true, 1, NULL, now(), NULL),
       (2, 'flyway', 'second', 'public.flyway_schema_history', '1.2', 'applied', NULL, true, NULL, NULL, now(), NULL),
       (5, 'flyway', 'fifth', 'public.flyway_schema_history', '5', 'failed', NULL, false, NULL, NULL, now(), NULL);
INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, part)
VALUES ('flyway', 'public.flyway_schema_history', 1, 2, 'lock', false),
       ('flyway', 'public.flyway_schema_history', 2, 3, 'window', true);
INSERT INTO pggit_daemon.source (name, tool_name, preset, schema_name, table_name, origin)
VALUES ('public.flyway_schema_history', 'flyway', 'flyway', 'public', 'flyway_schema_history', 'discovered');
INSERT INTO pggit.conflicts (conflict_type, object_type, object_identifier, description)
VALUES ('out_of_band', 'table', 'public.users', 'changed by hand');
INSERT INTO pggit_daemon.progress (slot_name, commit_lsn, end_lsn, head, context)
VALUES ('cli_test', '0/3', '0/3', encode(sha256('3'), 'hex'), '{}');
"""


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: str, dsn: str | None = None, **variables: str) -> Outcome:
    """Run the program as a user would; the environment holds nothing that it was not given."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | variables
    options = ("--dsn", dsn) if dsn is not None else ()
    done = fork_server.run([*arguments, *options], environment=environment, timeout=60)
    return Outcome(done.returncode, done.stdout, done.stderr)


def commit_hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def add_version(
    conn: psycopg.Connection[Any], identity: str, objid: int, definition: str, *, begin: int, end: int | None
) -> None:
    conn.execute(
        "INSERT INTO pggit_daemon.blob VALUES (sha256(convert_to(%(d)s, 'UTF8')), %(d)s::text, NULL, '{}')"
        " ON CONFLICT DO NOTHING",
        {"d": definition},
    )
    conn.execute(
        "INSERT INTO pggit_daemon.object_version"
        " (type, schema_name, identity, classid, objid, blob, from_commit, to_commit)"
        " VALUES ('table', 'public', %s, 1259, %s, sha256(convert_to(%s, 'UTF8')), %s, %s)",
        (identity, objid, definition, begin, end),
    )


@pytest.fixture
def recorded(installed_database: str) -> str:
    """Give a database with three commits: users changes in 2, a table is renamed in 3, one is dropped in 3."""
    with psycopg.connect(installed_database) as conn:
        conn.execute(HISTORY)
        add_version(conn, "public.users", 1, "CREATE TABLE public.users (\n    id integer\n);\n", begin=1, end=2)
        add_version(conn, "public.users", 1, "CREATE TABLE public.users (\n    id bigint\n);\n", begin=2, end=None)
        add_version(conn, "public.before", 2, "CREATE TABLE public.before ();\n", begin=1, end=3)
        add_version(conn, "public.after", 2, "CREATE TABLE public.after ();\n", begin=3, end=None)
        add_version(conn, f"public.{HOSTILE}", 3, f"CREATE TABLE {HOSTILE};\n", begin=1, end=3)
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
    assert none.out == f"flyway:8 in f changed no schema: this is the one that it saw, commit 3 {commit_hash(3)[:12]}\n"
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
            "error: several migrations are called so; say which:"
            " alembic:9 --source other.alembic_version; alembic:8; alembic:9 --source public.alembic_version"
        )
    assert run("show", "no such version", dsn=recorded).code == 5
    alone = run("show", "alembic:9", "--source", "other.alembic_version", "--json", dsn=recorded)
    assert alone.json["migration"]["source"] == "other.alembic_version"


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


def test_status(recorded: str) -> None:
    """How far, which sources, what is open."""
    document = run("status", "--json", dsn=recorded).json
    (state,) = document["databases"].values()
    assert state["progress"]["end_lsn"] == "0/3"
    assert state["slot"] is None
    assert state["head"]["id"] == 3
    assert state["commits"] == {"baseline": 1, "migration": 1, "out_of_band": 1}
    assert state["conflicts"] == {"out_of_band": 1}
    assert state["findings"] == {"gap": 1, "failed": 1, "unlinked": 1, "drift": 1}
    assert (state["recorded_objects"], state["event_triggers_off"]) == (2, [])
    (source,) = state["sources"]
    assert (source["migrations"], source["unlinked"]) == ({"applied": 2, "failed": 1}, 1)
    text = run("status", dsn=recorded)
    assert text.code == 0
    assert "cli_test is missing" in text.out
    assert "2 applied, 1 failed" in text.out
    assert "1 drift, 1 failed, 1 gap, 1 unlinked; see pggit-daemon findings" in text.out
    assert "1 out_of_band; see SELECT * FROM pggit.list_conflicts()" in text.out
    with psycopg.connect(recorded, autocommit=True) as conn:
        conn.execute("INSERT INTO pggit.external_migrations (migration_id, tool_name) VALUES (1, 'own'), (2, 'other')")
        followed, by_hand = run("status", "--json", dsn=recorded).json["databases"].popitem()[1]["sources"]
        assert (by_hand["name"], by_hand["tool"], by_hand["table"]) == ("sql", "other, own", None)
        assert (followed["name"], sum(by_hand["migrations"].values())) == ("public.flyway_schema_history", 2)
        assert "SQL API" in run("status", dsn=recorded).out
        conn.execute("ALTER EVENT TRIGGER pggit_daemon_drop DISABLE")
    assert "missing or off: pggit_daemon_drop; pggit-daemon init" in run("status", dsn=recorded).out


def test_findings_are_listed_and_acknowledged(recorded: str) -> None:
    """By the name that `findings` gives; with a reason; by members of pggit_migrator, as the error says."""
    listed = run("findings", "--json", dsn=recorded).json["findings"]
    gap = "gap:public.flyway_schema_history:3-4"
    assert gap in [one["finding"] for one in listed]
    assert "Missing migrations 3 to 4" in run("findings", dsn=recorded).out
    assert run("acknowledge", gap, dsn=recorded).code == 2
    assert run("acknowledge", gap, "-r", "skipped", dsn=recorded).out == f"acknowledged: {gap}\n"
    assert gap not in run("findings", dsn=recorded).out
    (kept,) = run("findings", "--acknowledged", "--json", dsn=recorded).json["findings"]
    assert (kept["finding"], kept["reason"], kept["acknowledged_by"]) == (gap, "skipped", "postgres")
    assert run("acknowledge", gap, "--reopen", dsn=recorded).code == 0
    unknown = run("acknowledge", "gap:nowhere:1", "-r", "x", dsn=recorded)
    assert (unknown.code, "hint: pggit-daemon findings" in unknown.err) == (5, True)
    with psycopg.connect(recorded, autocommit=True) as conn:
        conn.execute('DROP ROLE IF EXISTS "a stranger"; CREATE ROLE "a stranger" LOGIN')
        refused = run("acknowledge", gap, "-r", "x", dsn=make_conninfo(recorded, user="a stranger"))
        conn.execute('DROP ROLE "a stranger"')
    assert refused.code == 4
    assert 'hint: GRANT pggit_migrator TO "a stranger";' in refused.err


def test_what_was_linked_by_hand_says_that_it_changed_nothing(recorded: str) -> None:
    """Its commit is another's: an empty page would look like a mistake."""
    with psycopg.connect(recorded, autocommit=True, options="-c session_replication_role=replica") as conn:
        conn.execute(
            "INSERT INTO pggit.external_migrations"
            " (migration_id, tool_name, source, evidence, pggit_commit_id, success)"
            " VALUES (44, 'custom', 'sql', 'manual', 3, true)"
        )
        conn.execute(
            "INSERT INTO pggit_daemon.link (tool_name, source, migration_id, commit_id, evidence, made)"
            " VALUES ('custom', 'sql', 44, 3, 'manual', false)"
        )
    assert run("show", "custom:44", dsn=recorded).out.startswith("custom:44 in sql changed no schema: ")
    assert run("export", "custom:44", dsn=recorded).err.startswith("note: custom:44 in sql changed no schema: ")


def test_findings_say_that_there_may_be_more(recorded: str) -> None:
    """Where the daemon has not come far enough, `none` alone would be believed."""
    with psycopg.connect(recorded, autocommit=True) as conn:
        (pending,) = conn.execute("SELECT pggit_daemon.pending()").fetchone() or ("",)
    assert pending
    shown = run("findings", dsn=recorded)
    assert (shown.code, shown.err) == (0, f"note: there may be more. {pending}\n")
    assert run("findings", "--json", dsn=recorded).json["pending"] == pending
    assert run("findings", "--acknowledged", dsn=recorded).err == ""


def test_several_databases(recorded: str, database: str, tmp_path: Path) -> None:
    """Reading commands want a choice; status shows all, and fails with the one that fails."""
    config = tmp_path / "c.toml"
    config.write_text(
        f'[[database]]\nname = "good"\ndsn = "{recorded}"\n'
        f'[[database]]\nname = "empty"\nslot = "other"\ndsn = "{database}"\n'
    )
    refused = run("log", "--config", str(config))
    assert refused.code == 2
    assert "choose one with --database: good, empty" in refused.err
    assert run("log", "--json", "-d", "good", PGGIT_DAEMON_CONFIG=str(config)).code == 0
    assert "allowed: good, empty" in run("log", "-d", "god", "-c", str(config)).err
    both = run("status", "--json", "-c", str(config))
    assert both.code == 4
    assert both.json["databases"]["good"]["head"]["id"] == 3
    assert "not installed" in both.json["databases"]["empty"]["error"]


def test_errors_are_one_block_with_what_to_do(database: str) -> None:
    """No traceback without --debug, no password ever."""
    missing = run("status", dsn=database)
    assert (missing.code, missing.out) == (4, "")
    assert missing.err.startswith("error: pggit-daemon is not installed")
    assert "hint: pggit-daemon init" in missing.err
    assert "Traceback" not in missing.err
    nobody = run("status", dsn="postgresql://u:hunter2@127.0.0.1:1/x")
    assert nobody.code == 3
    assert "hunter2" not in nobody.err
    assert "u:***@127.0.0.1:1" in nobody.err
    debug = run("--debug", "status", dsn="postgresql://u:hunter2@127.0.0.1:1/x")
    assert debug.code == 3
    assert "Traceback" in debug.err
    assert "hunter2" not in debug.err
    assert run("status").code == 2
    assert run("status", "--nonsense").code == 2
    assert run("status", "-c", "/nonexistent/c.toml").code == 2


def test_a_person_is_told_how_to_read_and_who_may_install(recorded: str) -> None:
    """No hint would give a person's role what the daemon's role has."""
    with psycopg.connect(recorded, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS cli_person; CREATE ROLE cli_person LOGIN IN ROLE pggit_reader")
        try:
            person = make_conninfo(recorded, user="cli_person")
            for command in ("status", "log", "findings", "verify"):
                refused = run(command, dsn=person)
                assert refused.code == 4
                assert "--role" not in refused.err
                assert "the daemon's role" in refused.err
                assert "GRANT pggit_reader TO" in refused.err
            for words in (["init"], ["init", "--role", "cli_person"], ["uninstall", "--yes"]):
                refused = run(*words, dsn=person)
                assert refused.code == 4
                assert refused.err.startswith("error: init and uninstall need a superuser, and cli_person is none")
            refused = run("init", "--dry-run", dsn=person)
            assert refused.code == 4
            assert refused.err.startswith("error: the role may not see what is installed in this database")
            assert "\nhint: connect as a superuser, as who runs the printed SQL must\n" in refused.err
        finally:
            conn.execute("DROP ROLE cli_person")


def test_libpq_variables_are_enough(recorded: str) -> None:
    """Without file and --dsn, PGSERVICE, PGHOST or PGDATABASE say where."""
    parts = psycopg.conninfo.conninfo_to_dict(recorded)
    variables = {
        name: str(parts[key])
        for name, key in (("PGHOST", "host"), ("PGPORT", "port"), ("PGUSER", "user"), ("PGDATABASE", "dbname"))
        if parts.get(key)
    }
    assert run("log", "--json", **variables).json["commits"][0]["id"] == 3


def test_init_and_uninstall(database: str, tmp_path: Path) -> None:
    """--dry-run changes nothing; again changes nothing; uninstall drops the slot, but not one that is read from."""
    plan = run("init", "--dry-run", dsn=database)
    assert plan.code == 0
    assert "CREATE SCHEMA" in plan.out
    assert run("status", dsn=database).code == 4
    missing = run("init", "--migrator", "No One", dsn=database)
    assert (missing.code, 'hint: CREATE ROLE "No One" LOGIN;' in missing.err) == (4, True)
    for option in ("--role", "--migrator"):
        assert run("init", option, "", dsn=database).code == 2
    assert run("status", dsn=database).code == 4
    first = run("init", "--json", dsn=database).json
    assert first["changed"]
    assert not run("init", "--json", dsn=database).json["changed"]
    assert "nothing to do" in run("init", dsn=database).out
    assert run("log", "--json", dsn=database).json["commits"] == []
    slot = f"cli_{Path(tmp_path).name}".lower().replace("-", "_")[:60]
    config = tmp_path / "c.toml"
    config.write_text(f'[[database]]\nname = "a"\nslot = "{slot}"\ndsn = "{database}"\n')
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("SELECT pg_create_logical_replication_slot(%s, 'wal2json')", (slot,))
    assert run("uninstall", "-c", str(config)).code == 2
    reader = psycopg.connect(database, autocommit=True, replication="database")
    try:
        reader.execute(f"START_REPLICATION SLOT {slot} LOGICAL 0/0")
        refused = run("uninstall", "--yes", "-c", str(config))
        assert refused.code == 4
        assert "still read from" in refused.err
    finally:
        reader.close()
    done = run("uninstall", "--yes", "--json", "-c", str(config)).json
    assert done["dropped_slots"] == [slot]
    assert "was not installed" in run("uninstall", "--yes", dsn=database).out


def test_config_check(tmp_path: Path) -> None:
    """Shows what counts without connecting, and no password; a wrong file is exit 2 with all its errors."""
    config = tmp_path / "c.toml"
    config.write_text('[[database]]\nname = "a"\ndsn = "postgresql://u:hunter2@nowhere/d"\n')
    good = run("config", "check", "-c", str(config))
    assert (good.code, good.err) == (0, "")
    assert "correct" in good.out
    assert "hunter2" not in good.out
    document = run("config", "check", "--json", PGGIT_DAEMON_CONFIG=str(config)).json
    assert document["config"]["daemon"]["http_port"] == 8432
    assert document["config"]["database"][0]["dsn"] == "postgresql://u:***@nowhere/d"
    config.write_text('[[database]]\nname = "a"\nslott = "x"\ngrace_seconds = -1\n')
    bad = run("config", "check", "-c", str(config))
    assert bad.code == 2
    assert f"{config}: 2 errors" in bad.err
    assert "did you mean 'slot'?" in bad.err


def test_version_and_help() -> None:
    """The program says what it is, and its help the exit codes."""
    assert run("--version").out.startswith("pggit-daemon ")
    assert "Exit codes:" in run("--help").out
