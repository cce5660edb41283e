"""Options that several commands share, and the configuration that they choose.

In: --config, --dsn, --database and the environment. Out: a `Config`, or the one database of it that a command
is about. Called by every command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pggit_daemon.config import CONFIG_VARIABLE, DEFAULT_PATH, Config, find_path, for_dsn, load
from pggit_daemon.errors import ConfigError
from pggit_daemon.query.references import UsageError

if TYPE_CHECKING:
    from pggit_daemon.config import Database

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", help=f"Configuration file. [default: ${CONFIG_VARIABLE}, then {DEFAULT_PATH}]", metavar="FILE"
    ),
]
DsnOption = Annotated[
    str | None,
    typer.Option("--dsn", help="Connection string of one database, instead of a configuration file.", metavar="DSN"),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", "-d", help="Which of the configuration's databases, by its name.", metavar="NAME"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_LIBPQ_VARIABLES = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")


def choose(config: Path | None, dsn: str | None) -> Config:
    """Return what counts: --dsn, else the configuration file, else what PG* variables alone say."""
    if config is not None and dsn is not None:
        raise UsageError("--config and --dsn: give one of them, not both")
    if dsn is not None:
        return for_dsn(dsn)
    path = find_path(config, os.environ)
    if path is not None:
        return load(path)
    if any(os.environ.get(name) for name in _LIBPQ_VARIABLES):
        return for_dsn("")
    raise ConfigError(
        f"no configuration: {DEFAULT_PATH} does not exist",
        hint=f"pass --config FILE or --dsn DSN, or set ${CONFIG_VARIABLE} or libpq's PG* variables",
    )


def choose_database(config: Path | None, dsn: str | None, name: str | None) -> Database:
    """Return the one database that a command is about."""
    databases = choose(config, dsn).databases
    names = ", ".join(database.name for database in databases)
    if name is None:
        if len(databases) > 1:
            raise UsageError(f"the configuration has several databases; choose one with --database: {names}")
        return databases[0]
    for database in databases:
        if database.name == name:
            return database
    raise UsageError(f"--database {name}: not in the configuration; allowed: {names}")
