"""A database that a daemon follows, shared by the tests of a module: each test uses its own ids and tables.

In: the server and the installed template. Out: connections, and what the daemon recorded, as plain text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from sandbox.daemon import Daemon
from sandbox.databases import Databases

Connection = psycopg.Connection[Any]

_numbers = itertools.count(1)

_COMMITS = """
    SELECT concat_ws(
        ' ', c.kind,
        (SELECT string_agg(l.tool_name || ':' || l.migration_id || '/' || l.evidence
                           || CASE WHEN l.part THEN '+' ELSE '' END,
                           ' ' ORDER BY l.id)
         FROM pggit_daemon.link AS l WHERE l.commit_id = c.id AND l.made))
        || ': ' || coalesce(
        (SELECT string_agg(DISTINCT v.identity, ', ')
         FROM pggit_daemon.object_version AS v
         WHERE (v.from_commit = c.id OR v.to_commit = c.id) AND v.type IN ('table', 'view', 'index')), '')
    FROM pggit.commits AS c WHERE c.id > %s ORDER BY c.id
"""


_WITHOUT_DDL = """
    SELECT l.tool_name || ':' || l.migration_id || '/' || l.evidence FROM pggit_daemon.link AS l
     WHERE l.id > %s AND NOT l.made ORDER BY l.id
"""


@dataclass
class Followed:
    """A followed database. `mark` and `since` give only what a test itself made; `reads` is for what it looks at."""

    dsn: str
    daemon: Daemon
    reads: Connection
    mark: int = 0
    link_mark: int = 0

    def connect(self, application_name: str = "deploy.py", **options: Any) -> Connection:
        return psycopg.connect(self.dsn, autocommit=True, application_name=application_name, **options)

    def start(self) -> None:
        """What comes from here on is the test's."""
        self.daemon.wait_caught_up(session=self.reads)
        self.mark = self.value("SELECT max(id) FROM pggit.commits")
        self.link_mark = self.value("SELECT coalesce(max(id), 0) FROM pggit_daemon.link")

    def commits(self) -> list[str]:
        """`kind tool:id/evidence[+]: tables, views and indexes` of each commit since the start."""
        self.daemon.wait_caught_up(session=self.reads)
        return [row[0] for row in self.rows(_COMMITS, self.mark)]

    def without_ddl(self) -> list[str]:
        """`tool:id/evidence` of each migration since the start that ran no DDL and so made no commit."""
        self.daemon.wait_caught_up(session=self.reads)
        return [row[0] for row in self.rows(_WITHOUT_DDL, self.link_mark)]

    def migration(self, migration_id: int, *columns: str, tool: str = "custom") -> tuple[Any, ...] | None:
        """These columns of a migration that is recorded."""
        self.daemon.wait_caught_up(session=self.reads)
        found = self.rows(
            f"SELECT {', '.join(columns)} FROM pggit.external_migrations WHERE migration_id = %s AND tool_name = %s",
            migration_id,
            tool,
        )
        assert len(found) <= 1, f"migration {migration_id} is recorded {len(found)} times"
        return found[0] if found else None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.reads.execute(query.encode(), values or None).fetchall()

    def value(self, query: str, *values: Any) -> Any:
        found = self.rows(query, *values)
        return found[0][0] if found else None


@contextmanager
def following(cluster: Databases, template: str, folder: Path, **settings: float) -> Iterator[Followed]:
    """A new database and its daemon."""
    name = f"api_{next(_numbers)}"
    cluster.create_database(name, template)
    try:
        dsn = cluster.dsn(name)
        config = folder / f"{name}.toml"
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        config.write_text(f'[[database]]\nname = "{name}"\ndsn = "{dsn}"\nslot = "{name}"\n{lines}')
        with (
            psycopg.connect(dsn, autocommit=True) as reads,
            Daemon(dsn, folder, ["--config", str(config)], name=name) as daemon,
        ):
            yield Followed(dsn, daemon, reads)
    finally:
        cluster.drop_database(name)


def wide(count: int) -> str:
    """A text of so many characters."""
    return "x" * count
