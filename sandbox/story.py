"""What the demo runs, and what must come of it.

In: nothing. Out: the scripts of three tools and of a hand at psql, and for each migration the objects it makes.
The truth stands in the names: every object says who made it.
"""

from __future__ import annotations

from pathlib import Path

FLYWAY_SCRIPTS = {
    "V1__accounts.sql": """
        CREATE TABLE shop.account (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);
        CREATE INDEX account_domain ON shop.account (split_part(email, '@', 2));
    """,
    "V2__orders.sql": """
        CREATE TYPE shop.state AS ENUM ('open', 'paid', 'sent');
        CREATE TABLE shop.orders (
            id bigint PRIMARY KEY, account bigint REFERENCES shop.account, state shop.state NOT NULL DEFAULT 'open');
    """,
    "V3__only_data.sql": "INSERT INTO shop.account (email) VALUES ('ada@example.org');",
    "R__open_orders.sql": "CREATE OR REPLACE VIEW shop.open_orders AS SELECT * FROM shop.orders WHERE state = 'open';",
}

LIQUIBASE_CHANGELOG = """--liquibase formatted sql

--changeset ada:audit
CREATE TABLE audit.entry (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what text);
--rollback DROP TABLE audit.entry;

--changeset ada:audit-index
CREATE INDEX entry_at ON audit.entry (at);
--rollback DROP INDEX audit.entry_at;
"""

CUSTOM_TABLE = "CREATE TABLE ops.applied (version int PRIMARY KEY, title text, ok boolean NOT NULL DEFAULT true)"
CUSTOM_MIGRATIONS = {
    1: ("queue", "CREATE TABLE ops.queue (id bigint PRIMARY KEY, payload jsonb)"),
    2: (
        "queue functions",
        "CREATE FUNCTION ops.depth() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM ops.queue'",
    ),
}

BY_HAND = (
    "CREATE TABLE public.by_hand_before (id int)",
    "ALTER TABLE shop.orders ADD COLUMN note text",
    "CREATE INDEX by_hand_index ON shop.orders (note)",
)
"""What somebody at psql does: the first while Flyway works, the rest when it is done."""

FLYWAY = "shop.flyway_schema_history"
LIQUIBASE = "audit.databasechangelog"
CUSTOM = "ops"

EXPECTED: dict[tuple[str, str], frozenset[str]] = {
    (FLYWAY, "<< Flyway Schema Creation >>"): frozenset(),
    (FLYWAY, "1"): frozenset(
        {
            "table shop.account",
            "index shop.account_domain",
            "table constraint account_pkey on shop.account",
            "table constraint account_email_key on shop.account",
        }
    ),
    (FLYWAY, "2"): frozenset(
        {
            "type shop.state",
            "table shop.orders",
            "table constraint orders_pkey on shop.orders",
            "table constraint orders_account_fkey on shop.orders",
        }
    ),
    (FLYWAY, "3"): frozenset(),
    (FLYWAY, "open orders"): frozenset({"view shop.open_orders"}),
    (LIQUIBASE, "audit"): frozenset({"table audit.entry", "table constraint entry_pkey on audit.entry"}),
    (LIQUIBASE, "audit-index"): frozenset({"index audit.entry_at"}),
    (CUSTOM, "1"): frozenset({"table ops.queue", "table constraint queue_pkey on ops.queue"}),
    (CUSTOM, "2"): frozenset({"function ops.depth()"}),
}
"""By source, and by version or (where there is none) name: the objects of the migration's commit."""

EVIDENCE = {FLYWAY: {"lock"}, LIQUIBASE: {"bracket"}, CUSTOM: {"transaction"}}


def write_scripts(folder: Path) -> tuple[Path, Path]:
    """Write Flyway's scripts and Liquibase's changelog; return the folder of the one and the file of the other."""
    scripts = folder / "flyway"
    scripts.mkdir()
    for name, text in FLYWAY_SCRIPTS.items():
        (scripts / name).write_text(text)
    changelog = folder / "changelog.sql"
    changelog.write_text(LIQUIBASE_CHANGELOG)
    return scripts, changelog


def configuration(dsn: str) -> str:
    """The daemon's configuration: the tools are found by themselves, the custom table takes a few lines."""
    return f"""
[[database]]
name = "demo"
dsn = "{dsn}"

[[database.source]]
name = "{CUSTOM}"
table = "ops.applied"
tool = "scripts"
columns = {{ id = "version", name = "title", success = "ok" }}
"""
