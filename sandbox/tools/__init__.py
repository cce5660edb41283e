"""Real migration tools beside Flyway and Liquibase, each run as its users run it, on small migrations.

`project.py` says what a project is; the other modules are one class a tool, `fetch.py` brings the tools into
`.cache/tools/`. What is pinned: `python.txt`, `node/`, the versions in `fetch.py`.
"""

from sandbox.tools.built_tools import Diesel, GolangMigrate, Goose, Refinery, SqlMigrate, Sqlx, Tern
from sandbox.tools.dbmate import Dbmate
from sandbox.tools.elsewhere import (
    AlembicElsewhere,
    DbmateElsewhere,
    DrizzleElsewhere,
    GolangMigrateElsewhere,
    GooseElsewhere,
    KnexElsewhere,
    NodePgMigrateElsewhere,
    PostgratorElsewhere,
    SqitchElsewhere,
    TernElsewhere,
    TypeOrmElsewhere,
)
from sandbox.tools.node_libraries import Drizzle, Marv, MikroOrm, Postgrator, PostgresMigrations, Umzug
from sandbox.tools.node_tools import DbMigrate, GraphileMigrate, Knex, Ley, NodePgMigrate, SupabaseCli, TypeOrm
from sandbox.tools.project import Project, Script
from sandbox.tools.python_tools import Alembic, Django, PeeweeMigrate, PgMigrate, Pogo, Yoyo
from sandbox.tools.replays import (
    Doctrine,
    Ecto,
    EfCore,
    Phinx,
    Prisma,
    ReplayedRails,
    ReplayedSqitch,
    ReplayedTern,
    Supabase,
)
from sandbox.tools.system_tools import Laravel, Mojo, MyBatis, Rails, Sequel, SequelIntegers, Sqitch

QUICK: dict[str, type[Project]] = {
    "alembic": Alembic,
    "django": Django,
    "yoyo": Yoyo,
    "peewee-migrate": PeeweeMigrate,
    "pgmigrate": PgMigrate,
    "pogo": Pogo,
    "knex": Knex,
    "node-pg-migrate": NodePgMigrate,
    "sequelize": Umzug,
    "typeorm": TypeOrm,
    "drizzle": Drizzle,
    "mikro-orm": MikroOrm,
    "db-migrate": DbMigrate,
    "ley": Ley,
    "postgres-migrations": PostgresMigrations,
    "marv": Marv,
    "postgrator": Postgrator,
    "graphile-migrate": GraphileMigrate,
    "dbmate": Dbmate,
}
"""By the names of their presets: those that PyPI and npm bring in seconds."""

SLOW: dict[str, type[Project]] = {
    "goose": Goose,
    "golang-migrate": GolangMigrate,
    "tern": Tern,
    "sql-migrate": SqlMigrate,
    "rails": Rails,
    "sequel": Sequel,
    "sequel-integers": SequelIntegers,
    "laravel": Laravel,
    "sqitch": Sqitch,
    "mojo": Mojo,
    "mybatis": MyBatis,
    "sqlx": Sqlx,
    "refinery": Refinery,
    "diesel": Diesel,
    "supabase": SupabaseCli,
}
"""Those that are built, or come from the distribution or Maven; see `make test-tools`."""

REPLAYED: dict[str, type[Project]] = {
    "supabase (replayed)": Supabase,
    "ecto": Ecto,
    "ef-core": EfCore,
    "doctrine": Doctrine,
    "phinx": Phinx,
    "prisma": Prisma,
    "rails (replayed)": ReplayedRails,
    "sqitch (replayed)": ReplayedSqitch,
    "tern (replayed)": ReplayedTern,
}
"""Not the tools themselves: see `replays.py`."""

ELSEWHERE: dict[str, type[Project]] = {
    "alembic (ops)": AlembicElsewhere,
    "knex (ops)": KnexElsewhere,
    "node-pg-migrate (ops)": NodePgMigrateElsewhere,
    "typeorm (ops)": TypeOrmElsewhere,
    "drizzle (ops)": DrizzleElsewhere,
    "postgrator (ops)": PostgratorElsewhere,
    "dbmate (ops)": DbmateElsewhere,
    "goose (ops)": GooseElsewhere,
    "golang-migrate (ops)": GolangMigrateElsewhere,
    "tern (ops)": TernElsewhere,
    "sqitch (ops)": SqitchElsewhere,
}
"""With history tables of other names, or in another schema."""

TOOLS = QUICK | SLOW | REPLAYED | ELSEWHERE

__all__ = ["ELSEWHERE", "QUICK", "REPLAYED", "SLOW", "TOOLS", "Project", "Script"]
