"""dbmate: plain SQL with comments that part up from down; the table `schema_migrations`."""

from __future__ import annotations

from typing import ClassVar

from sandbox.jars import ToolRun
from sandbox.tools import fetch
from sandbox.tools.project import Project, Script, lines


class Dbmate(Project):
    history = "public.schema_migrations"
    options: ClassVar[tuple[str, ...]] = ()

    def prepare(self) -> None:
        (self.folder / "db" / "migrations").mkdir(parents=True)

    def write(self, script: Script, number: int) -> None:
        option = "" if script.transactional else " transaction:false"
        text = f"-- migrate:up{option}\n{lines(script.up)}\n-- migrate:down{option}\n{lines(script.down)}"
        self.file(f"db/migrations/202601010000{number:02}_{script.name}.sql", text)

    def up(self) -> ToolRun:
        return self._dbmate("migrate")

    def down(self) -> ToolRun:
        return self._dbmate("rollback")

    def _dbmate(self, command: str) -> ToolRun:
        return self.run("node", fetch.node() / ".bin" / "dbmate", "--no-dump-schema", *self.options, command)
