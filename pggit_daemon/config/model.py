"""The configuration as frozen values, with every rule that one value or one section can break.

In: plain mappings (from TOML). Out: models; pydantic's errors are put into words by `explain.py`.
A duration's key carries its unit. The descriptions are what docs and error messages say about a key.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, PrivateAttr, model_validator

from pggit_daemon.config.redaction import SHOWN
from pggit_daemon.config.tools import Tool
from pggit_daemon.model.table_names import parse_table
from pggit_daemon.tools.discovery import Discovery
from pggit_daemon.tools.preset import Preset, packaged

if TYPE_CHECKING:
    from pggit_daemon.model.transaction import TableName

DEFAULT_PORT = 8432  # 9100 to 9999 is allotted to Prometheus exporters to the last number, so one outside it


class Section(BaseModel):
    """What all sections share: unknown keys and wrong types are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=True)


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", value):
        msg = "allowed: 1 to 63 letters, digits, '_', '.' or '-', not starting with '.' or '-'"
        raise ValueError(msg)
    return value


def _slot(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,63}", value):
        msg = "allowed: 1 to 63 lower-case letters, digits and '_', as PostgreSQL names slots"
        raise ValueError(msg)
    return value


def _misspelt(word: re.Match[str]) -> str:
    """The word that libpq stumbled over, which may be of a password: told only where it is nearly a keyword."""
    near = difflib.get_close_matches(word[1], sorted(SHOWN), n=1, cutoff=0.75)
    return f'"{word[1]}" (did you mean {near[0]!r}?)' if near else '"…"'


def _dsn(value: str) -> str:
    try:
        parts = conninfo_to_dict(value)
    except psycopg.ProgrammingError as exc:
        reason = re.sub(r'"([^"]*)"', _misspelt, str(exc)).strip()
        msg = f"{reason}; allowed: a libpq connection string (host=… dbname=… user=…) or URI"
        raise ValueError(msg) from None
    if "replication" in parts:
        msg = "allowed: a connection string without 'replication', which the daemon sets itself"
        raise ValueError(msg)
    return value


def _table(value: str) -> str:
    parse_table(value)
    return value


def _discover(value: object) -> bool | tuple[str, ...]:
    """True, false, or patterns; '!' in front leaves out."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(one, str) and one.strip("!") for one in value):
        return tuple(value)
    msg = 'allowed: true, false, or a list of patterns, as ["app", "!app.copy_*"]'
    raise ValueError(msg)


Name = Annotated[str, AfterValidator(_name)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Discover = Annotated[bool | tuple[str, ...], PlainValidator(_discover)]
Column = Annotated[str, Field(min_length=1, max_length=63)]


class Columns(Section):
    """`[database.source.columns]`: which column of the table means what."""

    id: Column = Field(description="the migration's own id; together with the source it names one migration")
    name: Column | None = Field(default=None, description="a title or file name")
    checksum: Column | None = Field(
        default=None, description="a checksum of the script; a later change of it is reported"
    )
    applied_at: Column | None = Field(default=None, description="when it was applied (timestamp, timestamptz or date)")
    applied_by: Column | None = Field(default=None, description="who applied it")
    success: Column | None = Field(default=None, description="boolean; false is a failed migration")
    execution_time: Column | None = Field(default=None, description="how long it took, in milliseconds")


class Source(Section):
    """`[[database.source]]`: a history table that no preset knows."""

    name: Name = Field(description="names the source in metrics, logs and commands; unique in its database")
    table: Annotated[str, AfterValidator(_table)] = Field(
        description="schema.table as in SQL: folded to lower case unless in double quotes"
    )
    tool: Name = Field(default="custom", description="the tool_name of its migrations; any word")
    ddl: Literal["same", "after"] = Field(
        default="same",
        description="'same': the row is written in the transaction that ran the DDL; 'after': in a later one",
    )
    grace_seconds: Seconds | None = Field(
        default=None, description="seconds that DDL waits for its row; default: the database's grace_seconds"
    )
    user: str | None = Field(default=None, description="only DDL of this session user can belong to the source")
    application_name: str | None = Field(
        default=None, description="only DDL under this application_name can belong to it"
    )
    columns: Columns = Field(description="which column means what; id is required")

    @property
    def table_name(self) -> TableName:
        """The table by its real names."""
        return parse_table(self.table)


class Database(Section):
    """`[[database]]`: one database to follow."""

    name: Name = Field(description="names the database in metrics, logs and commands; unique")
    dsn: Annotated[str, AfterValidator(_dsn)] = Field(
        default="",
        repr=False,
        description="libpq connection string or URI; what it leaves out comes from PG* variables, service and "
        "password files",
    )
    slot: Annotated[str, AfterValidator(_slot)] = Field(
        default="pggit_daemon", description="replication slot, unique in the whole server"
    )
    plugin: Literal["auto", "wal2json", "pgoutput"] = Field(
        default="auto",
        description="output plugin of the slot; auto: the existing slot's, for a new one wal2json where the server has "
        "and allows it, otherwise pgoutput (PostgreSQL 15 and later)",
    )
    create_baseline: bool = Field(
        default=True,
        description="begin the history with a slot and a baseline commit where there is none; false: refuse to",
    )
    grace_seconds: Seconds = Field(
        default=30.0,
        description="seconds that DDL of a tool's session waits for its history row; then it is linked to none",
    )
    status_interval_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        default=2.0, description="seconds between status messages to the server; keep well below wal_sender_timeout"
    )
    reconcile_interval_seconds: Seconds = Field(
        default=60.0, description="seconds between comparisons of the history tables with what is recorded"
    )
    verify_interval_seconds: Seconds = Field(
        default=900.0, description="seconds between comparisons of the whole catalog with the recorded tree"
    )
    watch_interval_seconds: Seconds = Field(
        default=5.0,
        description="seconds between looks at what was written in the catalog, which is compared with the record",
    )
    metrics_interval_seconds: Annotated[float, Field(ge=1, le=3_600)] = Field(
        default=10.0, description="seconds between readings of the metrics that come from SQL"
    )
    discover: Discover = Field(
        default=True,
        description="true: find history tables by their looks; false: only configured ones; or shell patterns of "
        "schemas and of schema.table to look at, those with '!' in front to leave out",
    )
    sources: tuple[Source, ...] = Field(
        default=(), alias="source", strict=False, description="history tables that no preset knows"
    )

    _own_presets: Mapping[str, Preset] = PrivateAttr(default_factory=dict)

    @property
    def presets(self) -> Mapping[str, Preset]:
        """How tools keep their history: the package's presets, and over them those of the whole file."""
        return {**dict(packaged()), **self._own_presets}

    @property
    def own_presets(self) -> Mapping[str, Preset]:
        """Those of the file and its folder alone."""
        return self._own_presets

    def with_presets(self, own: Mapping[str, Preset]) -> Self:
        """The same with these of the user's own."""
        copy = self.model_copy()
        copy._own_presets = own  # noqa: SLF001  # a copy of ourselves
        return copy

    @property
    def discovery(self) -> Discovery:
        """Where history tables are looked for that nobody configured."""
        if isinstance(self.discover, bool):
            return Discovery(on=self.discover)
        left_out = tuple(one[1:] for one in self.discover if one.startswith("!"))
        return Discovery(include=tuple(one for one in self.discover if one[0] != "!"), exclude=left_out)

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        _no_duplicates([s.name for s in self.sources], "source", "name")
        _no_duplicates([str(s.table_name) for s in self.sources], "source", "table")
        return self


