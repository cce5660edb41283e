"""How the values of history rows are read: numbers, truth, keys, durations, times."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.interpret.values import milliseconds, moment
from pggit_daemon.model.row_text import as_text, boolean, integer, row_key
from pggit_daemon.model.transaction import Row


def test_values_have_one_spelling() -> None:
    row: Row = {"a": True, "b": Decimal("1.50"), "c": 7, "d": None, "e": "x", "f": Decimal("0.0000001")}
    assert as_text(row) == {"a": "true", "b": "1.50", "c": "7", "d": None, "e": "x", "f": "0.0000001"}


@given(st.integers(0, 10**18 - 1))
def test_plain_integers_are_read(value: int) -> None:
    assert integer(str(value)) == value == integer(f"00{value}")


@pytest.mark.parametrize("text", [None, "", "-1", "+1", "1.0", " 1", "1e3", "٣", "²", str(10**18), "1" * 6000])
def test_nothing_else_is(text: str | None) -> None:
    assert integer(text) is None


@pytest.mark.parametrize(("text", "value"), [("T", True), ("0", False), ("yes", None), (None, None), ("", None)])
def test_truth(text: str | None, value: object) -> None:
    assert boolean(text) is value


PAIRS = st.lists(st.none() | st.text(max_size=5), min_size=2, max_size=2)


@given(PAIRS, PAIRS)
def test_row_keys_are_equal_where_the_values_are(one: list[str | None], other: list[str | None]) -> None:
    keys = [row_key(dict(zip("ab", values, strict=True)), "ab") for values in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)


def test_a_long_key_fits_an_index() -> None:
    keys = {row_key({"a": "x" * 5000 + end}, "a") for end in "12"}
    assert len(keys) == 2
    assert max(map(len, keys)) < 600


@pytest.mark.parametrize(
    ("text", "unit", "ms"),
    [
        ("7654321", "ns", 7),
        ("7654", "us", 7),
        ("12", "ms", 12),
        ("1.5", "s", 1500),
        ("00:00:01.25", "interval", 1250),
        ("1 day 00:00:01", "interval", 86_401_000),
        ("-1", "ns", None),
        ("soon", "s", None),
        ("NaN", "s", None),
        ("1e400", "s", None),
        ("a while", "interval", None),
        (None, "ms", None),
    ],
)
def test_how_long_it_took_is_told_in_milliseconds(text: str | None, unit: str, ms: int | None) -> None:
    assert milliseconds(text, unit) == ms


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("2026-01-01 10:00:00+00", "time", "2026-01-01 10:00:00+00"),
        ("1767225600", "epoch_s", "2026-01-01T00:00:00+00:00"),
        ("1767225600001", "epoch_ms", "2026-01-01T00:00:00.001000+00:00"),
        ("9" * 17, "epoch_s", None),
        ("today", "epoch_ms", None),
        (None, "epoch_s", None),
    ],
)
def test_when_it_was_is_told_as_a_time(text: str | None, form: str, told: str | None) -> None:
    assert moment(text, form) == told


@pytest.mark.parametrize(
    ("form", "text", "read"),
    [
        ("local", "2026-03-01 10:00:00.5", "2026-03-01 10:00:00.5"),
        ("utc", "2026-03-01 10:00:00.5", "2026-03-01T10:00:00.500000+00:00"),
        ("utc", "2026-03-01 10:00:00+02", "2026-03-01T10:00:00+02:00"),
        ("utc", "yesterday", None),
        ("utc", None, None),
    ],
)
def test_a_time_without_a_zone_is_the_servers_or_utc(form: str, text: str | None, read: str | None) -> None:
    assert moment(text, form) == read
