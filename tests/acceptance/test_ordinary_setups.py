"""Real tools in set-ups that many companies have: what a session is called, and who it is, says little of whose it is.

Scripts that name their session or become another role, pools that hand one session to everybody, logins that live for
one run, two runs at once. What others do on the very same sessions is not the tool's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sandbox.flyway import NO_LOCK, Flyway
from sandbox.jars import jdbc
from sandbox.jvm import SOCKETS
from sandbox.liquibase import Liquibase
from sandbox.pgbouncer import pgbouncer
from sandbox.service import Service
from tests.acceptance.scenes import FLYWAY_TABLE, NOT_TRANSACTIONAL, Scene

JDBC = "PostgreSQL JDBC Driver"
OWNER = "orders_owner"  # owns the objects; nobody logs in as this role
WAIT = """
    CREATE FUNCTION public.wait_for(name text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        FOR attempt IN 1..600 LOOP
            EXIT WHEN EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = name);
            PERFORM pg_catalog.pg_sleep(0.05);
        END LOOP;
    END $$
"""


@pytest.fixture
def owner(unfollowed: Scene) -> str:
    """A role that may make tables, but not write into what others own."""
    run(
        unfollowed.dsn,
        f"DO $$ BEGIN CREATE ROLE {OWNER}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT CREATE, USAGE ON SCHEMA public TO {OWNER}",
    )
    return OWNER


def run(dsn: str, *statements: str, application_name: str = "") -> None:
    with psycopg.connect(dsn, autocommit=True, application_name=application_name) as conn:
        for statement in statements:
            conn.execute(statement)


def sessions(scene: Scene, *tables: str) -> list[str]:
    """The server's sessions in which the commits that made these tables ran."""
    names = ", ".join(f"'public.{table}'" for table in tables)
    found = scene.value(
        "SELECT array_agg(DISTINCT c.metadata #>> '{session,pid}') FROM pggit.commits AS c"
        f" JOIN pggit_daemon.object_version AS v ON v.from_commit = c.id WHERE v.identity IN ({names})"
    )
    return list(found)


# ---------------------------------------------------------------------- scripts that change their session


@pytest.mark.parametrize("mode", [{}, NO_LOCK], ids=["default", "no-lock"])
def test_flyway_scripts_that_rename_themselves(unfollowed: Scene, owner: str, mode: dict[str, str]) -> None:
    """Also in the middle of a script, and to other roles."""
    scene = unfollowed
    scene.follow()
    scene.scripts(
        V1__named="SET application_name = 'V1';\nCREATE TABLE a (id int);",
        V2__named_later="CREATE TABLE b1 (id int);\nSET LOCAL application_name = 'V2';\nCREATE TABLE b2 (id int);",
        V3__role=f"SET LOCAL ROLE {owner};\nCREATE TABLE c (id int);",
        V4__user=f"CREATE TABLE d1 (id int);\nSET SESSION AUTHORIZATION {owner};\nCREATE TABLE d2 (id int);\n"
        "RESET SESSION AUTHORIZATION;",
        V5__several="CREATE TABLE e1 (id int);\nSET application_name = 'V5';\nCREATE TABLE e2 (id int);",
        V6__several_users=f"SET SESSION AUTHORIZATION {owner};\nCREATE TABLE f1 (id int);\n"
        "RESET SESSION AUTHORIZATION;\nCREATE TABLE f2 (id int);",
    )
    for script in ("V5__several", "V6__several_users"):
        scene.configure(script, NOT_TRANSACTIONAL)
    scene.flyway(config=mode).migrate().check()
    run(scene.dsn, "CREATE TABLE by_application (id int)", application_name=JDBC)
    proof = "transaction" if mode else "lock"
    assert scene.commits() == [
        FLYWAY_TABLE,
        f"migration 1/{proof}: table public.a",
        f"migration 2/{proof}: table public.b1, table public.b2",
        f"migration 3/{proof}: table public.c",
        f"migration 4/{proof}: table public.d1, table public.d2",
        "migration 5/lock+: table public.e1",
        "migration 5/lock: table public.e2",
        "migration 6/lock+: table public.f1",
        "migration 6/lock: table public.f2",
        "out_of_band postgres: table public.by_application",
    ]


def test_liquibase_changesets_that_rename_themselves(unfollowed: Scene, owner: str) -> None:
    scene = unfollowed
    scene.follow()
    scene.liquibase(
        "anna:named\nSET application_name = 'orders';\nCREATE TABLE a (id int);",
        "anna:plain\nCREATE TABLE b (id int);",
        f"anna:role\nSET LOCAL ROLE {owner};\nCREATE TABLE c (id int);",
        f"anna:user\nSET SESSION AUTHORIZATION {owner};\nCREATE TABLE d (id int);\nRESET SESSION AUTHORIZATION;",
    ).update().check()
    run(scene.dsn, "CREATE TABLE by_application (id int)", application_name=JDBC)
    assert scene.commits()[2:] == [
        "migration named/bracket: table public.a",
        "migration plain/bracket: table public.b",
        "migration role/bracket: table public.c",
        "migration user/bracket: table public.d",
        "out_of_band postgres: table public.by_application",
    ]


# ---------------------------------------------------------------------- sessions that many use


