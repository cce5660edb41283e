"""The rights of the daemon's role: what it works on, and not a thing more.

In: a superuser's connection inside the installation's transaction, and a role's name. Out: the statements
that we leave to the DBA, because they decide who may log in and who may read the WAL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from pggit_daemon.install.state import queries, rows

if TYPE_CHECKING:
    import psycopg


def permit(conn: psycopg.Connection[Any], role: str) -> tuple[str, ...]:
    """Create the role if it is missing (it cannot log in then), and grant it its rights."""
    name = sql.Identifier(role)
    if not rows(conn, queries["role"], {"role": role}):
        conn.execute(sql.SQL("CREATE ROLE {}").format(name))
    [(can_login, may_replicate, superuser)] = rows(conn, queries["role"], {"role": role})
    if not superuser:
        _grant(conn, name)
    missing = [word for word, has in (("LOGIN", can_login), ("REPLICATION", may_replicate)) if not has]
    if not missing:
        return ()
    statement = sql.SQL("ALTER ROLE {}").format(name).as_string(conn)
    return (f"{statement} {' '.join(missing)};  -- the daemon logs in as this role and reads the WAL",)


def _grant(conn: psycopg.Connection[Any], name: sql.Identifier) -> None:
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA pggit, pggit_daemon TO {}").format(name))
    for schema, relation, kind, rights in rows(conn, queries["our_tables"]):
        conn.execute(
            sql.SQL("GRANT {} ON {} {} TO {}").format(
                sql.SQL(rights),
                sql.SQL("SEQUENCE" if kind == "S" else "TABLE"),
                sql.Identifier(schema, relation),
                name,
            )
        )
    for signature, is_procedure in rows(conn, queries["our_functions"]):
        word = "PROCEDURE" if is_procedure else "FUNCTION"
        conn.execute(sql.SQL("GRANT EXECUTE ON {} {} TO {}").format(sql.SQL(word), sql.SQL(signature), name))
