"""Statements that change the schema while no event trigger says so, found by running them.

For each: what there must be before, the statements themselves, and the keys of the objects whose description differs
afterwards. `test_reach_silent.py` shows that the list is true; the daemon's comparison has to find each of them.

Run in their order on one connection with autocommit; the roles of reach_support.py are there, `{database}` is the
database's name. What begins with `!` fails as intended.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SilentChange:
    """`before` leaves the record exact, `change` does not; `undo` gives back what is not the database's own.

    `announced`: events do come, but they do not name these objects. `until`: the last major version that is silent.
    `commits`: the definition is another, not the object's id alone.
    """

    before: tuple[str, ...]
    change: tuple[str, ...]
    keys: tuple[str, ...]
    undo: tuple[str, ...] = ()
    announced: bool = False
    until: int | None = None
    commits: bool = True


_EVENT_FUNCTION = "CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'"
_TABLE = "CREATE TABLE t (a int, b int)"
_TWINS = "INSERT INTO t VALUES (1, 1), (1, 2)"
_SPACE = ("SET allow_in_place_tablespaces = on", "CREATE TABLESPACE reach_space LOCATION ''")

SILENT: dict[str, SilentChange] = {
    # ------------------------------------------------------------ roles and databases
    "reassign owned": SilentChange(
        (
            "CREATE SCHEMA s AUTHORIZATION reach_a",
            "CREATE TABLE s.t (a serial)",
            "ALTER TABLE s.t OWNER TO reach_a",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION f() OWNER TO reach_a",
        ),
        ("REASSIGN OWNED BY reach_a TO reach_b",),
        ("function public.f()", "schema s", "sequence s.t_a_seq", "table s.t"),
    ),
    "a role gets another name": SilentChange(
        (
            _TABLE,
            "ALTER TABLE t OWNER TO reach_a",
            "CREATE TABLE granted (a int)",
            "GRANT SELECT ON granted TO reach_a",
            "GRANT UPDATE (a) ON granted TO reach_a",
            "CREATE POLICY p ON granted TO reach_a USING (true)",
            "ALTER DEFAULT PRIVILEGES FOR ROLE reach_a GRANT SELECT ON TABLES TO reach_b",
            "CREATE FOREIGN DATA WRAPPER w",
            "CREATE SERVER s FOREIGN DATA WRAPPER w",
            "CREATE USER MAPPING FOR reach_a SERVER s",
        ),
        ("ALTER ROLE reach_a RENAME TO reach_z",),
        (
            "default acl for role reach_a on tables",
            "default acl for role reach_z on tables",
            "policy p on public.granted",
            "table public.granted",
            "table public.t",
            "user mapping reach_a on server s",
            "user mapping reach_z on server s",
        ),
        ("ALTER ROLE reach_z RENAME TO reach_a",),
    ),
    "a tablespace gets another name": SilentChange(
        (*_SPACE, "CREATE TABLE t (a int) TABLESPACE reach_space", "CREATE INDEX i ON t (a) TABLESPACE reach_space"),
        ("ALTER TABLESPACE reach_space RENAME TO reach_room",),
        ("index public.i", "table public.t"),
        ("DROP TABLE IF EXISTS t", "DROP TABLESPACE reach_room"),
    ),
    # ------------------------------------------------------------ event triggers
    "create event trigger": SilentChange(
        (_EVENT_FUNCTION,),
        ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION ev()",),
        ("event trigger e",),
    ),
    "alter event trigger": SilentChange(
        (_EVENT_FUNCTION, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION ev()"),
        ("ALTER EVENT TRIGGER e DISABLE",),
        ("event trigger e",),
    ),
    "comment on an event trigger": SilentChange(
        (_EVENT_FUNCTION, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION ev()"),
        ("COMMENT ON EVENT TRIGGER e IS 'x'",),
        ("event trigger e",),
    ),
    "drop event trigger": SilentChange(
        (_EVENT_FUNCTION, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION ev()"),
        ("DROP EVENT TRIGGER e",),
        ("event trigger e",),
    ),
    "an event trigger goes with its function": SilentChange(
        (_EVENT_FUNCTION, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION ev()"),
        ("DROP FUNCTION ev() CASCADE",),
        ("event trigger e",),
        announced=True,
    ),
    # ------------------------------------------------------------ indexes
    "an invalid index becomes valid": SilentChange(
        (_TABLE, _TWINS, "!CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "UPDATE t SET a = b"),
        ("REINDEX INDEX i",),
        ("index public.i",),
        until=16,
    ),
    "reindex concurrently gives an index another id": SilentChange(
        (_TABLE, "CREATE INDEX i ON t (a)"),
        ("REINDEX INDEX CONCURRENTLY i",),
        ("index public.i",),
        until=16,
        commits=False,
    ),
    "cluster marks an index": SilentChange(
        (_TABLE, "ALTER TABLE t ADD PRIMARY KEY (a)"),
        ("CLUSTER t USING t_pkey",),
        ("table constraint t_pkey on public.t",),
    ),
    "cluster marks another index": SilentChange(
        (_TABLE, "ALTER TABLE t ADD PRIMARY KEY (a)", "CREATE INDEX i ON t (b)", "ALTER TABLE t CLUSTER ON t_pkey"),
        ("CLUSTER t USING i",),
        ("index public.i", "table constraint t_pkey on public.t"),
    ),
    # ------------------------------------------------------------ functions and the catalog itself
    "collations of the system": SilentChange(
        ("CREATE SCHEMA s",),
        ("SELECT pg_import_system_collations('s')",),
        ("*",),
    ),
    "the catalog edited": SilentChange(
        (_TABLE,),
        ("UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 't'::regclass AND attname = 'a'",),
        ("table public.t",),
    ),
    "a comment written into the catalog": SilentChange(
        (_TABLE,),
        ("INSERT INTO pg_description VALUES ('t'::regclass, 'pg_class'::regclass, 0, 'x')",),
        ("table public.t",),
    ),
    "a comment taken out of the catalog": SilentChange(
        (_TABLE, "COMMENT ON TABLE t IS 'x'"),
        ("DELETE FROM pg_description WHERE objoid = 't'::regclass",),
        ("table public.t",),
    ),
    # ------------------------------------------------------------ our own triggers out of the way
    "our event triggers switched off": SilentChange(
        (_TABLE,),
        (
            "ALTER EVENT TRIGGER pggit_daemon_ddl DISABLE",
            "ALTER TABLE t ADD COLUMN unseen int",
            "ALTER EVENT TRIGGER pggit_daemon_ddl ENABLE ALWAYS",
        ),
        ("table public.t",),
    ),
    "an object dropped while our event triggers are off": SilentChange(
        (_TABLE,),
        (
            "ALTER EVENT TRIGGER pggit_daemon_drop DISABLE",
            "DROP TABLE t",
            "ALTER EVENT TRIGGER pggit_daemon_drop ENABLE ALWAYS",
        ),
        ("table public.t",),
    ),
}
