"""A Java service that migrates with Flyway at its start, on its own connection pool, and runs DDL of its own then.

In: a database, a folder of Flyway's scripts. Out: exit code and output. Called by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.jars import FLYWAY_VERSIONS, HIKARI_VERSION, ToolRun, jars, jdbc
from sandbox.jvm import SOCKETS, compiled, run_java

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Service:
    dsn: str
    scripts: Path

    def run(self, *statements: str) -> ToolRun:
        """Start, migrate, run each statement on each of the pool's two connections (`%d` is 1 and 2), end."""
        libraries = [jars("flyway", FLYWAY_VERSIONS[0]), jars("hikari", HIKARI_VERSION)]
        url, user, password = jdbc(self.dsn, socketFactory=SOCKETS)
        words = (url, user, password, str(self.scripts), *statements)
        return run_java([compiled("Service", libraries=libraries), *libraries], "Service", *words, resident=True)
