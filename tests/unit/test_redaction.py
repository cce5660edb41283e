"""What is hidden in texts, and that nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from pggit_daemon.config import redact, redact_dsn
from pggit_daemon.config.redaction import HIDDEN, SHOWN
from pggit_daemon.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        ("(host=h password=hunter2), then more", "(host=h password=***), then more"),
        ('connection string "host=h password=hunter2" is bad', 'connection string "host=h password=***" is bad'),
        ("password='hunter2 hunter2' user=u", "password=*** user=u"),
        ("password='hunter2 hunter2", "password=***"),
        ("password='hunter2\nthe next line doesn't end", "password=***\nthe next line doesn't end"),
        (r"password=hunter2\ hunter2 user=u", "password=*** user=u"),
        ("postgresql://h/d?password=hunter2&sslmode=require", "postgresql://h/d?password=***&sslmode=require"),
        ("postgresql://u:hun@ter2@h/d failed, mail a@b", "postgresql://u:***@h/d failed, mail a@b"),
        ('{"dsn": "postgresql://u:hunter2@h/d", "mail": "a@b"}', '{"dsn": "postgresql://u:***@h/d", "mail": "a@b"}'),
        ("{'dsn': 'host=h password=hunter2', 'b': 1}", "{'dsn': 'host=h password=***', 'b': 1}"),
        ('"password": "hunter2", "a": 1', '"password": ***, "a": 1'),
        ("ALTER ROLE x PASSWORD 'hunter2' VALID UNTIL 'x'", "ALTER ROLE x PASSWORD *** VALID UNTIL 'x'"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("options='-c my.secret=hunter2' host=h", "options=*** host=h"),
        ("scram_client_key=hunter2 port=1", "scram_client_key=*** port=1"),
        ('dsn = ["host=h password=hunter2"]: allowed: a string', 'dsn = ["host=h password=***"]: allowed: a string'),
    ],
)
def test_the_secret_goes_and_the_rest_stays(text: str, shown: str) -> None:
    """In connection strings, URIs, JSON, statements and prose."""
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    ['FATAL: password authentication failed for user "u"', "the password is wrong; a=b", "lsn=0/1 xid=7 user=u", "a@b"],
)
def test_what_is_no_secret_is_not_touched(text: str) -> None:
    assert redact(text) == text


@given(st.dictionaries(st.sampled_from(["password", "sslpassword", "options"]), st.text("hunter2'\\ ", min_size=1)))
def test_of_a_connection_string_only_the_list_is_shown(secrets: dict[str, str]) -> None:
    """Whatever libpq lets a value hold."""
    shown = redact_dsn(make_conninfo("host=h port=5", **secrets))
    rest = shown.replace(HIDDEN, "").replace("options=", "").replace("sslpassword=", "").replace("password=", "")
    assert sorted(rest.split()) == ["host=h", "port=5"]


def test_the_list_holds_no_secret() -> None:
    assert not {"password", "sslpassword", "scram_client_key", "oauth_client_secret", "options"} & SHOWN


def test_a_uri_keeps_its_form_and_what_libpq_cannot_read_is_hidden_whole() -> None:
    assert redact_dsn("postgresql://u:hunter2@h:5/d") == "postgresql://u:***@h:5/d"
    assert redact_dsn("host=h hunter2") == HIDDEN
    assert "hunter2" not in redact_dsn("postgresql://u@h/d?options=-cmy.secret%3Dhunter2")


def test_a_connection_string_of_the_wrong_type_is_not_repeated() -> None:
    """`dsn = ["…"]` is a mistake that people make."""
    from pggit_daemon.config import parse  # noqa: PLC0415  (beside what it is about)

    with pytest.raises(ConfigError, match=r"database\[0\]\.dsn = '\*\*\*'") as caught:
        parse('[[database]]\nname = "a"\ndsn = ["host=h password=hunter2 hunter2"]\n', origin="x")
    assert "hunter2" not in str(caught.value)