class Daemon(Section):
    """`[daemon]`: the process."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, JSON lines under systemd and in pipes"
    )
    http_address: Annotated[str, Field(min_length=1)] = Field(
        default="127.0.0.1", description="address that /metrics, /healthz and /readyz listen on"
    )
    http_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=DEFAULT_PORT, description="TCP port of it; 0: no HTTP"
    )
    stop_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        default=10.0, description="seconds that a stop waits for the transaction in hand"
    )
    tools_folder: Path | None = Field(
        default=None, strict=False, description="a folder of presets of your own, files that end in .toml"
    )
    stall_seconds: Annotated[float, Field(ge=5, le=3_600)] = Field(
        default=30.0,
        description="seconds without a sign of life after which a database is not ready, or the process not alive",
    )


class Config(Section):
    """The whole file. `tools` are presets of the user's own, beside those that come with the package."""

    daemon: Daemon = Field(default=Daemon(), description="the process")
    databases: tuple[Database, ...] = Field(
        alias="database", strict=False, description="the databases to follow, at least one"
    )
    tools: tuple[Tool, ...] = Field(
        default=(), alias="tool", strict=False, description="presets of your own, in the form of docs/tools.md"
    )

    def with_presets(self, presets: Mapping[str, Preset]) -> Self:
        """The same with these presets, and those of the file over them, for each database."""
        own = {**presets, **{tool.tool: tool for tool in self.tools}}
        databases = tuple(database.with_presets(own) for database in self.databases)
        return self.model_copy(update={"databases": databases})

    @model_validator(mode="after")
    def _databases_differ(self) -> Self:
        if not self.databases:
            msg = "database: no [[database]] section; allowed: one or more"
            raise ValueError(msg)
        _no_duplicates([d.name for d in self.databases], "database", "name")
        seen: dict[tuple[object, ...], str] = {}
        for database in self.databases:
            key = (*_server(database.dsn), database.slot)
            if key in seen:
                msg = (
                    f"database: {seen[key]!r} and {database.name!r} use the slot {database.slot!r} on the same server; "
                    f"allowed: a slot of its own for each"
                )
                raise ValueError(msg)
            seen[key] = database.name
        return self


def _no_duplicates(values: list[str], section: str, key: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            msg = f"{section}[{index}].{key} = {value!r}: given twice; allowed: each {section} has a {key} of its own"
            raise ValueError(msg)


def _server(dsn: str) -> tuple[object, ...]:
    """Take what tells servers apart from a connection string; equal parts mean the same server."""
    parts = conninfo_to_dict(dsn)
    return tuple(parts.get(key) for key in ("service", "host", "hostaddr", "port"))
