"""What the configuration takes, and what it says about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pggit_daemon.config import Config, find_path, for_dsn, load, parse, redact, redact_dsn
from pggit_daemon.config.load import DEFAULT_PATH
from pggit_daemon.errors import ConfigError
from pggit_daemon.model.table_names import parse_table
from pggit_daemon.model.transaction import TableName

GOOD = '[[database]]\nname = "app"\n'
SOURCE = '[[database.source]]\nname = "ops"\ntable = "ops.log"\ncolumns = { id = "n" }\n'


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, origin="c.toml")
    assert caught.value.exit_code == 2
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.toml: database: missing"),
        ("database = []", "c.toml: database: no [[database]] section"),
        (
            GOOD + "[daemon]\nhtp_port = 1",
            "daemon.htp_port: unknown key; did you mean 'http_port'? allowed: log_level,",
        ),
        (GOOD + 'grace_seconds = "30"', "database[0].grace_seconds = '30': allowed: number (seconds that"),
        (GOOD + "grace_seconds = 0", "database[0].grace_seconds = 0: allowed: greater than 0"),
        (GOOD + "grace_seconds = inf", "database[0].grace_seconds = inf: allowed: a finite number"),
        (GOOD + "create_baseline = 1", "database[0].create_baseline = 1: allowed: boolean"),
        (GOOD + 'plugin = "test_decoding"', "database[0].plugin = 'test_decoding': allowed: 'auto'"),
        (GOOD + 'slot = "My-Slot"', "database[0].slot = 'My-Slot': allowed: 1 to 63 lower-case letters"),
        (GOOD + f'slot = "{"s" * 64}"', "database[0].slot = "),
        (GOOD + 'dsn = "host=h replication=database"', "without 'replication'"),
        (GOOD + "[daemon]\nhttp_port = 65536", "daemon.http_port = 65536: allowed: less than or equal to 65535"),
        (GOOD + "[daemon]\nhttp_port = true", "daemon.http_port = true: allowed: integer"),
        (GOOD + '[daemon]\nlog_level = "loud"', "daemon.log_level = 'loud': allowed: 'debug', 'info', 'warning' or"),
        ("daemon = 3\n" + GOOD, "daemon = 3: allowed: a table"),
        ('[database]\nname = "a"', "allowed: an array of tables, each under [[…]]"),
        ('[[database]]\nname = "a b"', "database[0].name = 'a b': allowed: 1 to 63 letters"),
        (GOOD + GOOD + 'slot = "other"', "database[1].name = 'app': given twice"),
        (GOOD + '[[database]]\nname = "b"', "'app' and 'b' use the slot 'pggit_daemon' on the same server"),
        (GOOD + SOURCE + SOURCE, "database[0].source[1].name = 'ops': given twice"),
        (GOOD + SOURCE + SOURCE.replace('"ops"', '"o2"'), "database[0].source[1].table = 'ops.log': given twice"),
        (GOOD + SOURCE.replace("ops.log", "log"), "database[0].source[0].table = 'log': allowed: schema.table"),
        (GOOD + SOURCE.replace("id =", "name ="), "database[0].source[0].columns.id: missing; it is required"),
        (GOOD + SOURCE + 'ddl = "before"', "database[0].source[0].ddl = 'before': allowed: 'same' or 'after'"),
        (GOOD + SOURCE + "colums = 1", "database[0].source[0].colums: unknown key; did you mean 'columns'?"),
        ("nonsense", "c.toml: not TOML"),
    ],
)
def test_errors_name_file_key_given_and_allowed(text: str, message: str) -> None:
    """What a person reads after a mistake says where it is and what to write instead."""
    assert message in refused(text)


def test_all_errors_come_at_once() -> None:
    """Nobody mends a file one error a run."""
    message = refused(GOOD + 'slot = "X"\ngrace_seconds = 0\n[daemon]\nhttp_port = -1')
    assert message.startswith("c.toml: 3 errors")
    assert all(key in message for key in ("database[0].slot", "database[0].grace_seconds", "daemon.http_port"))


@pytest.mark.parametrize(
    "dsn", ["host=h hunter2", "postgresql://u:hunter2@h/d?x=1", "host=h password=hunter2 replication=1"]
)
def test_errors_do_not_repeat_passwords(dsn: str) -> None:
    """Also where libpq cannot tell what the word was meant to be."""
    assert "hunter2" not in refused(GOOD + f'dsn = "{dsn}"')
    with pytest.raises(ConfigError) as caught:
        for_dsn(dsn)
    assert "hunter2" not in str(caught.value)


def test_values_are_frozen_and_hide_the_dsn() -> None:
    """A configuration does not change under those who hold it, and its repr may be logged."""
    config = parse(GOOD + 'dsn = "password=hunter2"', origin="c.toml")
    with pytest.raises(ValidationError, match="frozen"):
        config.databases[0].slot = "x"
    assert "hunter2" not in repr(config)


def test_same_slot_name_on_other_servers_is_allowed() -> None:
    """Slots are unique within a server only."""
    text = "".join(f'[[database]]\nname = "{h}"\ndsn = "host={h}"\n' for h in ("a", "b"))
    assert [d.slot for d in parse(text, origin="c").databases] == ["pggit_daemon"] * 2


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("", "default"),
        ("dbname=app", "app"),
        ("postgresql://u:p@h/the%20app", "the_app"),
        ("dbname='…'", "_"),
        ("host=h", "default"),
    ],
)
def test_a_dsn_alone_is_a_configuration(dsn: str, name: str) -> None:
    """--dsn: the database's own name becomes the label where it may."""
    (database,) = for_dsn(dsn).databases
    assert (database.name, database.dsn) == (name, dsn)


