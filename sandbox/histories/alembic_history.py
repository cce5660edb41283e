"""Alembic's own upgrade, revision by revision: CKAN's history, that began before Alembic.

In: PGHOST, PGPORT, PGUSER, PGDATABASE, and LOOKS: after which of the revisions to wait. Out: a line `point NAME` after
each; after those it goes on when a line comes in.
Runs with the packages of `python.txt` on its path; started by `sandbox/histories/run.py`.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

spec = find_spec("ckan")
assert spec is not None
assert spec.origin is not None
config = Config()
config.set_main_option("script_location", str(Path(spec.origin).parent / "migration"))
looks = os.environ["LOOKS"].split(",")
script = ScriptDirectory.from_config(config)
# libpq reads the rest from the environment.
with create_engine("postgresql+psycopg://").connect() as connection:
    for number, revision in enumerate(reversed(list(script.walk_revisions())), start=1):

        def upgrade(now: object, _context: object, to: str = revision.revision) -> object:
            return script._upgrade_revs(to, now)  # noqa: SLF001  # as alembic.command does

        with EnvironmentContext(config, script, fn=upgrade) as environment:
            environment.configure(connection=connection)
            with environment.begin_transaction():
                environment.run_migrations()
        connection.commit()
        print(f"point {revision.revision} {revision.doc}", flush=True)
        if str(number) in looks:
            sys.stdin.readline()
