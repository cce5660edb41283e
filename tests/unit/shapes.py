"""The history tables of real tools as the catalog shows them, as one list: name, columns with types, key, neighbours.

Written down from tables that the tools themselves made (of Ecto, EF Core, Doctrine and Phinx: from their sources),
not from the presets, which are held against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pggit_daemon.model.shape import Column, Shape
from pggit_daemon.model.transaction import TableName

_SHORT = {
    "int": "integer",
    "varchar": "character varying",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "bool": "boolean",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A table that a tool makes; `beside` are others in its schema."""

    preset: str
    table: TableName
    shape: Shape
    beside: tuple[str, ...] = ()


def shape(columns: str, key: str = "", not_null: str = "") -> Shape:
    """From `name type, …`, the key's columns and those NOT NULL besides, each separated by blanks."""
    filled = {*key.split(), *not_null.split()}
    pairs = (part.strip().split(" ", 1) for part in columns.split(","))
    found = tuple(Column(name, _SHORT.get(kind, kind), name in filled) for name, kind in pairs)
    return Shape(found, tuple(key.split()))


def _known(preset: str, table: str, columns: str, key: str = "", *, not_null: str = "", beside: str = "") -> Known:
    schema, _, name = table.rpartition(".")
    named = TableName(schema or "public", name)
    return Known(preset, named, shape(columns, key, not_null), tuple(beside.split()))


FLYWAY = (
    "installed_rank int, version varchar, description varchar, type varchar, script varchar, checksum int, "
    "installed_by varchar, installed_on timestamp, execution_time int, success bool"
)
LIQUIBASE = (
    "id varchar, author varchar, filename varchar, dateexecuted timestamp, orderexecuted int, exectype varchar, "
    "md5sum varchar, description varchar, comments varchar, tag varchar, liquibase varchar, contexts varchar, "
    "labels varchar, deployment_id varchar"
)
PRISMA = (
    "id varchar, checksum varchar, finished_at timestamptz, migration_name varchar, logs text, "
    "rolled_back_at timestamptz, started_at timestamptz, applied_steps_count int"
)
SQITCH = (
    "event text, change_id text, change text, project text, note text, requires text[], conflicts text[], tags text[], "
    "committed_at timestamptz, committer_name text, committer_email text, planned_at timestamptz, planner_name text, "
    "planner_email text"
)
YOYO = (
    "id varchar, migration_hash varchar, migration_id varchar, operation varchar, username varchar, hostname varchar, "
    "comment varchar, created_at_utc timestamp"
)

