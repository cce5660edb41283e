"""What a removal leaves behind on purpose, each with the statement that takes it away, too.

In: a superuser's connection, before and after the removal. Out: `Leftover` values for the report. What others may rest
on by now is theirs to decide about: roles with members, rights of a role that was there before us, a table's identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from pggit_daemon.install.state import rows
from pggit_daemon.sql import load_queries

if TYPE_CHECKING:
    import psycopg

_queries = load_queries("uninstall")

NAMED = 5
"""Databases that are named."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """`hint` is the statement, or where to go; `what` says why it stays."""

    what: str
    hint: str


def beside_schemas(conn: psycopg.Connection[Any]) -> tuple[Leftover, ...]:
    """Return what was changed outside of our schemas; before the removal, as our tables tell it."""
    return (*_identities(conn), *_granted(conn))


def roles(conn: psycopg.Connection[Any]) -> tuple[Leftover, ...]:
    """Return the roles that we made and that are still there; after the removal."""
    found = []
    elsewhere: dict[str, list[str]] = {}
    for role, members, databases, rests_here in rows(conn, _queries["roles_left"]):
        if databases and not members and not rests_here:
            elsewhere.setdefault(_listed(databases), []).append(role)
        else:
            found.append(_role(conn, role, members, databases, rests_here=rests_here))
    for where, names in elsewhere.items():
        what = f"role{'s' if len(names) > 1 else ''} {', '.join(names)}, needed in {where}"
        found.append(Leftover(what, f"pggit-daemon uninstall in {where} drops what nobody else needs"))
    return tuple(found)


def _role(
    conn: psycopg.Connection[Any], role: str, members: list[str], databases: list[str], *, rests_here: bool
) -> Leftover:
    name = _name(conn, role)
    reasons, steps = [], []
    if members:
        reasons.append(f"{', '.join(members)} {'are members' if len(members) > 1 else 'is a member'}")
        steps.append(f"REVOKE {name} FROM {', '.join(_name(conn, one) for one in members)};")
    if rests_here:
        reasons.append("it owns something, or has rights, in this database")
        steps.append(f"DROP OWNED BY {name};")
    hint = " ".join([*steps, f"DROP ROLE {name};"])
    if databases:
        reasons.append(f"it is needed in {_listed(databases)}")
        hint = f"pggit-daemon uninstall in {_listed(databases)}, then: {hint}"
    return Leftover(f"role {role}, as {' and '.join(reasons) or 'somebody uses it'}", hint)


def _listed(databases: list[str]) -> str:
    more = f" and {len(databases) - NAMED} more" if len(databases) > NAMED else ""
    return f"{', '.join(databases[:NAMED])}{more}"


def _identities(conn: psycopg.Connection[Any]) -> Iterable[Leftover]:
    for (table,) in rows(conn, _queries["full_identities"]):
        yield Leftover(
            f"REPLICA IDENTITY FULL of {table}, which integrate gives to tables without a key",
            f"ALTER TABLE {table} REPLICA IDENTITY DEFAULT;",
        )


def _granted(conn: psycopg.Connection[Any]) -> Iterable[Leftover]:
    for role, replicates, memberships in rows(conn, _queries["rights_of_followers"]):
        name = _name(conn, role)
        rights = [*(["REPLICATION"] if replicates else []), *memberships]
        if rights:
            yield Leftover(
                f"{', '.join(rights)} of role {role}, which was there before init",
                (f"ALTER ROLE {name} NOREPLICATION; " if replicates else "")
                + (f"REVOKE {', '.join(memberships)} FROM {name};" if memberships else ""),
            )


def _name(conn: psycopg.Connection[Any], name: str) -> str:
    return sql.Identifier(name).as_string(conn)
