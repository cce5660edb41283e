"""`tools`: the presets by which history tables are known; which of them fits a table, and whether one of your own is
right.

In: a configuration, a table's name, or files. Out: lists and reasons. Reads the catalog only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_json, print_table, print_text
from pggit_daemon.config import find_path
from pggit_daemon.config.tools import read_file
from pggit_daemon.errors import NotFoundError
from pggit_daemon.model.shape import Shape
from pggit_daemon.model.table_names import parse_table
from pggit_daemon.model.transaction import TableName
from pggit_daemon.query.connect import Connection, connection
from pggit_daemon.query.references import UsageError
from pggit_daemon.sql import load_queries
from pggit_daemon.tools.overlaps import overlapping, rivals
from pggit_daemon.tools.preset import Preset, packaged

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(help="The migration tools that are known, and their history tables.", no_args_is_help=True)

NEAR = 5
"""So many of the presets that nearly fit are explained."""


@app.command("list")
def show(
    *, config: ConfigOption = None, dsn: DsnOption = None, database: DatabaseOption = None, json: JsonOption = False
) -> None:
    """List the presets: the package's, and those of the configuration if there is one."""
    given = database is not None or dsn is not None or find_path(config, os.environ) is not None
    presets = choose_database(config, dsn, database).presets if given else dict(packaged())
    rows = [_summary(name, preset) for name, preset in sorted(presets.items())]
    if json:
        print_json({"tools": rows})
        return
    print_table(
        ("preset", "tool", "history table", "model", "proofs"),
        [(row["preset"], row["tool"], row["table"], row["model"], ", ".join(row["proofs"])) for row in rows],
    )


