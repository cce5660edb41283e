"""`findings` and `acknowledge`: what validation finds, and what of it may stay as it is.

In: a database; names of findings, a reason. Out: a list, or what was acknowledged. `acknowledge` writes as the role
that it logs in as, so that it is known who it was: a member of pggit_migrator.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import errors as pg
from psycopg import sql
from psycopg.rows import dict_row

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_json, print_table, print_text
from pggit_daemon.errors import NotFoundError, PrerequisiteError
from pggit_daemon.query.connect import connection
from pggit_daemon.query.references import UsageError
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from pggit_daemon.query.connect import Connection


def findings(
    *,
    acknowledged: Annotated[
        bool, typer.Option("--acknowledged", help="List those that were acknowledged, by whom, when and why.")
    ] = False,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """List what is wrong with the migrations and the history: gaps, failures, drift and others."""
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="findings") as conn, conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load_queries("cli")["acknowledged" if acknowledged else "findings"]).fetchall()
        told = None if acknowledged else conn.execute(load_queries("cli")["pending"]).fetchone()
    pending = told[0] if told else None
    if json:
        document = {"database": chosen.name, "findings": rows}
        print_json(document if acknowledged else {**document, "pending": pending})
        return
    if pending is not None:
        sys.stderr.write(f"note: there may be more. {pending}\n")
    if not rows:
        print_text("none")
    elif acknowledged:
        columns = ("finding", "message", "reason", "acknowledged_by", "acknowledged_at")
        headers = ("finding", "message", "reason", "by", "at")
        print_table(headers, [[row[key] for key in columns] for row in rows], whole=("finding",))
    else:
        print_table(("finding", "message"), [(row["finding"], row["message"]) for row in rows], whole=("finding",))


def acknowledge(
    names: Annotated[list[str], typer.Argument(help="As `findings` lists them.", metavar="FINDING…")],
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", "-r", help="Why it may stay; others will read it.", metavar="TEXT")
    ] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take the acknowledgement back.")] = False,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Take note of findings that may stay: they are shown no more, and their alerts end."""
    if reopen == (reason is not None):
        raise UsageError("acknowledge: allowed is one of --reason TEXT and --reopen")
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="acknowledge") as conn:
        for name in names:
            _note(conn, name, reason)
    done = "acknowledged" if reason is not None else "reopened"
    if json:
        print_json({"database": chosen.name, done: names})
    else:
        print_text(f"{done}: {', '.join(names)}")


def _note(conn: Connection, name: str, reason: str | None) -> None:
    query = load_queries("cli")["reopen" if reason is None else "acknowledge"]
    try:
        conn.execute(query, {"finding": name, "reason": reason})
    except pg.UndefinedObject as exc:
        raise NotFoundError(str(exc.diag.message_primary), hint="pggit-daemon findings lists them") from exc
    except pg.InsufficientPrivilege as exc:
        role = sql.Identifier(conn.info.user).as_string(conn)
        raise PrerequisiteError(
            f"only members of pggit_migrator acknowledge findings, and {conn.info.user} is none",
            hint=f"GRANT pggit_migrator TO {role};  -- or with --dsn as a role that is one",
        ) from exc
