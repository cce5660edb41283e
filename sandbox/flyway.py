"""Real Flyway, run as its users run it: each call is a run of its own (`jvm.py`).

In: a database, a folder of scripts, configuration by Flyway's own keys (without `flyway.`).
Out: exit code and output; a migration that fails does not raise. Called by the demo and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.jars import FLYWAY_VERSIONS, ToolRun, jars, jdbc
from sandbox.jvm import SOCKETS, compiled, run_java

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NO_LOCK = {"postgresql.transactional.lock": "false"}
"""One connection: DDL and history row in one transaction, the lock held by the session."""


@dataclass(frozen=True)
class Flyway:
    """A project: `Flyway(dsn, Path("sql"), schema="app").migrate(group="true")`."""

    dsn: str
    locations: Path
    schema: str = "public"
    table: str = "flyway_schema_history"
    version: str = FLYWAY_VERSIONS[0]
    config: Mapping[str, str] = field(default_factory=dict)
    resident: bool = True  # in a JVM that stays; otherwise a Java process of its own

    def migrate(self, **config: str) -> ToolRun:
        return self.run("migrate", **config)

    def repair(self, **config: str) -> ToolRun:
        return self.run("repair", **config)

    def baseline(self, **config: str) -> ToolRun:
        return self.run("baseline", **config)

    def clean(self, **config: str) -> ToolRun:
        """Drop everything in the schema; Flyway refuses unless told that it may."""
        return self.run("clean", **{"cleanDisabled": "false"} | config)

    def info(self, **config: str) -> ToolRun:
        return self.run("info", **config)

    def run(self, *commands: str, **config: str) -> ToolRun:
        """Run the commands one after the other in one process; the first failure ends it."""
        url, user, password = jdbc(self.dsn, **({"socketFactory": SOCKETS} if self.resident else {}))
        keys = {
            "url": url,
            "user": user,
            "password": password,
            "schemas": self.schema,
            "table": self.table,
            "locations": f"filesystem:{self.locations}",
            **self.config,
            **config,
        }
        arguments = [f"flyway.{key}={value}" for key, value in keys.items()]
        libraries = jars("flyway", self.version)
        launcher = compiled("Run", libraries=[libraries])
        return run_java([launcher, libraries], "Run", *commands, *arguments, resident=self.resident)