def test_flyway_through_pgbouncer(scene: Scene) -> None:
    """In transaction mode its lock and its DDL are on two of the pool's sessions, and so is what others do after it.

    The sessions' names are those of whoever named himself there last.
    """
    scene.scripts(V1__a="CREATE TABLE a (id int);")
    with pgbouncer(scene.dsn, sessions=2) as through:
        url, _user, _password = jdbc(through, prepareThreshold="0", socketFactory=SOCKETS)
        flyway = scene.flyway(config={"url": url})
        flyway.migrate().check()
        run(through, "CREATE TABLE by_hand (id int)", application_name="psql")
        run(through, "CREATE TABLE by_application (id int)", application_name=JDBC)
        run(through, "CREATE TABLE by_job (id int)", "ALTER TABLE a ADD COLUMN n int", application_name="nightly job")
        scene.scripts(V2__b="CREATE TABLE b (id int);", V3__c="CREATE TABLE c1 (id int);\nCREATE TABLE c2 (id int);")
        scene.configure("V3__c", NOT_TRANSACTIONAL)
        flyway.migrate().check()
    assert scene.commits() == [
        FLYWAY_TABLE,
        "migration 1/lock: table public.a",
        "out_of_band postgres: table public.by_hand",
        "out_of_band postgres: table public.by_application",
        "out_of_band postgres: table public.by_job",
        "out_of_band postgres: table public.a",
        "migration 2/lock: table public.b",
        "migration 3/lock+: table public.c1",
        "migration 3/lock: table public.c2",
    ]
    pool = sessions(scene, "flyway_schema_history", "a", "b", "c1", "c2")
    assert len(pool) == 2
    assert set(sessions(scene, "by_hand", "by_application", "by_job")) <= set(pool)


def test_flyway_on_the_pool_of_a_service(scene: Scene) -> None:
    """What a service does on its connections after Flyway has used them is the service's own."""
    scene.scripts(V1__a="CREATE TABLE a (id int);", V2__b="CREATE TABLE b (id int);")
    service = Service(scene.dsn, scene.folder / "scripts")
    service.run("CREATE TABLE first_%d (id int)", "ALTER TABLE first_%d ADD COLUMN n int").check()
    scene.scripts(V3__c="CREATE TABLE c (id int);")
    service.run("CREATE TABLE second_%d (id int)").check()
    assert scene.commits() == [
        FLYWAY_TABLE,
        "migration 1/lock: table public.a",
        "migration 2/lock: table public.b",
        *(f"out_of_band postgres: table public.first_{number}" for number in (1, 2, 1, 2)),
        "migration 3/lock: table public.c",
        *(f"out_of_band postgres: table public.second_{number}" for number in (1, 2)),
    ]
    assert set(sessions(scene, "a", "b")) <= set(sessions(scene, "first_1", "first_2"))


# ---------------------------------------------------------------------- two at once, and logins for one run


def test_two_liquibases_at_once(scene: Scene) -> None:
    """One user, two schemas, both locks held: each changeset of the one runs between two of the other."""
    run(scene.dsn, WAIT, "CREATE SCHEMA left_side", "CREATE SCHEMA right_side")
    order = ["l1", "r1", "l2", "r2", "l3", "r3"]
    sides = {"l": "left_side", "r": "right_side"}
    projects = []
    for letter, schema in sides.items():
        lines = ["--liquibase formatted sql", f"--changeset anna:{letter}0", f"CREATE TABLE {letter}0 (id int);"]
        changelog = scene.folder / f"{schema}.sql"
        changelog.write_text("\n".join(lines))
        projects.append((Liquibase(scene.dsn, changelog, schema=schema), lines))
    with ThreadPoolExecutor() as both:
        for done in both.map(lambda project: project[0].update(), projects):
            done.check()
        first = scene.newest("pggit.commits")
        for project, lines in projects:
            for name in order:
                if name[0] == project.schema[0]:
                    before = order[order.index(name) - 1] if name != order[0] else "r0"
                    lines += [f"--changeset anna:{name}", f"SELECT public.wait_for('{before}');"]
                    lines += [f"CREATE TABLE {name} (id int);"]
            project.changelog.write_text("\n".join(lines))
        for done in both.map(lambda project: project[0].update(), projects):
            done.check()
    assert scene.commits(first) == [f"migration {name}/bracket: table {sides[name[0]]}.{name}" for name in order]


@pytest.mark.parametrize("tool", ["flyway", "liquibase"])
def test_a_login_for_each_run(unfollowed: Scene, owner: str, tool: str) -> None:
    """A secrets store makes a login for each run, which becomes the owner and is dropped afterwards."""
    scene = unfollowed
    scene.follow()
    changesets = []
    first = scene.newest("pggit.commits")
    for number in (1, 2):
        login = f"deploy_{tool}_{number}"
        run(scene.dsn, f"CREATE ROLE {login} LOGIN IN ROLE {owner}")
        dsn = scene.cluster.dsn(scene.name, login)
        if tool == "flyway":
            scene.scripts(**{f"V{number}__t": f"CREATE TABLE t{number} (id int);"})
            Flyway(dsn, scene.folder / "scripts", config={"initSql": f"SET ROLE {owner}"}).migrate().check()
        else:
            run(scene.dsn, f"ALTER ROLE {login} SET role = {owner}")
            changesets.append(f"anna:{number}\nCREATE TABLE t{number} (id int);")
            Liquibase(dsn, scene.liquibase(*changesets).changelog).update().check()
        scene.hand(f"CREATE TABLE by_hand_{number} (id int)")
        scene.caught_up()
        run(scene.dsn, f"DROP ROLE {login}")
    proof = "lock" if tool == "flyway" else "bracket"
    assert [line for line in scene.commits(first) if not line.startswith("tool: ")] == [
        f"migration 1/{proof}: table public.t1",
        "out_of_band ada: table public.by_hand_1",
        f"migration 2/{proof}: table public.t2",
        "out_of_band ada: table public.by_hand_2",
    ]
