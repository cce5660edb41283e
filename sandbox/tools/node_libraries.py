"""Migration tools in JavaScript that an application calls: Umzug, Drizzle, MikroORM, marv, postgrator and others.

The applications are the small programs of `sandbox/tools/node/`. As such do, each stays from run to run.
"""

from __future__ import annotations

import json

from sandbox.jars import ToolRun
from sandbox.tools.node_tools import NodeProject, ways
from sandbox.tools.project import Script, lines

WRITTEN = 1767000000000
"""When scripts were written that carry a time in milliseconds; their number is added."""


class Umzug(NodeProject):
    """What Sequelize's command line uses: the names of files in `SequelizeMeta`; nothing in transactions."""

    history = 'public."SequelizeMeta"'
    leaves = True

    def write(self, script: Script, number: int) -> None:
        template = "exports.{way} = async ({{context}}) => {{{calls}}};\n"
        call = "await context.sequelize.query({statement});"
        self.file(f"migrations/202601010000{number:02}-{script.name}.js", ways(template, call, script))

    def up(self) -> ToolRun:
        return self.application("umzug.js", "up")

    def down(self) -> ToolRun:
        return self.application("umzug.js", "down")


class Drizzle(NodeProject):
    """Plain SQL and a journal; all that is new in one transaction, and no way back."""

    history = "drizzle.__drizzle_migrations"
    reverts = False
    mixes = False

    def write(self, script: Script, number: int) -> None:
        self.file(f"migrations/{number:04}_{script.name}.sql", "--> statement-breakpoint\n".join(script.up))
        self._journal([*self.scripts, script])

    def remove(self) -> None:
        self.scripts.pop()
        self._journal(self.scripts)

    def up(self) -> ToolRun:
        return self.application("drizzle.js")

    @classmethod
    def labels(cls, migration_id: int, version: str | None, name: str | None) -> frozenset[int]:  # noqa: ARG003
        """By the time at which it was written; its version is a hash."""
        return frozenset({migration_id - WRITTEN})

    def _journal(self, scripts: list[Script]) -> None:
        entries = [
            {"idx": one.number, "version": "7", "when": WRITTEN + one.number, "tag": f"{one.number:04}_{one.name}"}
            for one in scripts
        ]
        journal = {"version": "7", "dialect": "postgresql", "entries": [one | {"breakpoints": True} for one in entries]}
        self.file("migrations/meta/_journal.json", json.dumps(journal))


class MikroOrm(NodeProject):
    """Classes; all that is new in one transaction, unless one of it cannot run in any: then each by itself, and its row
    comes after it.
    """

    history = "public.mikro_orm_migrations"

    def write(self, script: Script, number: int) -> None:
        both = ways("  async {way}() {{{calls}}}\n", "this.addSql({statement});", script)
        name = f"Migration202601010000{number:02}_{script.name}"
        transactional = f"  isTransactional() {{ return {json.dumps(script.transactional)}; }}\n"
        text = f"const {{Migration}} = require('@mikro-orm/migrations');\nexports.{name} = class extends Migration {{\n"
        self.file(f"migrations/{name}.js", f"{text}{transactional}{both}}};\n")

    def up(self) -> ToolRun:
        return self._mikro_orm("up")

    def down(self) -> ToolRun:
        return self._mikro_orm("down")

    def _mikro_orm(self, command: str) -> ToolRun:
        together = all(script.transactional for script in self.scripts)
        return self.application("mikro-orm.js", command, str(together).lower())


class PostgresMigrations(NodeProject):
    """Plain SQL, each file in a transaction with its row; no way back."""

    history = "public.migrations"
    reverts = False

    def write(self, script: Script, number: int) -> None:
        mark = "" if script.transactional else "-- postgres-migrations disable-transaction\n"
        self.file(f"migrations/{number}_{script.name}.sql", mark + lines(script.up))

    def up(self) -> ToolRun:
        return self.application("postgres-migrations.js")


class Marv(NodeProject):
    """Plain SQL, run by one session; another one writes the rows."""

    history = "public.migrations"
    reverts = False
    leaves = True

    def write(self, script: Script, number: int) -> None:
        self.file(f"migrations/{number:03}.{script.name}.sql", lines(script.up))

    def up(self) -> ToolRun:
        return self.application("marv.js")


class Postgrator(NodeProject):
    """Plain SQL, then its row in the session's next transaction."""

    history = "public.schemaversion"
    leaves = True

    def write(self, script: Script, number: int) -> None:
        for way, statements in (("do", script.up), ("undo", script.down)):
            self.file(f"migrations/{number:03}.{way}.{script.name}.sql", lines(statements))

    def up(self) -> ToolRun:
        self.reverted = 0
        return self.application("postgrator.mjs", "max")

    def down(self) -> ToolRun:
        self.reverted = getattr(self, "reverted", 0) + 1
        return self.application("postgrator.mjs", str(self.scripts[-1 - self.reverted].number))
