"""`log` and `show`: the commits, and one of them in full."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import moment, print_diff, print_json, print_pairs, print_table, print_text, shown, width
from pggit_daemon.model.decision import CommitKind
from pggit_daemon.query import records
from pggit_daemon.query.connect import connection
from pggit_daemon.query.diff import Change, pair, unified
from pggit_daemon.query.references import FORMS, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pggit_daemon.query.records import Commit, Found

ToolOption = Annotated[str | None, typer.Option("--tool", help="Only migrations of this tool.", metavar="TOOL")]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Only migrations of this source (history table).", metavar="NAME")
]
_KINDS = ", ".join(CommitKind)
_ALL_COLUMNS = 130  # columns of the terminal from which on the list has all of its own
# Metadata that other lines, or the table of migrations, say already.
_TIMES = {"backend_start"}
_UNCHANGED = "no schema change"
_NAMES = {"objects": "objects recorded"}  # of the whole schema, at a baseline and after a gap
_SHOWN_ELSEWHERE = {"lsn", "xid", "tool", "source", "version", "migration_id", "evidence", "part", "texts"}


def log(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many commits.")] = 20,
    kind: Annotated[str | None, typer.Option("--kind", help=f"Only this kind: {_KINDS}.")] = None,
    tool: ToolOption = None,
    source: SourceOption = None,
    json: JsonOption = False,
) -> None:
    """List the commits, newest first, with the migrations linked to them."""
    if kind is not None and kind not in set(CommitKind):
        raise UsageError(f"--kind {kind}: allowed: {_KINDS}")
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="log") as conn:
        rows = records.commits(conn, limit=limit, kind=kind, tool=tool, source=source, migrations=records.FEW)
        unknown = () if rows else records.unknown(conn, tool=tool, source=source)
    for option, value, known in unknown:
        sys.stderr.write(
            f"note: no migration of {option} {value} is recorded; there are: {', '.join(known) or 'none'}\n"
        )
    if not rows and not unknown:
        sys.stderr.write(f"note: no commit is recorded{f' of the kind {kind}' if kind else ''}\n")
    if json:
        print_json({"database": chosen.name, "commits": [row.as_json() for row in rows]})
        return
    if not rows:
        return
    if width() < _ALL_COLUMNS:
        _print_narrow(rows)
        return
    print_table(
        ("id", "commit", "when", "kind", "who", "migration", "objects", "message"),
        [
            (
                row.id,
                row.short,
                row.occurred_at,
                row.kind,
                _who(row),
                _migrations(row),
                row.objects_changed,
                row.message,
            )
            for row in rows
        ],
    )


def show(
    reference: Annotated[str, typer.Argument(help=f"What to show: {FORMS}.", metavar="COMMIT|MIGRATION")],
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    tool: ToolOption = None,
    source: SourceOption = None,
    json: JsonOption = False,
) -> None:
    """Show a commit or a migration: who, when, on which evidence, and the diff of every object it changed."""
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="show") as conn:
        found = records.find(conn, reference, tool=tool, source=source)
        made = [(one.commit, pair(records.changed_in(conn, one))) for one in records.made(conn, found)]
    say_both(found)
    if json:
        print_json(_document(chosen.name, found, made))
        return
    if found.note is not None:
        print_text(found.note)
    elif found.commit is None:
        print_text(f"migration {found.migration.label if found.migration else ''}: no commit is linked to it")
    if not made and found.migration is not None:
        print_pairs((key, value) for key, value in asdict(found.migration).items())
    for number, (commit, changes) in enumerate(made):
        if number:
            print_text("")
        _print_commit(commit)
        for change in changes:
            print_text(f"\n{change.operation.value} {change.label}")
            print_diff(unified(change, commit.short_parent, commit.short))


def say_both(*found: Found) -> None:
    """A note on stderr of each word that is a migration's number, and a commit's."""
    for note in (one.both for one in found):
        if note is not None:
            sys.stderr.write(f"note: {note}\n")


def _print_narrow(rows: list[Commit]) -> None:
    """One line a commit, cut where the terminal ends; `show` has all of it."""
    listed = [(str(row.id), _when(row), row.kind or "", _what(row)) for row in rows]
    widths = [max([len(one[column]) for one in listed], default=0) for column in range(3)]
    for number, when, kind, what in listed:
        line = f"{number:>{widths[0]}}  {when:<{widths[1]}}  {kind:<{widths[2]}}  {shown(what)}"
        print_text(line if len(line) <= width() else line[: width() - 1] + "…")


def _when(commit: Commit) -> str:
    return commit.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if commit.occurred_at else ""


def _what(commit: Commit) -> str:
    """The message, with the evidence for its migrations, or with who it was where that counts more."""
    evidence = list(dict.fromkeys(_evidence(m) for m in commit.migrations if m["made"]))
    if idle := [
        records.told_as(m["tool"], m["migration_id"], m["version"]) for m in commit.migrations if not m["made"]
    ]:
        # Named, as the message is that of a migration that did change the schema.
        evidence.append(f"{_UNCHANGED}: {', '.join(idle)}")
    why = _who(commit) if commit.kind == "out_of_band" or not evidence else "; ".join(evidence)
    return f"{commit.message or ''} ({why})" if why else commit.message or ""


def _document(database: str, found: Found, made: list[tuple[Commit, list[Change]]]) -> dict[str, Any]:
    """`commit` is the last one of a migration, `commits` are all that it made."""
    return {
        "database": database,
        "migration": asdict(found.migration) if found.migration else None,
        "commit": found.commit.as_json() if found.commit else None,
        "commits": [commit.as_json() for commit, _ in made],
        "note": found.note,
        "changes": [change.as_json() for _, changes in made for change in changes],
    }


def _migrations(commit: Commit) -> str:
    few = commit.migrations[: records.FEW]
    names = (records.told_as(m["tool"], m["migration_id"], m["version"]) for m in few)
    labels = [f"{name} ({'part, ' if m['part'] else ''}{_evidence(m)})" for name, m in zip(names, few, strict=True)]
    more = commit.migration_count - len(labels)
    return ", ".join(labels) + (f" and {more} more" if more > 0 else "")


def _evidence(migration: dict[str, Any]) -> str:
    if not migration["made"]:
        return _UNCHANGED
    return str(migration["evidence"] or "no evidence")


def _who(commit: Commit) -> str:
    """Say who ran the statements, with which program and from where."""
    session = commit.metadata.get("session")
    if not isinstance(session, dict):
        return commit.author or ""
    parts = [commit.author, session.get("application_name"), session.get("client_addr")]
    return " / ".join(str(part) for part in parts if part)


def _flat(metadata: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Spread nested metadata over lines: `session pid`."""
    for key, value in sorted(metadata.items()):
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            if key in _TIMES:
                value = moment(str(value))  # noqa: PLW2901  (shown as every other time)
            yield f"  {prefix}{key}", ", ".join(map(str, value)) if isinstance(value, list) else value


