"""Remove what installations added, and nothing else.

In: a superuser's connection. Out: a report, or an error and nothing changed. Over an existing pgGit its
tables, rows, functions, views and keys are as they were; on a bare database both schemas go.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from pggit_daemon.errors import InstallError
from pggit_daemon.install import leftovers
from pggit_daemon.install.leftovers import Leftover
from pggit_daemon.install.script import restored_bookkeeping
from pggit_daemon.install.state import (
    exclusive,
    installed_version,
    is_restored,
    object_list,
    restored_steps,
    rows,
    run_file,
)
from pggit_daemon.sql import load_queries, steps

if TYPE_CHECKING:
    import psycopg

_queries = load_queries("uninstall")

DROPS = {
    # What can be dropped by its identity, in the order in which it goes.
    "view": "VIEW",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "table": "TABLE",
    "sequence": "SEQUENCE",
    "index": "INDEX",
    "type": "TYPE",
}


_WITH_PARTS = frozenset({"table", "view", "materialized view", "foreign table"})


@dataclass(frozen=True, slots=True)
class UninstallReport:
    """What a removal did.

    `version` is None where nothing was installed; `restored` are older functions, views and keys that came
    back; `left` are objects in schema pggit that are not ours, because of which the schema stayed; `stays` is what of
    ours is still there, as others may need it.
    """

    version: int | None
    restored: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    stays: tuple[Leftover, ...] = ()


def uninstall(conn: psycopg.Connection[Any]) -> UninstallReport:
    """Remove everything of ours; objects of users that rest on it are an error that names them."""
    with exclusive(conn):
        if is_restored(conn):
            there = restored_steps(conn)
            for part in restored_bookkeeping(step for step in steps() if step.number in there):
                run_file(conn, part.name, part.text)
        version = installed_version(conn)
        if version is None:
            return UninstallReport(None)
        conn.execute("SELECT set_config('check_function_bodies', 'off', true)")
        before = object_list(conn)
        stays = leftovers.beside_schemas(conn)
        added = {(row[0], row[1]) for row in rows(conn, _queries["added"])}
        ours = added | _drop_triggers(conn) | _drop_publications(conn)
        had_pggit = ("schema", "pggit") not in added
        if had_pggit:
            for name in ("forget_rows", "forget_heads", "forget_commits"):
                run_file(conn, name, _queries[name])
        _drop_added(conn, added)
        restored = _restore(conn)
        _take_back_grants(conn, had_pggit=had_pggit)
        if had_pggit:
            # It named an index of ours, which is gone.
            conn.execute("ALTER TABLE pggit.external_migrations REPLICA IDENTITY DEFAULT")
        conn.execute("DROP SCHEMA pggit_daemon CASCADE")
        left = () if had_pggit else _drop_public_schema(conn)
        _refuse_others(conn, before, ours)
        _drop_roles(conn, frozenset(name for kind, name in added if kind == "migrator"))
        return UninstallReport(version, restored, left, (*leftovers.roles(conn), *stays))


def _drop_triggers(conn: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """Drop event triggers and triggers that call us, wherever they are; return what they were."""
    gone = set()
    for (name,) in rows(conn, _queries["event_triggers_of_ours"]):
        conn.execute(sql.SQL("DROP EVENT TRIGGER {}").format(sql.Identifier(name)))
        gone.add(("event trigger", sql.Identifier(name).as_string(conn)))
        gone.add(("event trigger", name))
    for name, schema, table, kind, identity in rows(conn, _queries["triggers_of_ours"]):
        conn.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.Identifier(schema, table)))
        gone.add((kind, identity))
    return gone


def _drop_publications(conn: psycopg.Connection[Any]) -> set[tuple[str, str]]:
    """Drop the publications that the daemon made for pgoutput; return what was in them."""
    gone = set()
    for name, kind, identity in rows(conn, _queries["publications_of_ours"]):
        conn.execute(sql.SQL("DROP PUBLICATION IF EXISTS {}").format(sql.Identifier(name)))
        gone.add((kind, identity))
    return gone


def _drop_added(conn: psycopg.Connection[Any], added: set[tuple[str, str]]) -> None:
    """Drop what we put into schema pggit: what is no longer there is no error."""
    # Identities come from the server, quoted as SQL needs them.
    for kind, word in DROPS.items():
        for identity in sorted(name for of_kind, name in added if of_kind == kind):
            if kind == "type" and identity.endswith("[]"):
                continue
            if kind == "type" and ("table", identity) in added | {("view", identity)}:
                continue
            conn.execute(sql.SQL(f"DROP {word} IF EXISTS {identity} CASCADE"))
    for identity in sorted(name for kind, name in added if kind == "table column"):
        table, _, column = identity.rpartition(".")
        if ("table", table) not in added:
            conn.execute(sql.SQL(f"ALTER TABLE IF EXISTS {table} DROP COLUMN IF EXISTS {column} CASCADE"))


def _restore(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Bring back what was there before us and was replaced or dropped by us."""
    restored = []
    for kind, identity, definition, present in rows(conn, _queries["changed_since"]):
        try:
            if present and kind == "view":
                conn.execute(sql.SQL(f"DROP VIEW {identity}"))
            with conn.transaction():
                conn.execute(definition.encode())
        except errors.InvalidFunctionDefinition:
            # Another result type or other argument names: it cannot be replaced, only made anew.
            conn.execute(sql.SQL(f"DROP ROUTINE {identity}"))
            conn.execute(definition.encode())
        except errors.UniqueViolation as exc:
            raise InstallError(
                f"{identity} cannot come back, nothing was changed: {exc.diag.message_detail}",
                hint="delete one of these rows of pggit.external_migrations, then uninstall again",
            ) from exc
        restored.append(f"{kind} {identity}")
    return tuple(restored)


