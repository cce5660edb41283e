"""How words on the command line are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.cli.main import main
from pggit_daemon.query.records import shown_as
from pggit_daemon.query.references import (
    CommitId,
    HashPrefix,
    Head,
    MigrationRef,
    Reference,
    UsageError,
    parse_reference,
)


@pytest.mark.parametrize(
    ("word", "meanings"),
    [
        ("head", (Head(),)),
        ("HEAD", (Head(),)),
        ("@12", (CommitId(12),)),
        ("12", (MigrationRef(None, 12, None), CommitId(12), MigrationRef(None, None, "12"))),
        ("-12", (MigrationRef(None, -12, None), MigrationRef(None, None, "-12"))),
        ("0012", (MigrationRef(None, None, "0012"), MigrationRef(None, 12, None), CommitId(12))),
        ("0", (MigrationRef(None, 0, None), CommitId(0), MigrationRef(None, None, "0"))),
        ("1.2", (MigrationRef(None, None, "1.2"),)),
        ("a1", (MigrationRef(None, None, "a1"),)),
        ("flyway:12", (MigrationRef("flyway", 12, "12"),)),
        ("alembic:0012", (MigrationRef("alembic", None, "0012"), MigrationRef("alembic", 12, "0012"))),
        ("flyway:-12", (MigrationRef("flyway", -12, "-12"),)),
        ("flyway:1.2", (MigrationRef("flyway", None, "1.2"),)),
        ("liquibase:a:b::c", (MigrationRef("liquibase", None, "a:b::c"),)),
        ("3F9a1c0", (HashPrefix("3f9a1c0"), MigrationRef(None, None, "3F9a1c0"))),
        (
            "1234567",
            (
                MigrationRef(None, 1234567, None),
                CommitId(1234567),
                HashPrefix("1234567"),
                MigrationRef(None, None, "1234567"),
            ),
        ),
        (
            "20240120001",
            (MigrationRef(None, 20240120001, None), HashPrefix("20240120001"), MigrationRef(None, None, "20240120001")),
        ),
    ],
)
def test_forms(word: str, meanings: tuple[Reference, ...]) -> None:
    """Each form has its meanings, in the order in which they count."""
    assert parse_reference(word) == meanings


@pytest.mark.parametrize("word", ["", " ", "@", "@x", ":1", "flyway:", "9" * 19 + "9", "@3000000000"])
def test_what_means_nothing_is_a_usage_error(word: str) -> None:
    """Exit 2, with the forms that are allowed."""
    with pytest.raises(UsageError, match="allowed") as caught:
        parse_reference(word)
    assert caught.value.exit_code == 2


@given(st.text(max_size=40))
def test_any_text_has_a_meaning_or_is_refused(word: str) -> None:
    """Nothing else is ever raised, and numbers always fit the columns they are compared with."""
    try:
        meanings = parse_reference(word)
    except UsageError:
        return
    assert meanings
    for meaning in meanings:
        if isinstance(meaning, CommitId):
            assert 0 <= meaning.id < 2**31
        if isinstance(meaning, MigrationRef) and meaning.migration_id is not None:
            assert abs(meaning.migration_id) < 2**63


@pytest.mark.parametrize(
    ("migration_id", "version", "shown"),
    [
        (12, "12", "flyway:12"),
        (10**18 + 2, "2.1", "flyway:2.1"),
        (10**18 + 2, "0002", "flyway:0002"),
        (10**18 + 2, None, f"flyway:{10**18 + 2}"),
        (-(10**18) - 2, "2.1", f"flyway:-{10**18 + 2}"),
        (10**18 + 2, "9" * 20, f"flyway:{10**18 + 2}"),
    ],
)
def test_a_reader_sees_the_tools_own_version_in_place_of_an_id_of_ours(
    migration_id: int, version: str | None, shown: str
) -> None:
    """What is shown leads back to that migration: a rollback and what looks like an id keep theirs."""
    assert shown_as("flyway", migration_id, version) == shown
    assert MigrationRef(
        "flyway", None if version in {"2.1", "0002"} and migration_id > 0 else migration_id, shown[7:]
    ) in (parse_reference(shown))


def test_a_word_that_is_not_utf_8_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: no error of Python's, which would ask for a report."""
    monkeypatch.setattr("sys.argv", ["pggit-daemon", "show", b"caf\xe9".decode("utf-8", "surrogateescape")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (2, "error: not UTF-8: caf\\udce9\n")