def _print_commit(commit: Commit) -> None:
    metadata = {_NAMES.get(key, key): value for key, value in commit.metadata.items() if key not in _SHOWN_ELSEWHERE}
    texts = commit.metadata.get("texts", ())
    if texts and metadata.get("statements", 0) > len(texts):
        metadata["statements"] = f"{metadata['statements']}, the text of {len(texts)} kept"
    print_pairs(
        [
            ("commit", f"{commit.id} {commit.hash}"),
            ("parent", commit.parent),
            ("kind", commit.kind),
            ("author", commit.author),
            ("when", commit.occurred_at),
            ("message", commit.message),
            ("position", f"{commit.source_lsn or 'unknown'}, transaction {commit.source_xid or 'unknown'}"),
            ("tree", commit.tree_hash),
            ("changed", f"{commit.objects_changed} object{'' if commit.objects_changed == 1 else 's'}"),
            *_flat(metadata),
        ]
    )
    for text in texts:
        print_text(f"    {text.replace(chr(10), chr(10) + '    ')};")
    if commit.migrations:
        print_table(
            ("tool", "source", "id", "version", "name", "status", "evidence", "applied", "by", "ms"),
            [
                (
                    m["tool"],
                    m["source"],
                    m["migration_id"],
                    m["version"],
                    m["name"],
                    m["status"],
                    f"{_evidence(m)} (part)" if m["part"] else _evidence(m),
                    moment(m["applied_at"]),
                    m["applied_by"],
                    m["execution_ms"],
                )
                for m in commit.migrations
            ],
        )
