"""Builders for the tests of the pure core: a log in the making, tools at work in it, and what leads it through."""

from tests.unit.build.flyway import FLYWAY_COLUMNS, FSH, Flyway, flyway_key, flyway_row, flyway_source
from tests.unit.build.follower import PRESETS, SOON, Follower
from tests.unit.build.liquibase import (
    LOCK_COLUMNS,
    LOG,
    LOG_COLUMNS,
    LOG_LOCK,
    Liquibase,
    fine_time,
    liquibase_row,
    liquibase_source,
)
from tests.unit.build.wal import JDBC, START, Tx, Wal, Who, dropped, element, identity, made, psql, quoted, who

__all__ = [
    "FLYWAY_COLUMNS",
    "FSH",
    "JDBC",
    "LOCK_COLUMNS",
    "LOG",
    "LOG_COLUMNS",
    "LOG_LOCK",
    "PRESETS",
    "SOON",
    "START",
    "Flyway",
    "Follower",
    "Liquibase",
    "Tx",
    "Wal",
    "Who",
    "dropped",
    "element",
    "fine_time",
    "flyway_key",
    "flyway_row",
    "flyway_source",
    "identity",
    "liquibase_row",
    "liquibase_source",
    "made",
    "psql",
    "quoted",
    "who",
]