KNOWN = (
    _known("flyway", "flyway_schema_history", FLYWAY, "installed_rank"),
    _known("flyway", "shop.schema_version", FLYWAY, "installed_rank"),
    _known(
        "liquibase",
        "databasechangelog",
        LIQUIBASE,
        not_null="id author filename dateexecuted orderexecuted exectype",
        beside="databasechangeloglock",
    ),
    _known("alembic", "alembic_version", "version_num varchar", "version_num"),
    _known("alembic", "app.versions_of_app", "version_num varchar", "version_num"),
    _known("django", "django_migrations", "id bigint, app varchar, name varchar, applied timestamptz", "id"),
    _known("yoyo", "_yoyo_log", YOYO, "id", beside="_yoyo_migration _yoyo_version yoyo_lock"),
    _known("knex", "knex_migrations", "id int, name varchar, batch int, migration_time timestamptz", "id"),
    _known("knex", "app.moves", "id int, name varchar, batch int, migration_time timestamptz", "id"),
    _known("typeorm", "migrations", "id int, timestamp bigint, name varchar", "id"),
    _known("sequelize", "SequelizeMeta", "name varchar", "name"),
    _known("drizzle", "drizzle.__drizzle_migrations", "id int, hash text, created_at bigint", "id"),
    _known("node-pg-migrate", "pgmigrations", "id int, name varchar, run_on timestamp", "id"),
    _known("mikro-orm", "mikro_orm_migrations", "id int, name varchar, executed_at timestamptz", "id"),
    _known("db-migrate", "migrations", "id int, name varchar, run_on timestamp", "id"),
    _known("ley", "migrations", "id int, name varchar, created_at timestamp", "id"),
    _known("postgres-migrations", "migrations", "id int, name varchar, hash varchar, executed_at timestamp", "id"),
    _known(
        "marv",
        "any_name",
        "level int, comment text, timestamp timestamptz, checksum text, namespace text",
        "level namespace",
        beside="any_name_lock",
    ),
    _known("postgrator", "schemaversion", "version bigint", "version"),
    _known("postgrator", "schemaversion", "version bigint, name text, md5 text, run_at timestamptz", "version"),
    _known(
        "graphile-migrate",
        "graphile_migrate.migrations",
        "hash text, previous_hash text, filename text, date timestamptz",
        "hash",
        beside="current",
    ),
    _known("prisma", "_prisma_migrations", PRISMA, "id"),
    _known("goose", "goose_db_version", "id int, version_id bigint, is_applied bool, tstamp timestamp", "id"),
    _known("golang-migrate", "schema_migrations", "version bigint, dirty bool", "version"),
    _known("tern", "schema_version", "version int"),
    _known("sql-migrate", "gorp_migrations", "id text, applied_at timestamptz", "id"),
    _known("dbmate", "schema_migrations", "version varchar", "version"),
    _known("rails", "schema_migrations", "version varchar", "version", beside="ar_internal_metadata"),
    _known("sequel", "schema_migrations", "filename text", "filename"),
    _known("sequel-integers", "schema_info", "version int"),
    _known("laravel", "migrations", "id int, migration varchar, batch int", "id"),
    _known("sqitch", "sqitch.events", SQITCH, "change_id committed_at", beside="changes tags projects"),
    _known("mojo", "mojo_migrations", "name text, version bigint", "name"),
    _known(
        "sqlx",
        "_sqlx_migrations",
        "version bigint, description text, installed_on timestamptz, success bool, checksum bytea, "
        "execution_time bigint",
        "version",
    ),
    _known(
        "refinery",
        "refinery_schema_history",
        "version int, name varchar, applied_on varchar, checksum varchar",
        "version",
    ),
    _known("diesel", "__diesel_schema_migrations", "version varchar, run_on timestamp", "version"),
    _known("mybatis", "changelog", "id numeric, applied_at varchar, description varchar", "id"),
    _known(
        "pgmigrate",
        "schema_version",
        "version bigint, description text, type public.schema_version_type, installed_by text, installed_on timestamp",
        "version",
    ),
    _known(
        "pogo",
        "_pogo_migration",
        "migration_hash varchar, migration_id varchar, schema_name varchar, applied timestamptz",
        "migration_hash schema_name",
    ),
    _known("peewee-migrate", "migratehistory", "id int, name varchar, migrated_at timestamp", "id"),
    _known("supabase", "supabase_migrations.schema_migrations", "version text", "version"),
    _known(
        "supabase",
        "supabase_migrations.schema_migrations",
        "version text, statements text[], name text",
        "version",
    ),
    _known("ecto", "schema_migrations", "version bigint, inserted_at timestamp", "version"),
    _known("ef-core", "__EFMigrationsHistory", "MigrationId varchar, ProductVersion varchar", "MigrationId"),
    _known(
        "doctrine",
        "doctrine_migration_versions",
        "version varchar, executed_at timestamp, execution_time int",
        "version",
    ),
    _known(
        "phinx",
        "phinxlog",
        "version bigint, migration_name varchar, start_time timestamp, end_time timestamp, breakpoint bool",
        "version",
    ),
)

LOCK_TABLES = (
    (
        "liquibase",
        TableName("public", "databasechangeloglock"),
        shape("id int, locked bool, lockgranted timestamp, lockedby varchar", "id"),
    ),
    ("yoyo", TableName("public", "yoyo_lock"), shape("locked int, ctime timestamp, pid int", "locked")),
    ("knex", TableName("public", "knex_migrations_lock"), shape("index int, is_locked int", "index")),
)

STRANGERS = (
    ("an application's own version", "settings", shape("version varchar", "version")),
    ("a version without a key", "schema_migrations", shape("version varchar")),
    ("a version and more", "schema_migrations", shape("version varchar, note text", "version")),
    ("a number", "app_version", shape("version int")),
    ("names", "names", shape("name varchar", "name")),
    ("a log of changes", "changelog", shape("id int, applied_at timestamptz, description text", "id")),
    ("its own migrations", "migrations", shape("id int, name varchar", "id")),
    ("migrations and more", "migrations", shape("id int, timestamp bigint, name varchar, who text", "id")),
    ("animals", "migrations", shape("id bigint, species text, batch int", "id")),
    ("events", "events", shape("event text, change_id text", "change_id")),
    ("a state", "state", shape("version bigint, dirty bool, note text", "version")),
)
"""Tables of applications that are no history of any tool."""