def _take_back_grants(conn: psycopg.Connection[Any], *, had_pggit: bool) -> None:
    """Comments of ours on what stays, and rights on it; a setting of the daemon's role."""
    for (statement,) in (*rows(conn, _queries["comments_changed"]), *rows(conn, _queries["unchecked"])):
        conn.execute(statement.encode())
    for role, _ours, _members in rows(conn, _queries["roles_of_ours"]):
        for what in ("ALL TABLES IN SCHEMA pggit", "ALL ROUTINES IN SCHEMA pggit", "SCHEMA pggit"):
            conn.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(sql.SQL(what), sql.Identifier(role)))
    if had_pggit and rows(conn, _queries["usage_added"]) == [(True,)]:
        conn.execute("REVOKE USAGE ON SCHEMA pggit FROM PUBLIC")


def _drop_roles(conn: psycopg.Connection[Any], made_members: frozenset[str]) -> None:
    """Drop the roles that we made, unless another database of this server or a member still needs them.

    `made_members` are those whom init made migrators: they need nothing.
    """
    for role, ours, members in rows(conn, _queries["roles_of_ours"]):
        if ours and made_members.issuperset(members):
            with suppress(errors.DependentObjectsStillExist), conn.transaction():
                conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _drop_public_schema(conn: psycopg.Connection[Any]) -> tuple[str, ...]:
    left = tuple(row[0] for row in rows(conn, _queries["left_in_pggit"]))
    if not left:
        conn.execute("DROP SCHEMA IF EXISTS pggit")
    return left


def _refuse_others(
    conn: psycopg.Connection[Any], before: dict[tuple[str, str], str | None], ours: set[tuple[str, str]]
) -> None:
    """Raise, and so undo everything, when something that is not ours went along."""
    now = object_list(conn)
    gone = {
        (kind, identity)
        for (kind, identity), schema in before.items()
        if (kind, identity) not in now
        and (kind, identity) not in ours
        and schema != "pggit_daemon"
        and (kind, identity) != ("schema", "pggit_daemon")
    }
    lost = sorted(f"{kind} {identity}" for kind, identity in gone if not _is_part(kind, identity, gone))
    if lost:
        raise InstallError(
            f"these objects rest on what would be removed, nothing was changed: {', '.join(lost)}",
            hint="drop or change them first",
        )


def _is_part(kind: str, identity: str, gone: set[tuple[str, str]]) -> bool:
    """Whether it is of another one that is named anyway: the row type of a view, a column or constraint of a table."""
    relations = {name for of_kind, name in gone if of_kind in _WITH_PARTS}
    match kind:
        case "type":
            base = identity.removesuffix("[]")
            return base in relations or (base != identity and ("type", base) in gone)
        case "table column" | "default value":
            return identity.removeprefix("for ").rpartition(".")[0] in relations
        case "table constraint" | "trigger" | "rule" | "policy":
            return identity.rpartition(" on ")[2] in relations
        case _:
            return False
