"""A scene: one database, the daemon that follows it, the tools at work on it, and what was recorded as plain text.

In: an initialised database and a folder. Out: commits, migrations and history events, each as lines that a test
compares whole, and the schema as of each remembered moment, compared with what pg_dump said then.
Used by all tests of the real tools; `conftest.py` makes one for each test and ends it with the checks that hold
for every scene.

A commit is a line `kind links: objects`; a link is `label/evidence`, with `+` behind where it is one part of several.
A label is the tool's version; where that is none, or Liquibase's compound one, it is the name.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sandbox.daemon import OPEN, Daemon
from sandbox.databases import Databases
from sandbox.flyway import Flyway
from sandbox.liquibase import Liquibase
from sandbox.recorded import assert_in_wal_order
from sandbox.servers import find_server
from tests.acceptance.shared import Shared

HAND = "ada"
NOT_TRANSACTIONAL = "executeInTransaction=false"
MEANWHILE_TIMEOUT = 60.0  # seconds until a hand that waits for a table gives up
OUTBOX_TIMEOUT = 30.0  # seconds; the daemon tries again every second
DECIDED_TIMEOUT = 60.0  # seconds; longer than any grace
_numbers = itertools.count(1)
_OURS = re.compile(r"^(CREATE|ALTER|COMMENT ON) (EVENT TRIGGER|PUBLICATION) pggit_daemon\w*[^;]*;\n", re.MULTILINE)

_COMMITS = """
    SELECT concat_ws(
        ' ', c.kind, CASE WHEN c.kind = 'out_of_band' THEN c.author END,
        (SELECT string_agg(
                    CASE WHEN m.version IS NULL OR m.version LIKE '%%::%%' THEN m.migration_name ELSE m.version END
                    || '/' || l.evidence || CASE WHEN l.part THEN '+' ELSE '' END, ' ' ORDER BY l.id)
         FROM pggit_daemon.link AS l
         JOIN pggit.external_migrations AS m USING (tool_name, source, migration_id)
         WHERE l.commit_id = c.id AND (m.rollback_of IS NULL OR c.kind = 'rollback')))
        || ': ' || coalesce(
        (SELECT string_agg(DISTINCT v.type || ' ' || v.identity, ', ')
         FROM pggit_daemon.object_version AS v
         WHERE v.from_commit = c.id OR v.to_commit = c.id), '')
    FROM pggit.commits AS c
    WHERE c.id > %s
    ORDER BY c.id
"""
_MIGRATIONS = """
    SELECT concat_ws(' ', migration_id, CASE WHEN version LIKE '%%::%%' THEN NULL ELSE version END, migration_name,
                     status, CASE WHEN success THEN NULL ELSE 'unsuccessful' END, coalesce(evidence, 'unlinked'))
    FROM pggit.external_migrations
    WHERE %s::text IS NULL OR source = %s
    ORDER BY source, coalesce(sequence, abs(migration_id)), migration_id DESC
"""
_EVENTS = """
    SELECT concat_ws(' ', meaning, operation, migration_id)
    FROM pggit_daemon.history_event WHERE id > %s ORDER BY lsn, id
"""
_DIFFERENCES = """
    WITH recorded AS (
        SELECT t.type, t.identity, t.definition, t.later
        FROM pggit_daemon.tree_at((SELECT max(id) FROM pggit.commits)) AS t
    ), real AS (
        SELECT s.type, s.identity, s.definition, s.later FROM pggit_daemon.snapshot() AS s
    )
    (SELECT 'only recorded', r.* FROM (SELECT * FROM recorded EXCEPT SELECT * FROM real) AS r)
    UNION ALL
    (SELECT 'only real', r.* FROM (SELECT * FROM real EXCEPT SELECT * FROM recorded) AS r)
