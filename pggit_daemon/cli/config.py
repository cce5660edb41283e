"""`config check`: whether the daemon would take a configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from pggit_daemon.cli.options import ConfigOption, DsnOption, JsonOption, choose
from pggit_daemon.cli.output import print_json, print_pairs, print_table, print_text
from pggit_daemon.config import Config, find_path, redact_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pggit_daemon.config import Database

_IN_TABLE = {"name", "dsn", "slot", "plugin", "grace_seconds", "sources"}
app = typer.Typer(help="The configuration.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `check` a command of its own: typer would merge a group of one into its parent."""


@app.command("check")
def check(*, config: ConfigOption = None, dsn: DsnOption = None, json: JsonOption = False) -> None:
    """Read and check the configuration without connecting anywhere; show what counts, without secrets."""
    chosen = choose(config, dsn)
    path = None if dsn is not None else find_path(config, os.environ)
    origin = str(path) if path else "--dsn" if dsn is not None else "PG* variables"
    if json:
        print_json({"origin": origin, "config": _document(chosen)})
        return
    print_text(f"{origin}: correct")
    print_pairs(sorted(chosen.daemon.model_dump().items()))
    if own := chosen.databases[0].own_presets:
        print_text(f"presets of your own: {', '.join(sorted(own))}")
    for one in chosen.databases:
        if given := list(_given(one)):
            print_text(f"{one.name}, where it differs from the defaults:")
            print_pairs((f"  {key}", value) for key, value in given)
    print_table(
        ("database", "connection", "slot", "plugin", "grace (s)", "sources"),
        [
            (
                d.name,
                redact_dsn(d.dsn) or "PG* variables",
                d.slot,
                d.plugin,
                d.grace_seconds,
                ", ".join(f"{s.name} ({s.table_name})" for s in d.sources),
            )
            for d in chosen.databases
        ],
    )


def _given(database: Database) -> Iterator[tuple[str, object]]:
    """The keys of a database, but for those of the table below, that are not as by default."""
    for name, field in type(database).model_fields.items():
        value = getattr(database, name)
        if name not in _IN_TABLE and not field.is_required() and value != field.get_default(call_default_factory=True):
            yield field.alias or name, ", ".join(map(str, value)) if isinstance(value, tuple) else value
    for source in database.sources:
        for key, value in source.model_dump(by_alias=True, exclude_defaults=True, exclude={"name", "table"}).items():
            yield f"source {source.name} {key}", value


def _document(config: Config) -> dict[str, Any]:
    document = config.model_dump(mode="json", by_alias=True)
    for database in document["database"]:
        database["dsn"] = redact_dsn(database["dsn"])
    return document