@app.command("explain")
def explain(
    table: Annotated[
        str, typer.Argument(help="schema.table as in SQL; the table alone where one schema has it.", metavar="TABLE")
    ],
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Say which preset fits a table, or what it lacks of those that nearly fit."""
    try:
        bare = parse_table(f"public.{table}").table
    except ValueError:
        bare = None
    try:
        name = parse_table(table if bare is None else f"public.{table}")
    except ValueError as exc:
        raise UsageError(f"TABLE = {table!r}: {exc}") from exc
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="tools") as conn:
        if bare is not None:
            name = _only(conn, bare)
        shape, beside = _look(conn, name)
        followed = _followed(conn, name)
    misses = {stem: list(preset.table.misses(name, shape, beside)) for stem, preset in chosen.presets.items()}
    fitting = _best(chosen.presets, [stem for stem, lacks in misses.items() if not lacks])
    near = sorted(
        (stem for stem in misses if misses[stem]),
        key=lambda stem: _distance(chosen.presets[stem], name, shape, misses[stem]),
    )
    looked_at = chosen.discovery.allows(name)
    configured = next((section.name for section in chosen.sources if section.table_name == name), None)
    if json:
        document = {
            "table": str(name),
            "fits": fitting,
            "looked_at": looked_at,
            "configured": configured,
            "followed": followed and {"source": followed[0], "tool": followed[1]},
            "misses": {one: misses[one] for one in near},
        }
        print_json(document)
        return
    _print_following(name, followed, configured, fitting, looked_at=looked_at)
    if len(fitting) == 1:
        print_text(f"{name} is a history table of {chosen.presets[fitting[0]].tool} (preset {fitting[0]})")
        return
    if fitting:
        print_text(f"{name} fits several presets, so it is no source: {', '.join(fitting)}")
        return
    print_text(f"{name} fits no preset. The nearest:")
    for stem in near[:NEAR]:
        print_text(f"  {stem}: {'; '.join(misses[stem])}")


def _print_following(
    name: TableName, followed: tuple[str, str] | None, configured: str | None, fitting: list[str], *, looked_at: bool
) -> None:
    """Whether a table is followed, for another reason than its looks."""
    if configured is not None:
        print_text(f"{name} is the source {configured} of the configuration")
    elif followed is not None and not fitting:
        # Its section or preset stands in the daemon's configuration, which is not the one that was given here.
        source, tool = followed
        print_text(f"{name} is followed as source {source} of {tool}, by the daemon's own configuration")
    elif not looked_at:
        print_text(f"{name} is not looked at: discover in the configuration leaves it out")


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(help="Presets of your own.", metavar="FILE…")]) -> None:
    """Check presets of your own: whether they are right, and which others fit the same tables."""
    own = {file: read_file(file) for file in files}
    presets = {**dict(packaged()), **{file.stem: preset for file, preset in own.items()}}
    clashes = 0
    for file, preset in own.items():
        same = rivals(file.stem, presets)
        clashes += len(same)
        verdict = "correct" if not same else "in conflict"
        print_text(f"{file}: {verdict}: {_summary_line(_summary(file.stem, preset))}")
        if file.stem in dict(packaged()):
            print_text(f"  it takes the place of the package's preset {file.stem}")
        for other in overlapping(file.stem, presets):
            print_text(f"  {_of_both(file.stem, other, presets)}")
    if clashes:
        raise typer.Exit(1)


def _of_both(name: str, other: str, presets: Mapping[str, Preset]) -> str:
    """Whose the tables are that both presets fit."""
    ranks = {presets[one].rank: one for one in (name, other)}
    if len(ranks) == 1:
        return f"fits the same tables as {other}, of the same rank: such a table would be nobody's"
    return f"fits the same tables as {other}: by its rank {ranks[max(ranks)]} has them"


def _summary(name: str, preset: Preset) -> dict[str, Any]:
    table = preset.table
    return {
        "preset": name,
        "tool": preset.tool,
        "table": table.name or " or ".join(table.names) or "any",
        "any_name": not table.names,
        "model": preset.model,
        "proofs": list(dict.fromkeys(proof.by for proof in preset.proof)),
        "columns": dict(table.columns),
    }


def _summary_line(row: Mapping[str, Any]) -> str:
    return (
        f"tool {row['tool']}, model {row['model']}, table {row['table']}, proofs {', '.join(row['proofs']) or 'none'}"
    )


def _look(conn: Connection, table: TableName) -> tuple[Shape, frozenset[str]]:
    values = {"schema": table.schema, "table": table.table}
    row = conn.execute(load_queries("cli")["table_shape"], values).fetchone()
    if row is None:
        raise NotFoundError(
            f"there is no table {table}", hint="write it as in SQL: folded to lower case unless in double quotes"
        )
    return Shape.parse(row[0]), frozenset(row[1])


def _followed(conn: Connection, table: TableName) -> tuple[str, str] | None:
    """The source and the tool as which the daemon follows a table."""
    values = {"schema": table.schema, "table": table.table}
    row = conn.execute(load_queries("cli")["source_of_table"], values).fetchone()
    return None if row is None else (row[0], row[1])


def _only(conn: Connection, table: str) -> TableName:
    """The table of that name, whatever its schema."""
    schemas = [row[0] for row in conn.execute(load_queries("cli")["schemas_of_table"], {"table": table}).fetchall()]
    if len(schemas) > 1:
        raise UsageError(f"several schemas have a table {table}; say which: {', '.join(schemas)}")
    if not schemas:
        raise NotFoundError(
            f"there is no table {table}", hint="write it as in SQL: folded to lower case unless in double quotes"
        )
    return TableName(schemas[0], table)


def _best(presets: Mapping[str, Preset], fitting: list[str]) -> list[str]:
    rank = max((presets[stem].rank for stem in fitting), default=0)
    return [stem for stem in fitting if presets[stem].rank == rank]


def _distance(preset: Preset, table: TableName, shape: Shape, misses: list[str]) -> tuple[int, int, str]:
    """How far a table is from a preset: the columns that it lacks count more than what else differs."""
    lacking = len(preset.table.columns.keys() - shape.names)
    usual = table.table == preset.table.name
    return (2 * lacking + len(misses) - 3 * usual, -len(preset.table.columns.keys() & shape.names), preset.tool)
