"""A log in the making, and a run of Flyway or Liquibase in it: what most tests of the attribution begin with."""

from __future__ import annotations

import pytest

from tests.unit.build import Flyway, Liquibase, Wal, who


@pytest.fixture
def wal() -> Wal:
    return Wal()


@pytest.fixture
def run(wal: Wal) -> Flyway:
    return Flyway(wal, who(100), who(101))


@pytest.fixture
def liquibase(wal: Wal) -> Liquibase:
    return Liquibase(wal, who(100))
