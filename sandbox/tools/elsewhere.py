"""The same tools with a history table of another name, or in a schema `ops` that is there before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sandbox.tools.built_tools import GolangMigrate, Goose, Tern
from sandbox.tools.dbmate import Dbmate
from sandbox.tools.node_libraries import Drizzle, Postgrator
from sandbox.tools.node_tools import Knex, NodePgMigrate, TypeOrm
from sandbox.tools.python_tools import Alembic
from sandbox.tools.system_tools import Sqitch


class AlembicElsewhere(Alembic):
    history = "ops.alembic_version"
    options = ", version_table_schema='ops'"


class KnexElsewhere(Knex):
    history = "ops.moves"
    options = "directory: 'migrations', tableName: 'moves', schemaName: 'ops'"


class NodePgMigrateElsewhere(NodePgMigrate):
    history = "ops.pgmigrations"
    options = ("--migrations-schema", "ops")


class TypeOrmElsewhere(TypeOrm):
    history = "public.moves"


class DrizzleElsewhere(Drizzle):
    history = "ops.drizzle_moves"
    variables: ClassVar[Mapping[str, str]] = {"HISTORY": "drizzle_moves", "HISTORY_SCHEMA": "ops"}


class PostgratorElsewhere(Postgrator):
    history = "ops.schemaversion"
    variables: ClassVar[Mapping[str, str]] = {"HISTORY": history}


class DbmateElsewhere(Dbmate):
    history = "ops.schema_migrations"
    options = ("--migrations-table", "ops.schema_migrations")


class GooseElsewhere(Goose):
    history = "ops.moves"
    options = ("-table", "ops.moves")


class GolangMigrateElsewhere(GolangMigrate):
    history = "ops.moves"
    parameters = '&x-migrations-table="ops"."moves"&x-migrations-table-quoted=1'


class TernElsewhere(Tern):
    history = "ops.schema_version"


class SqitchElsewhere(Sqitch):
    history = "ops.events"
