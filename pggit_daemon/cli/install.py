"""`init` and `uninstall`: giving a database our two schemas, and taking them away."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pggit_daemon.cli.connect import connection
from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_json, print_text
from pggit_daemon.cli.reference import UsageError


def init(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role", help="Role that the daemon will log in as; it gets the rights it needs.", metavar="NAME"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL and change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Install or upgrade pggit-daemon in a database; once, as a superuser. Again changes nothing."""
    from pggit_daemon import install as installer  # noqa: PLC0415  (reads its SQL; other commands need none of it)

    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="init", autocommit=False) as conn:
        if dry_run:
            script = installer.plan(conn)
            conn.rollback()
        else:
            installer.install(conn, daemon_role=role)
            conn.commit()
    if json:
        print_json(
            {"database": chosen.name, "sql": script} if dry_run else {"database": chosen.name, "installed": True}
        )
    elif dry_run:
        sys.stdout.write(script)
    else:
        print_text(f"{chosen.name}: pggit-daemon is installed; next: pggit-daemon run")


def uninstall(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove what init added, with the whole recorded history. The migrations' own tables stay."""
    from pggit_daemon import install as installer  # noqa: PLC0415  (as in init)

    chosen = choose_database(config, dsn, database)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("uninstall removes the recorded history; without a terminal to ask on it wants --yes")
        typer.confirm(f"Remove pggit-daemon and the history it recorded from {chosen.name}?", abort=True)
    with connection(chosen.dsn, purpose="uninstall", autocommit=False) as conn:
        installer.uninstall(conn)
        conn.commit()
    if json:
        print_json({"database": chosen.name, "uninstalled": True})
    else:
        print_text(f"{chosen.name}: pggit-daemon is removed")
