"""The commands, as processes, over a database with a small recorded history; log, show and diff have their own file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.cli_support import record, run


@pytest.fixture
def recorded(installed_database: str) -> str:
    """Give a database with the history of `cli_support.record`."""
    record(installed_database)
    return installed_database


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
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS only_granted; CREATE ROLE only_granted")
    granting = ("init", "--migrator", "only_granted")
    assert "as before; rights are granted" in run(*granting, dsn=database).out
    assert "nothing to do" in run(*granting, dsn=database).out
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
    assert "differs from the defaults" not in good.out
    assert "correct" in good.out
    assert "hunter2" not in good.out
    document = run("config", "check", "--json", PGGIT_DAEMON_CONFIG=str(config)).json
    assert document["config"]["daemon"]["http_port"] == 8432
    assert document["config"]["database"][0]["dsn"] == "postgresql://u:***@nowhere/d"
    text = config.read_text()
    own = '[[database.source]]\nname = "own"\ntable = "ops.mig"\nddl = "after"\n[database.source.columns]\nid = "v"\n'
    config.write_text(f"{text}verify_interval_seconds = 77.0\ndiscover = false\n{own}")
    lines = [line.split() for line in run("config", "check", "-c", str(config)).out.splitlines()]
    assert ["verify_interval_seconds", "77.0"] in lines
    assert ["discover", "no"] in lines
    assert ["source", "own", "ddl", "after"] in lines
    config.write_text(f"{text}grace_seconds = 1.0\ngrace_seconds = 2.0\n")
    twice = run("config", "check", "-c", str(config)).err
    assert "(at line 5, column 20): grace_seconds = …, which stands there twice" in twice
    config.write_text('[[database]]\nname = "a"\nslott = "x"\ngrace_seconds = -1\n')
    bad = run("config", "check", "-c", str(config))
    assert bad.code == 2
    assert f"{config}: 2 errors" in bad.err
    assert "did you mean 'slot'?" in bad.err


def test_version_and_help() -> None:
    """The program says what it is, and its help the exit codes."""
    assert run("--version").out.startswith("pggit-daemon ")
    told = " ".join(run("--help").out.replace("│", " ").split())
    assert "Exit codes:" in told
    assert "5 no such commit, migration, finding, table or object" in told


@pytest.mark.parametrize("words", [("log", "--json"), ("log",), ("tools", "list"), ("show", "@2")])
def test_a_reader_that_is_gone_is_no_failure(recorded: str, words: tuple[str, ...]) -> None:
    """As every program under `| head`: ended by SIGPIPE, without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, "-m", "pggit_daemon", *words, "--dsn", recorded]
    try:
        done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
