"""Connections of subscriptions: what is known to be harmless is told, everything else is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[psycopg.Connection[tuple[str]]]:
    with psycopg.connect(cluster.dsn(installed_template), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    ("connection", "masked"),
    [
        ("host=h port=5432 dbname=d user=u", "host=h port=5432 dbname=d user=u"),
        ("host = h  password = word dbname = d", "host=h password=*** dbname=d"),
        ("password='a word'", "password=***"),
        (r"password='it\'s' host=h", "password=*** host=h"),
        (r"password=two\ words host=h", "password=*** host=h"),
        (r"password='\\' host=h", "password=*** host=h"),
        ("host=h password=", "host=h password=***"),
        ("passfile=/p sslpassword=x scram_client_key=k scram_server_key=s oauth_client_secret=o", None),
        ("options='-c some.secret=x' host=h", "options=*** host=h"),
        ("a_keyword_of_tomorrow=word host=h", "a_keyword_of_tomorrow=*** host=h"),
        ("PASSWORD=word host=h", "PASSWORD=*** host=h"),
        ("dbname='host=x password=word'", "dbname=***"),
        ("dbname=postgres://u:word@h/d", "dbname=***"),
        ("", ""),
        ("half a sentence", ""),
        ("password='never ends", ""),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgres://u@h:5432,[::1]:5433/d?sslmode=require", "postgres://u@h:5432,[::1]:5433/d?sslmode=require"),
        ("postgres://u:word@h", "postgres://u:***@h"),
        ("postgres://u:wo@rd@h/d", "postgres://u:***@h/d"),
        ("postgres://u:wo/word@h/d", ""),
        ("postgres://:word@h/d", "postgres://:***@h/d"),
        ("postgres://h/d?user=u&password=word&sslpassword=x", "postgres://h/d?user=u&password=***&sslpassword=***"),
        ("postgres://h/d?p%61ssword=word", "postgres://h/d?p%61ssword=***"),
        ("postgres:///d?host=h&oauth_client_secret=o", "postgres:///d?host=h&oauth_client_secret=***"),
    ],
)
def test_a_connection_is_told_without_what_may_be_secret(
    conn: psycopg.Connection[tuple[str]], connection: str, masked: str | None
) -> None:
    row = conn.execute("SELECT pggit_daemon.masked_connection(%s)", [connection]).fetchone()
    assert row is not None
    if masked is None:
        masked = " ".join(f"{word.split('=')[0]}=***" for word in connection.split())
    assert row[0] == masked


def test_the_session_cannot_change_how_it_is_read(conn: psycopg.Connection[tuple[str]]) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL standard_conforming_strings = off")
        row = conn.execute("SELECT pggit_daemon.masked_connection('password=''a b'' host=h')").fetchone()
    assert row == ("password=*** host=h",)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["host=h", "dbname=it's", "fetch_size=5"], ["host=h", "dbname=it's", "fetch_size=5"]),
        (["HOST=h", "password=word", "Password=word"], ["HOST=h"]),
        (["pwd=word", "sas_key=word", "auth=word", "credentials=word", "a_name_of_tomorrow=word"], None),
        (["options=-c a.secret=word", "passfile=/p", "passcode=word"], None),
        (["database=mongodb://u:word@h/d", "host=password=word", "server=h;Pwd = word"], None),
        (["user=bob", "password_required=no", "keytab=word"], ["user=bob", "password_required=no"]),
        ([], None),
    ],
)
def test_options_of_foreign_things_are_told_where_they_are_known_to_be_harmless(
    conn: psycopg.Connection[tuple[str]], options: list[str], told: list[str] | None
) -> None:
    rows = conn.execute("SELECT unnest(pggit_daemon.harmless_options(%s::text[]))", [options]).fetchall()
    assert [row[0] for row in rows] == (told or [])


def test_no_option_of_an_unknown_name_leaves_the_catalog(conn: psycopg.Connection[tuple[str]]) -> None:
    """Neither of a wrapper, nor of a server, nor of a user mapping."""
    with conn.transaction(force_rollback=True):
        conn.execute("""
            CREATE FOREIGN DATA WRAPPER w OPTIONS (license 'hushhush', driver 'd');
            CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'h', pwd 'hushhush', url 'u:hushhush@h');
            CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS ("user" 'bob', keytab 'hushhush');
        """)
        rows = conn.execute("SELECT definition FROM pggit_daemon.snapshot()").fetchall()
        text = "\n".join(row[0] for row in rows)
    assert "hush" not in text
    assert "OPTIONS (host 'h')" in text
    assert "OPTIONS (driver 'd')" in text
    assert "OPTIONS (\"user\" 'bob')" in text