"""


@dataclass(frozen=True)
class Moment:
    """What pg_dump said once the commit `commit_id` was the newest."""

    name: str
    commit_id: int
    dump: str


@dataclass
class Scene:
    """One database with its daemon. `empty` is a template on which only `init` has run."""

    cluster: Databases
    dsn: str
    folder: Path
    empty: str
    plugin: str = "auto"
    shared: Shared | None = None
    """The daemon that follows the scene's database among others; without, it has one of its own."""
    daemon: Daemon | None = None
    moments: list[Moment] = field(default_factory=list)
    _looking: psycopg.Connection[Any] | None = None

    # ------------------------------------------------------------------ who acts

    def follow(self, sources: str = "", **settings: Any) -> Daemon:
        """Have a daemon follow it; `sources` is TOML to put below the database's section."""
        lines = "".join(f"{key} = {value}\n" for key, value in ({"plugin": f'"{self.plugin}"'} | settings).items())
        name = f"scene_{next(_numbers)}"
        section = f'[[database]]\nname = "{name}"\ndsn = "{self.dsn}"\nslot = "{name}"\n{lines}\n{sources}\n'
        if self.shared is not None:
            self.daemon = self.shared.follow(name, self.dsn, section)
            return self.daemon
        config = self.folder / "config.toml"
        config.write_text(section)
        self.daemon = Daemon(self.dsn, self.folder, ["--config", str(config)])
        self.daemon.__enter__()
        return self.daemon

    def flyway(self, **options: Any) -> Flyway:
        """A Flyway project on the scripts of this scene."""
        scripts = self.folder / "scripts"
        scripts.mkdir(exist_ok=True)
        return Flyway(self.dsn, scripts, **options)

    def scripts(self, **texts: str | None) -> None:
        """Write Flyway's scripts by name, without `.sql`; None removes one."""
        folder = self.folder / "scripts"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            file = folder / f"{name}.sql"
            if text is None:
                file.unlink()
            else:
                file.write_text(text)

    def configure(self, name: str, text: str) -> None:
        """Write a script's own configuration, `NAME.sql.conf`."""
        (self.folder / "scripts" / f"{name}.sql.conf").write_text(text)

    def liquibase(self, *changesets: str, **options: Any) -> Liquibase:
        """A Liquibase project whose changelog holds these changesets (`author:id attributes`, then lines of SQL)."""
        changelog = self.folder / "changelog.sql"
        if changesets:
            text = "\n".join(f"--changeset {changeset}" for changeset in changesets)
            changelog.write_text(f"--liquibase formatted sql\n{text}\n")
        return Liquibase(self.dsn, changelog, **options)

    def hand(self, *statements: str) -> None:
        """Run statements as somebody at psql does, each in its own transaction."""
        command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            command += ["-c", statement]
        dsn = self.cluster.dsn(self.name, HAND)
        subprocess.run([*command, "-d", dsn], check=True, stdout=subprocess.DEVNULL)

    @contextmanager
    def meanwhile(self, table: str, *statements: str) -> Iterator[None]:
        """Run statements by hand as soon as a table of this name is committed, while the body runs."""
        acting = threading.Thread(target=self._once_there, args=(table, statements))
        acting.start()
        try:
            yield
        finally:
            acting.join()

    def _once_there(self, table: str, statements: tuple[str, ...]) -> None:
        deadline = time.monotonic() + MEANWHILE_TIMEOUT
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            while conn.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
                if time.monotonic() > deadline:
                    return
                time.sleep(0.01)
        self.hand(*statements)

    def script(self, *statements: str, application_name: str = "deploy.py") -> None:
        """Run statements in one transaction, as a deployment script of somebody's own does."""
        with psycopg.connect(self.dsn, application_name=application_name) as conn:
            for statement in statements:
                conn.execute(statement)

    # ------------------------------------------------------------------ what was recorded

    @property
    def name(self) -> str:
        return str(conninfo_to_dict(self.dsn)["dbname"])

    def caught_up(self) -> None:
        """Wait until all is recorded, and known whose it is."""
        assert self.daemon is not None, "the daemon was not started"
        self.daemon.wait_caught_up(session=self._look())
        deadline = time.monotonic() + DECIDED_TIMEOUT
        while self._one(OPEN) and time.monotonic() < deadline:
            time.sleep(0.05)

    def commits(self, after: int | None = None) -> list[str]:
        """Every commit since the first (or since the commit `after`)."""
        self.caught_up()
        first = after if after is not None else self._one("SELECT min(id) FROM pggit.commits")
        return self._lines(_COMMITS, first)

    def migrations(self, source: str | None = None) -> list[str]:
        """`migration_id version name status [unsuccessful] evidence` of each migration, in its tool's order."""
        self.caught_up()
        return self._lines(_MIGRATIONS, source, source)

    def events(self, after: int = 0) -> list[str]:
        """`meaning operation migration_id` of each observed change of a history table."""
        self.caught_up()
        return self._lines(_EVENTS, after)

    def newest(self, table: str) -> int:
        """The newest id of a table of the daemon's, to look only at what comes after it."""
        self.caught_up()
        return int(self._one(f"SELECT coalesce(max(id), 0) FROM {table}"))

    def value(self, query: str) -> Any:
        """The one value of a query."""
        self.caught_up()
        return self._one(query)

    def moment(self, name: str) -> None:
        """Remember what pg_dump says now, to compare the export of the newest commit with."""
        self.caught_up()
        commit = self._one("SELECT max(id) FROM pggit.commits")
        self.moments.append(Moment(name, int(commit), self._dump(self.dsn)))

    # ------------------------------------------------------------------ what holds in every scene

    def check(self) -> None:
        """The chain is whole and in WAL order, nothing was lost, the newest tree is the catalog, moments restore."""
        self.caught_up()
        assert_in_wal_order(self.dsn)
        assert self._one("SELECT count(*) FROM pggit_daemon.quarantine") == 0
        assert self._left_over() == [], "the outbox holds what was handled"
        assert self._lines(_DIFFERENCES, whole=True) == []
        assert self._wrong_rows() == []
        for moment in self.moments:
            exported = self._restored(moment.commit_id)
            assert exported == moment.dump, f"the export of commit {moment.commit_id} is not what {moment.name} left"

    def _left_over(self) -> list[str]:
        """What the outbox still holds. A row may stay a moment longer than its commit needs to be recorded."""
        deadline = time.monotonic() + OUTBOX_TIMEOUT
        while True:
            left = self._lines("SELECT id || ' ' || command_tag FROM pggit_daemon.ddl_event ORDER BY id")
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.1)

    def _wrong_rows(self) -> list[str]:
        """What the history tables hold now and the recorded rows do not, or the other way round."""
        wrong = []
        conn = self._look()
        for source, schema, table in conn.execute("SELECT name, schema_name, table_name FROM pggit_daemon.source"):
            relation = conn.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))", [schema, table])
            (name,) = relation.fetchone() or (None,)
            counted = conn.execute(f"SELECT count(*) FROM {name}").fetchone() if name else (0,)
            kept = conn.execute("SELECT count(*) FROM pggit_daemon.source_row WHERE source = %s", [source])
            if counted != kept.fetchone():
                wrong.append(f"{source}: the table has {counted} rows")
        return wrong

    def _restored(self, commit: int) -> str:
        """pg_dump of the commit's export, restored into a database on which only `init` has run."""
        text = str(self._one(f"SELECT pggit_daemon.export_tree({commit})"))
        database = f"{self.name}_restored"
        self.cluster.create_database(database, self.empty)
        try:
            dsn = self.cluster.dsn(database)
            command = [str(find_server() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn]
            done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
            assert done.returncode == 0, f"the export does not restore:\n{done.stderr}\n{text}"
            return self._dump(dsn)
        finally:
            self.cluster.drop_database(database)

    def _dump(self, dsn: str) -> str:
        command = [str(find_server() / "pg_dump"), "--schema-only", "-N", "pggit", "-N", "pggit_daemon", "-d", dsn]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        # Ours are there or not, as the plugin wants it. Comments say nothing, and two meta-commands hold a random word.
        text = _OURS.sub("", done.stdout)
        return "\n".join(line for line in text.splitlines() if line and not line.startswith(("\\", "--")))

    def _one(self, query: str) -> Any:
        row = self._look().execute(query).fetchone()
        return None if row is None else row[0]

    def _lines(self, query: str, *values: object, whole: bool = False) -> list[Any]:
        rows = self._look().execute(query, values or None).fetchall()
        return rows if whole else [row[0] for row in rows]

    def _look(self) -> psycopg.Connection[Any]:
        """A session that stays, to look with: making one takes more of the processor than fifty looks."""
        try:
            if self._looking is not None:
                self._looking.execute("SELECT 1")
                return self._looking
        except psycopg.OperationalError:  # the server was stopped meanwhile
            self._looking = None
        # What it reads changes its shape under it, so nothing is prepared.
        self._looking = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)
        return self._looking

    def close(self) -> None:
        if self._looking is not None:
            self._looking.close()


def until_there(table: str) -> str:
    """A statement for a script that stands still until somebody else has committed a table of this name."""
    return (
        f"DO $$ BEGIN FOR attempt IN 1..1200 LOOP EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = '{table}');"
        " PERFORM pg_sleep(0.05); END LOOP; END $$"
    )


def flyway_table(table: str = "public.flyway_schema_history", *beside: str) -> str:
    """The commit of Flyway's own table, with what is made or dropped together with it."""
    parts = (f"index {table}_s_idx", f"table constraint flyway_schema_history_pk on {table}", f"table {table}")
    return "tool: " + ", ".join(sorted((*parts, *beside)))


FLYWAY_TABLE = flyway_table()


def make_hand(cluster: Databases) -> None:
    """The role of whoever changes things by hand."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as conn:
        if not conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [HAND]).fetchall():
            conn.execute(f"CREATE ROLE {HAND} LOGIN SUPERUSER")
