"""Real Liquibase, run by its own command line: each call is a run of its own (`jvm.py`).

In: a database, a changelog file, options by Liquibase's own names.
Out: exit code and output; a changeset that fails does not raise. Called by the demo and the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.jars import LIQUIBASE_VERSION, ToolRun, jars, jdbc
from sandbox.jvm import SOCKETS, run_java

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Liquibase:
    """A project: `Liquibase(dsn, Path("changelog.sql"), schema="app").update()`; `settings` are global options."""

    dsn: str
    changelog: Path
    schema: str = "public"
    version: str = LIQUIBASE_VERSION
    settings: tuple[str, ...] = ()
    resident: bool = True  # in a JVM that stays; otherwise a Java process of its own

    def update(self) -> ToolRun:
        return self.run("update")

    def rollback_count(self, count: int) -> ToolRun:
        return self.run("rollback-count", f"--count={count}")

    def tag(self, name: str) -> ToolRun:
        return self.run("tag", f"--tag={name}", changelog=False)

    def changelog_sync(self) -> ToolRun:
        return self.run("changelog-sync")

    def clear_checksums(self) -> ToolRun:
        return self.run("clear-checksums", changelog=False)

    def drop_all(self) -> ToolRun:
        return self.run("drop-all", changelog=False)

    def run(self, command: str, *options: str, changelog: bool = True) -> ToolRun:
        """Run any command; `changelog=False` for those that take none."""
        url, user, password = jdbc(self.dsn, **({"socketFactory": SOCKETS} if self.resident else {}))
        # Found by its name below a search path: the row then carries the name, not this machine's folders.
        search = ["--search-path", str(self.changelog.resolve().parent)]
        file = [f"--changelog-file={self.changelog.name}"] if changelog else []
        return run_java(
            [jars("liquibase", self.version)],
            "liquibase.integration.commandline.LiquibaseCommandLine",
            *search,
            "--show-banner=false",
            "--headless=true",
            *self.settings,
            command,
            f"--url={url}",
            f"--username={user}",
            f"--password={password}",
            f"--default-schema-name={self.schema}",
            *file,
            *options,
            resident=self.resident,
        )
