"""`diff` and `export`: what lies between two commits or is one migration's, and the whole schema at one."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pggit_daemon.cli.history import SourceOption, ToolOption, say_both
from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_diff, print_json, print_text
from pggit_daemon.errors import PggitDaemonError
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.query import records
from pggit_daemon.query.compare import Comparison, between, changes_of
from pggit_daemon.query.connect import connection
from pggit_daemon.query.diff import unified
from pggit_daemon.query.references import FORMS
from pggit_daemon.sql import load_queries

_FILE_MODE = 0o666  # as the shell's own redirection makes files: what the umask leaves


def diff(
    a: Annotated[str, typer.Argument(help=f"From: {FORMS}.", metavar="A")],
    b: Annotated[str | None, typer.Argument(help="To: the same forms.", metavar="B")] = None,
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    tool: ToolOption = None,
    source: SourceOption = None,
    json: JsonOption = False,
) -> None:
    """Compare the schema at two commits or migrations, object by object; of a single one, what it changed."""
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="diff") as conn:
        if b is None:
            named = [records.find(conn, a, tool=tool, source=source)]
            found = changes_of(conn, named[0])
        else:
            named = [records.find_any(conn, word, tool=tool, source=source) for word in (a, b)]
            found = between(conn, named[0], named[1])
    say_both(*named)
    if json:
        print_json({"database": chosen.name, **found.as_json()})
        return
    for note in found.notes:
        sys.stderr.write(f"note: {note}\n")
    if not found.changes:
        said = f"no difference between {found.labels[0]} and {found.labels[1]}"
        print_text(said if b is not None else _nothing(found))
    for change in found.changes:
        print_text(f"{change.operation.value} {change.label}")
        print_diff([*unified(change, *found.short), ""])


def _nothing(found: Comparison) -> str:
    """Of one migration that changed nothing, or of which nothing is known as it was there before the first commit."""
    if found.after.kind == CommitKind.BASELINE:
        return f"what it changed is not recorded: the history begins with {found.after.label}"
    return "no schema change"


def export(
    reference: Annotated[str, typer.Argument(help=f"The moment: {FORMS}.", metavar="COMMIT|MIGRATION")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here instead of to stdout.", metavar="FILE")
    ] = None,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    tool: ToolOption = None,
    source: SourceOption = None,
    json: JsonOption = False,
) -> None:
    """Print the whole schema at a commit or migration as one SQL script."""
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="export") as conn:
        found = records.find(conn, reference, tool=tool, source=source)
        commit = records.commit_of(found)
        say_both(found)
        row = conn.execute(load_queries("history")["export"], {"commit": commit.id}).fetchone()
    script = str(row[0]) if row and row[0] is not None else ""
    if output is not None and str(output) != "-":
        write_whole(output, script)
    if json:
        written = None if output is None else str(output)
        at = {"id": commit.id, "hash": commit.hash}
        print_json({"commit": at, "note": found.note, "output": written, "sql": script})
        return
    if found.note is not None:
        sys.stderr.write(f"note: {found.note}\n")
    if output is None or str(output) == "-":
        sys.stdout.write(script)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a pipe: nothing to replace
            path.write_text(text, encoding="utf-8")
            return
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as exc:
        raise _not_written(path, exc) from exc
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).chmod(path.stat().st_mode & 0o7777 if path.exists() else _FILE_MODE & ~_umask())
        Path(name).replace(path)
    except OSError as exc:
        Path(name).unlink(missing_ok=True)
        raise _not_written(path, exc) from exc


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _not_written(path: Path, error: OSError) -> PggitDaemonError:
    return PggitDaemonError(f"{path} could not be written: {error.strerror or error}")
