"""`init --dry-run` prints exactly what init runs: applied by psql, nothing tells the two databases apart."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pggit_daemon.install import install, plan, uninstall
from pggit_daemon.install import upgrade as install_module
from pggit_daemon.sql import steps
from sandbox.servers import find_server
from tests.integration.describe_oracle import OWN_WORDS
from tests.integration.test_install_over_pggit import PGGIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

WORKER = 'dry "run" worker'
BOOKKEEPING = """
SELECT 'step', number::text, name, sha256 FROM pggit_daemon.schema_step
UNION ALL SELECT 'repeatable', NULL, NULL, sha256 FROM pggit_daemon.repeatable
UNION ALL SELECT 'before', type, identity, definition FROM pggit_daemon.object_before
UNION ALL SELECT 'added', type, identity, NULL FROM pggit_daemon.object_added
UNION ALL SELECT 'role', rolname::text, concat_ws(' ', rolcanlogin, rolreplication, rolsuper),
                 shobj_description(oid, 'pg_authid')
            FROM pg_roles WHERE rolname ~ '^(pggit|dry)'
UNION ALL SELECT 'member', member::regrole::text, roleid::regrole::text, admin_option::text FROM pg_auth_members
           WHERE member::regrole::text ~ 'pggit|dry'
ORDER BY 1, 2, 3, 4
"""


def apply(dsn: str, script: str) -> None:
    """Run a script as psql does; the first error fails the test."""
    command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", "-"]
    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def catalogs(dsn: str) -> tuple[str, list[tuple[Any, ...]]]:
    """Everything that an installation leaves: schema, owners, privileges, and what it remembers."""
    command = [str(find_server() / "pg_dump"), "--schema-only", "-d", dsn]
    dumped = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    schema = "\n".join(line for line in dumped.split("\n") if not line.startswith(OWN_WORDS))
    with psycopg.connect(dsn) as conn:
        return schema, conn.execute(BOOKKEEPING).fetchall()


@pytest.fixture
def pair(cluster: Databases) -> Iterator[tuple[str, str]]:
    """Give two empty databases of one name pattern, and no role of an earlier run."""
    names = ("dry_run_psql", "dry_run_init")
    for name in names:
        cluster.create_database(name)
    try:
        yield cluster.dsn(names[0]), cluster.dsn(names[1])
    finally:
        for name in names:
            cluster.drop_database(name)
        forget_role(cluster.dsn())


def forget_role(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [WORKER]).fetchone():
            conn.execute(psycopg.sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(psycopg.sql.Identifier(WORKER)))


@pytest.mark.parametrize("before", ["", PGGIT], ids=["bare", "over an older pgGit"])
def test_psql_with_the_dry_run_makes_what_init_makes(pair: tuple[str, str], before: str) -> None:
    """On a bare database and over an older pgGit, with the daemon's role; a second dry run has nothing to do."""
    by_psql, by_init = pair
    for dsn in pair:
        apply(dsn, before)
    with psycopg.connect(by_psql, autocommit=True) as conn:
        untouched = catalog_rows(conn)
        script = plan(conn, daemon_role=WORKER, read_all_data=True)
        assert catalog_rows(conn) == untouched
    apply(by_psql, script)
    made_by_psql = catalogs(by_psql)
    forget_role(by_psql)
    with psycopg.connect(by_init, autocommit=True) as conn:
        install(conn, daemon_role=WORKER, read_all_data=True)
        assert catalogs(by_init) == made_by_psql
        assert plan(conn).startswith("-- Nothing to do")


def test_the_dry_run_of_an_upgrade_upgrades(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    by_psql, by_init = pair
    with monkeypatch.context() as patch:
        patch.setattr(install_module, "steps", lambda: steps()[:3])
        patch.setattr(install_module, "repeatable", tuple)
        for dsn in pair:
            with psycopg.connect(dsn, autocommit=True) as conn:
                install(conn)
    with psycopg.connect(by_psql, autocommit=True) as conn:
        apply(by_psql, plan(conn))
    with psycopg.connect(by_init, autocommit=True) as conn:
        install(conn)
    assert catalogs(by_psql) == catalogs(by_init)


def test_a_role_that_init_made_goes_with_uninstall(pair: tuple[str, str]) -> None:
    """Unless another database still needs it."""
    first, second = pair
    made = "SELECT count(*) FROM pg_roles WHERE rolname = %s"
    with psycopg.connect(first, autocommit=True) as one, psycopg.connect(second, autocommit=True) as two:
        install(one, daemon_role=WORKER)
        install(two, daemon_role=WORKER)
        uninstall(one)
        assert two.execute(made, [WORKER]).fetchone() == (1,)
        uninstall(two)
        assert two.execute(made, [WORKER]).fetchone() == (0,)


def catalog_rows(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT oid, xmin, relname FROM pg_class WHERE oid >= 16384 ORDER BY 1").fetchall()
