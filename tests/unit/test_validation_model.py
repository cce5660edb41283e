"""The reference model that validation is held against: what it says of small cases, in plain words."""

from __future__ import annotations

from tests.validation_model import Row, findings


def _rows(*ids: int, source: str = "s") -> list[Row]:
    return [Row("flyway", source, number, sequence=place) for place, number in enumerate(ids)]


def test_a_hole_is_a_gap_and_the_start_is_none() -> None:
    assert findings(_rows(101, 105, 106, 108)) == {
        ("flyway", "s", None, "gap", "Missing migrations 102 to 104"),
        ("flyway", "s", None, "gap", "Missing migration 107"),
    }


def test_a_late_migration_closes_its_gap() -> None:
    assert findings(_rows(1, 3, 2)) == {("flyway", "s", 2, "out_of_order", "Migration was applied after 3")}


def test_sources_do_not_mix() -> None:
    assert findings([*_rows(1, 3, source="a"), *_rows(2, source="b")]) == {
        ("flyway", "a", None, "gap", "Missing migration 2")
    }


def test_timestamps_have_no_gaps() -> None:
    assert findings(_rows(20240101, 20240301)) == set()
    assert findings(_rows(202401, 202403)) == set()
    assert findings(_rows(240101, 240301)) == set()
    assert findings(_rows(1700000000, 1800000000)) == set()
    # Six digits that are no dates were counted.
    assert findings(_rows(123456, 123458)) == {("flyway", "s", None, "gap", "Missing migration 123457")}


def test_a_version_of_several_parts_closes_the_hole_it_stands_in() -> None:
    """Between 1, 2.1 and 4 nobody knows what was left out; between 4 and 6 somebody does."""
    dotted = Row("flyway", "s", 10**18 + 2, 2, version="2.1")
    assert findings([*_rows(1, 4), dotted]) == set()
    assert findings([*_rows(1, 4, 6), dotted]) == {("flyway", "s", None, "gap", "Missing migration 5")}
    assert findings([*_rows(3, 5), dotted]) == {("flyway", "s", None, "gap", "Missing migration 4")}
