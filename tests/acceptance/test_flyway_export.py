"""The schema as of each Flyway migration, against what pg_dump said then."""

from __future__ import annotations

import pytest

from sandbox.jars import FLYWAY_VERSIONS
from tests.acceptance.scenes import Scene

TABLE = "public.flyway_schema_history"


@pytest.mark.parametrize("version", FLYWAY_VERSIONS)
def test_the_schema_as_of_each_migration(scene: Scene, version: str) -> None:
    """Export after each of several migrations is what pg_dump said then, for every common kind of object."""
    steps = {
        "1": "CREATE TABLE customer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE NOT NULL,"
        " born date, CHECK (born < '2100-01-01'));\nCOMMENT ON TABLE customer IS 'who buys';",
        "2": "CREATE TYPE state AS ENUM ('open', 'paid');\nCREATE DOMAIN cents AS bigint CHECK (VALUE >= 0);\n"
        "CREATE TABLE sale (id serial PRIMARY KEY, customer bigint REFERENCES customer, state state DEFAULT 'open',"
        " total cents, net cents GENERATED ALWAYS AS (total * 10 / 12) STORED);",
        "3": "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n"
        "CREATE TRIGGER touch BEFORE UPDATE ON sale FOR EACH ROW EXECUTE FUNCTION touch();\n"
        "CREATE VIEW paid AS SELECT * FROM sale WHERE state = 'paid';\n"
        "CREATE MATERIALIZED VIEW totals AS SELECT customer, sum(total) FROM paid GROUP BY 1;\n"
        "GRANT SELECT ON paid TO pg_read_all_data;",
        "4": "DROP MATERIALIZED VIEW totals;\nALTER TABLE customer RENAME COLUMN born TO birthday;\n"
        "ALTER TABLE sale RENAME TO purchase;\nCREATE TABLE log (at timestamptz, what text) PARTITION BY RANGE (at);\n"
        "CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n"
        "CREATE INDEX log_at ON log (at);",
        "5": "DROP VIEW paid;\nDROP TABLE customer CASCADE;\nALTER TABLE log DETACH PARTITION log_2026;",
    }
    scene.scripts(**{f"V{number}__step": text for number, text in steps.items()})
    for number in steps:
        scene.flyway(version=version).migrate(target=number).check()
        scene.moment(f"migration {number}")
    assert [line.split(":")[0] for line in scene.commits()[1:]] == [f"migration {number}/lock" for number in steps]
