"""Real migration tools beside Flyway and Liquibase, each run as its users run it, on small migrations.

`project.py` says what a project is, `python_tools.py`, `node_tools.py` and `dbmate.py` are one class a tool,
`fetch.py` brings the tools into `.cache/tools/`. What is pinned: `python.txt`, `node/`.
"""

from sandbox.tools.dbmate import Dbmate
from sandbox.tools.node_tools import Drizzle, Knex, NodePgMigrate, TypeOrm, Umzug
from sandbox.tools.project import Project, Script
from sandbox.tools.python_tools import Alembic, Django, Yoyo

TOOLS: dict[str, type[Project]] = {
    "alembic": Alembic,
    "django": Django,
    "yoyo": Yoyo,
    "knex": Knex,
    "node-pg-migrate": NodePgMigrate,
    "umzug": Umzug,
    "typeorm": TypeOrm,
    "drizzle": Drizzle,
    "dbmate": Dbmate,
}

__all__ = ["TOOLS", "Project", "Script"]
