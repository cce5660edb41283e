"""Tables on narrow terminals: nothing is cut off, and no number or heading is broken in two."""

from __future__ import annotations

import pytest

from pggit_daemon.cli.output import print_table

HEADERS = ("tool", "source", "id", "version", "name", "status", "evidence", "applied", "by", "ms")
ROW = (
    "alembic",
    "public.alembic_version",
    10**18 + 2,
    "0002",
    "step two",
    "applied",
    "transaction",
    "2026-11-28",
    "app",
    14,
)


@pytest.mark.parametrize("columns", [40, 80, 90, 100, 110, 120, 200])
def test_numbers_and_headings_stay_whole_at_every_width(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(HEADERS, [ROW, ROW])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    for word in (*HEADERS, str(ROW[2]), "0002", "app", "14"):
        assert word in out.split(), word


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_what_is_copied_into_another_command_is_not_folded(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: it stands in one piece, also where it is longer than a line."""
    monkeypatch.setenv("COLUMNS", str(columns))
    name = "conflict:checksum_changed:public.flyway_schema_history:20260101120000"
    print_table(
        ("finding", "message"), [(name, "the checksum is another one than when it was applied")], whole=("finding",)
    )
    assert name in capsys.readouterr().out


def test_a_text_is_folded_while_the_table_still_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    headers = ("source", "tool", "table", "found by", "migrations", "newest", "unlinked")
    print_table(headers, [("public.my_history", "mine", "public.my_history", "discovered", "3 applied", "5", 0)])
    heading = capsys.readouterr().out.splitlines()[1]
    assert "migrations" in heading.split()
    assert "unlinked" in heading.split()
