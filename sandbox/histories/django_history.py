"""Django's own `migrate`, migration by migration: its own applications, and some that many people install.

In: PGHOST, PGPORT, PGUSER, PGDATABASE, and LOOKS: after which of the migrations to wait. Out: a line `point NAME` after
each; after those it goes on when a line comes in.
Runs with the packages of `python.txt` on its path; started by `sandbox/histories/run.py`.
"""

import itertools
import os
import sys

import django
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

DJANGO = "admin auth contenttypes sessions messages redirects sites flatpages postgres"
OTHERS = "oauth2_provider django_celery_beat django_celery_results axes taggit"

settings.configure(
    SECRET_KEY="history",  # noqa: S106  # nothing is kept with it
    USE_TZ=True,
    SITE_ID=1,
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[*(f"django.contrib.{app}" for app in DJANGO.split()), *OTHERS.split()],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
        }
    },
)
django.setup()


numbers = map(str, itertools.count(1))
looks = os.environ["LOOKS"].split(",")


def progress(action: str, migration: object = None, _fake: object = None) -> None:
    """Tell of each migration that was applied, and wait where somebody looks."""
    if action == "apply_success":
        print(f"point {migration}", flush=True)
        if next(numbers) in looks:
            sys.stdin.readline()


executor = MigrationExecutor(connection, progress)
executor.migrate(executor.loader.graph.leaf_nodes())
