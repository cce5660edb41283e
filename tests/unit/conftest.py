"""A log in the making, and a run of Flyway in it: what most tests of the attribution begin with."""

from __future__ import annotations

import pytest

from tests.unit.build import Flyway, Wal, who


@pytest.fixture
def wal() -> Wal:
    return Wal()


@pytest.fixture
def run(wal: Wal) -> Flyway:
    return Flyway(wal, who(100), who(101))
