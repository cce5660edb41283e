"""What the database holds after a plan was stored, as far as the pure tests look at it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pggit_daemon.interpret.history_table import LedgerRow
from pggit_daemon.model.decision import Fact
from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.store.statements import statements
from pggit_daemon.versioning.plan import Step
from pggit_daemon.versioning.record import Record

NOT_READ = frozenset(
    {
        *("abandon", "amend_any", "checksum_conflict", "close_versions", "decided_migration", "decided_out_of_band"),
        *("end_run", "handled_events", "handled_requests", "link_known", "mark_part", "move_versions", "open_versions"),
        *("out_of_band_conflicts", "put_run", "quarantine", "record_event", "settle_conflicts", "tree_conflicts"),
        "undone_conflicts",
    }
)
"""Operations that write nothing of what is read again."""


@dataclass(slots=True)
class Recorded:
    """A commit as the database has it."""

    lsn: LSN
    events: tuple[int, ...]
    kind: str
    message: str
    metadata: dict[str, Any]


@dataclass(slots=True)
class Stored:
    """What the database holds: of the store's operations only what is read again or compared."""

    rows: dict[str, dict[str, LedgerRow]] = field(default_factory=dict)
    ids: dict[str, dict[int, str | None]] = field(default_factory=dict)
    statuses: dict[str, dict[int, str]] = field(default_factory=dict)
    begun: dict[str, dict[int, LSN]] = field(default_factory=dict)
    facts: dict[tuple[str, str], Fact] = field(default_factory=dict)
    commits: dict[str, Recorded] = field(default_factory=dict)
    links: dict[tuple[str, int, str], tuple[object, ...]] = field(default_factory=dict)
    linked: dict[tuple[str, int], tuple[str | None, str | None]] = field(default_factory=dict)
    commit: LSN = ZERO
    head: str | None = None
    chain: str | None = None
    record: Record = field(default_factory=Record)

    def take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            for name, values in statements(step):
                if name == "insert_commit":
                    said = values["kind"], values["message"], values["metadata"]
                    self.commits[values["hash"]] = Recorded(step.lsn, step.events, *said)
                else:
                    self._write(name, values)

    def _write(self, name: str, values: dict[str, Any]) -> None:
        write = getattr(self, f"_{name}", None)
        if write is not None:
            write(values)
        else:
            assert name in NOT_READ, name

    def _record_migration(self, values: dict[str, Any]) -> None:
        said = {"at": None, "objects": None, "version": None, **values}
        self._put_migration(said)
        self._link(said)
        self._put_row(said | {"columns": values["new"], "migration_id": values.get("row_migration_id")})

    def _put_row(self, values: dict[str, Any]) -> None:
        row = LedgerRow(values["columns"], values["migration_id"])
        self.rows.setdefault(values["source"], {})[values["row_key"]] = row

    def _delete_row(self, values: dict[str, Any]) -> None:
        self.rows.get(values["source"], {}).pop(values["row_key"], None)

    def _put_migration(self, values: dict[str, Any]) -> None:
        if values["migration_id"] >= 0:
            self.ids.setdefault(values["source"], {})[values["migration_id"]] = values["version"]
            self.statuses.setdefault(values["source"], {})[values["migration_id"]] = values["status"]
            if values["status"] == "started":
                self.begun.setdefault(values["source"], {})[values["migration_id"]] = LSN.parse(str(values["lsn"]))
        self._link_row(values)

    def _amend_migration(self, values: dict[str, Any]) -> None:
        if values["status"] is not None:
            self.statuses.setdefault(values["source"], {})[values["migration_id"]] = values["status"]

    def _link_row(self, values: dict[str, Any]) -> None:
        self.linked[values["source"], values["migration_id"]] = (self._named(values), values["evidence"])

    def _link(self, values: dict[str, Any]) -> None:
        key = (values["source"], values["migration_id"], self._named(values) or "")
        self.links[key] = (values["evidence"], values["part"], values["made"], values["objects"])

    def _attribute_commit(self, values: dict[str, Any]) -> None:
        commit = self.commits[values["hash"]]
        commit.kind, commit.message = values["kind"], values["message"]
        commit.metadata = {**commit.metadata, **values["metadata"]}

    def _remember(self, values: dict[str, Any]) -> None:
        for kind, key, state in zip(values["kind"], values["key"], values["state"], strict=True):
            # As the database gives it back.
            self.facts[kind, key] = Fact(kind, key, json.loads(json.dumps(state)))

    def _forget(self, values: dict[str, Any]) -> None:
        for kind, key in zip(values["kind"], values["key"], strict=True):
            del self.facts[kind, key]

    def _named(self, values: dict[str, Any]) -> str | None:
        if values["at"] is None:
            return values["hash"]  # type: ignore[no-any-return]
        return [name for name, one in self.commits.items() if str(one.lsn) == values["at"]][-1]