def test_lookup_order(tmp_path: Path) -> None:
    """--config wins over $PGGIT_DAEMON_CONFIG, which wins over /etc."""
    option, variable = tmp_path / "a", tmp_path / "b"
    assert find_path(option, {"PGGIT_DAEMON_CONFIG": str(variable)}) == option
    assert find_path(None, {"PGGIT_DAEMON_CONFIG": str(variable)}) == variable
    assert find_path(None, {}) == (DEFAULT_PATH if DEFAULT_PATH.exists() else None)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder, and bytes that are no text."""
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 8"):
        load(tmp_path / "bad.toml")
    (tmp_path / "good.toml").write_text(GOOD)
    assert isinstance(load(tmp_path / "good.toml"), Config)


@pytest.mark.parametrize(
    ("text", "schema", "table"),
    [
        ("public.migrations", "public", "migrations"),
        ("Public.Migrations", "public", "migrations"),
        ('ops."My Table"', "ops", "My Table"),
        ('"a.b"."c""d"', "a.b", 'c"d'),
        ("ÄRGER.TÄST", "Ärger", "tÄst"),
        (f"a.{'t' * 63}", "a", "t" * 63),
    ],
)
def test_table_names_follow_sql(text: str, schema: str, table: str) -> None:
    """Folded unless quoted; only ASCII is folded, as the server does it in UTF-8."""
    assert parse_table(text) == TableName(schema, table)


@pytest.mark.parametrize("text", ["", "t", "a.b.c", "a.", '"a.b', "a b.c", "1a.b", '"".x', f'a."{"ü" * 32}"'])
def test_what_is_no_table_name(text: str) -> None:
    """Longer than 63 bytes is cut by the server, so it would never match."""
    with pytest.raises(ValueError, match="allowed"):
        parse_table(text)


names = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), min_size=1, max_size=15)


@given(names, names)
def test_quoting_round_trips(schema: str, table: str) -> None:
    """Every name that a table can have can be written."""
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))
    assert parse_table(quoted) == TableName(schema, table)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:hunter2@h/d",
        "postgresql://u:hun@ter/2hunter2@h/d",
        "connecting to host=h password=hunter2 failed",
        "password = 'it\\'s hunter2' user=u",
        "PASSWORD=hunter2&x",
        "postgresql://h/d?user=u&password=hunter2",
        "ALTER ROLE r WITH LOGIN PASSWORD 'hunter2''hunter2'",
        "sslpassword=hunter2",
    ],
)
def test_redact_hides_passwords(text: str) -> None:
    """In every form that libpq and SQL know."""
    assert "hunter2" not in redact(text)
    assert "***" in redact(text)


@given(st.text(st.characters(whitelist_categories=["L", "N", "P", "S"]), min_size=1, max_size=20))
def test_redact_hides_any_password_of_one_word(password: str) -> None:
    """Whatever characters it has, percent signs and quotes included, nothing of it is left behind."""
    assert redact(f"postgresql://user:{password}@host/db") == "postgresql://user:***@host/db"


def test_a_misspelt_keyword_of_a_connection_string_is_named() -> None:
    """As --dsn, where it was given there; what may be of a password is not repeated."""
    with pytest.raises(ConfigError) as caught:
        for_dsn("hst=x")
    assert caught.value.message.startswith("--dsn: invalid connection option \"hst\" (did you mean 'host'?); allowed: ")
    for dsn in ("password=my hunter2=x", "host=h hunter2", "postgresql://u@h/d?hunter2=1"):
        with pytest.raises(ConfigError) as caught:
            for_dsn(dsn)
        assert "hunter2" not in caught.value.message


def test_redact_leaves_the_rest() -> None:
    """Ports, users and hosts stay readable; what libpq cannot read is hidden whole."""
    assert redact("postgresql://h:5432/d and 12:30") == "postgresql://h:5432/d and 12:30"
    assert redact_dsn("host=h user=u password=x") == "host=h user=u password=***"
    assert redact_dsn("host=h oops") == "***"
