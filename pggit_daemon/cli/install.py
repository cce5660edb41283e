"""`init` and `uninstall`: giving a database our two schemas, and taking them away."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import sql

from pggit_daemon.cli.options import ConfigOption, DatabaseOption, DsnOption, JsonOption, choose_database
from pggit_daemon.cli.output import print_json, print_text
from pggit_daemon.errors import PrerequisiteError
from pggit_daemon.query.connect import Connection, connection
from pggit_daemon.query.references import UsageError
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    from pggit_daemon.install import InstallReport


def init(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            help="Role that the daemon will log in as; it is made if it is missing, and gets the rights it needs.",
            metavar="NAME",
        ),
    ] = None,
    read_all_data: Annotated[
        bool,
        typer.Option(
            "--read-all-data",
            help="Let that role read every table (pg_read_all_data), and so all history tables, also later ones.",
        ),
    ] = False,
    migrator: Annotated[
        list[str] | None,
        typer.Option(
            "--migrator",
            help="Role that records migrations (begin_migration and the like), as the database's owner does anyway;"
            " may be given several times.",
            metavar="NAME",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the SQL and change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Install or upgrade pggit-daemon in a database; once, as a superuser. Again changes nothing."""
    from pggit_daemon import install as installer  # noqa: PLC0415  (reads its SQL; other commands need none of it)

    migrators = tuple(migrator or ())
    _check_usage(role, migrators, read_all_data=read_all_data)
    chosen = choose_database(config, dsn, database)
    with connection(chosen.dsn, purpose="init") as conn:
        _check_roles(conn, [name for name in migrators if name != role])
        script = ""
        if dry_run:
            script = installer.plan(conn, daemon_role=role, read_all_data=read_all_data, migrators=migrators)
        else:
            installer.check_rights(conn)
        if installer.installed_version(conn) is None:
            _warn_of_publications(installer.replicated_by(conn))
        if dry_run:
            if json:
                print_json({"database": chosen.name, "sql": script})
            else:
                sys.stdout.write(script)
            return
        report = installer.install(
            conn, daemon_role=role, read_all_data=read_all_data, migrators=migrators, plugin=chosen.plugin
        )
    if json:
        print_json({"database": chosen.name, **asdict(report), "changed": report.changed})
        return
    print_text(f"{chosen.name}: {_done(report)}")
    if role is not None:
        reads = "pg_read_all_stats, pg_read_all_data" if read_all_data else "pg_read_all_stats"
        print_text(f"role {role}: LOGIN, REPLICATION, {reads}, and its rights on the schemas pggit and pggit_daemon")
    for note in report.notes:
        print_text(f"still to do: {note}")


def _done(report: InstallReport) -> str:
    if not report.changed:
        return "nothing to do"
    if not (report.steps or report.repeatable):
        return f"schema version {report.to_version} as before; rights are granted"
    if report.from_version == report.to_version:
        return f"schema version {report.to_version} as before; its functions and views are renewed"
    over = "" if report.from_version is None else f" over version {report.from_version}"
    return f"installed schema version {report.to_version}{over}"


def _check_usage(role: str | None, migrators: tuple[str, ...], *, read_all_data: bool) -> None:
    if read_all_data and role is None:
        raise UsageError("--read-all-data: --role NAME says who")
    for option, names in (("--role", (role,)), ("--migrator", migrators)):
        if "" in names:
            raise UsageError(f"{option} '': allowed: the name of a role")


def _check_roles(conn: Connection, names: list[str]) -> None:
    """Say it before anything is made, and with what makes it, if a role is missing."""
    for (name,) in conn.execute(load_queries("cli")["missing_roles"], {"roles": names}).fetchall():
        raise PrerequisiteError(
            f"--migrator {name}: there is no such role; nothing was changed",
            hint=sql.SQL("CREATE ROLE {} LOGIN;").format(sql.Identifier(name)).as_string(conn),
        )


def _warn_of_publications(publications: tuple[tuple[str, str], ...]) -> None:
    """Before our tables join somebody's replication: which one it is, and what leaves them out."""
    for name, statement in publications:
        print(  # noqa: T201  (a warning beside the output, which may be JSON or SQL)
            f"warning: publication {name} is FOR ALL TABLES, so it publishes the tables of pggit and pggit_daemon, too;"
            f" a subscriber without them stops with an error\nhint: {statement}",
            file=sys.stderr,
        )


def uninstall(
    *,
    config: ConfigOption = None,
    dsn: DsnOption = None,
    database: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove what init added, with the whole recorded history. The migrations' own tables stay."""
    from pggit_daemon import install as installer  # noqa: PLC0415  (reads its SQL; other commands need none of it)

    chosen = choose_database(config, dsn, database)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("uninstall removes the recorded history; without a terminal to ask on it wants --yes")
        typer.confirm(f"Remove pggit-daemon and the history it recorded from {chosen.name}?", abort=True)
    with connection(chosen.dsn, purpose="uninstall") as conn:
        installer.check_rights(conn)
        slots = _free_slots(conn, chosen.slot) if installer.installed_version(conn) is not None else []
        report = installer.uninstall(conn)
        for slot in slots:
            conn.execute(load_queries("cli")["drop_slot"], {"slot": slot})
    if json:
        print_json({"database": chosen.name, **asdict(report), "dropped_slots": slots})
        return
    if report.version is None:
        print_text(f"{chosen.name}: pggit-daemon was not installed")
        return
    print_text(f"{chosen.name}: pggit-daemon is removed" + "".join(f"; slot {slot} is dropped" for slot in slots))
    for label, names in (("brought back", report.restored), ("left, as it is not ours", report.left)):
        for name in names:
            print_text(f"{label}: {name}")
    for one in report.stays:
        print_text(f"left: {one.what}\n  hint: {one.hint}")


def _free_slots(conn: Connection, configured: str) -> list[str]:
    """Find our slots, which a removal would leave behind keeping WAL; one that is read from is an error."""
    rows = conn.execute(load_queries("cli")["slots"], {"slot": configured}).fetchall()
    for name, active, pid in rows:
        if active:
            raise PrerequisiteError(
                f"the slot {name} is still read from (server process {pid}); nothing was changed",
                hint="stop the daemon first: systemctl stop pggit-daemon",
            )
    return [name for name, _active, _pid in rows]
