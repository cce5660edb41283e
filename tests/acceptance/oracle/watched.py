"""One database with its daemon, watched: the record is held against the catalog, and its exports against pg_dump.

In: a database on which `init` has run; whoever changes it calls `compare` and `moment` while nothing else runs.
Out: nothing, or a failure that shows what differs; what was counted is in `figures`.
"""

from __future__ import annotations

import difflib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import Any, LiteralString

import psycopg
import pytest

from pggit_daemon.errors import NotAsRecorded
from sandbox.daemon import Daemon, pggit
from tests.acceptance.oracle.figures import Figures
from tests.integration.describe_oracle import Oracle, Side, assert_same

# Both sides are read by one statement; the objects are counted where they are, only differences travel.
COMPARE = """
    WITH recorded AS MATERIALIZED (
        SELECT v.type, v.identity,
               ARRAY[b.definition, b.later, b.depends::text, v.schema_name, v.classid::text, v.objid::text] AS what
          FROM pggit_daemon.object_version AS v
          JOIN pggit_daemon.blob AS b ON b.sha256 = v.blob
         WHERE v.to_commit IS NULL
    ), real AS MATERIALIZED (
        SELECT s.type, s.identity,
               ARRAY[s.definition, s.later, s.depends::text, s.schema_name, s.classid::text, s.objid::text] AS what
          FROM pggit_daemon.snapshot() AS s
    )
    SELECT count(*),
           coalesce(jsonb_agg(jsonb_build_array(concat_ws(' ', type, identity), recorded.what, real.what))
                        FILTER (WHERE recorded.what IS DISTINCT FROM real.what), '[]')
      FROM recorded FULL JOIN real USING (type, identity)
"""
NEWEST = "SELECT max(id) FROM pggit.commits"
# The daemon's own comparisons mend the record: here only what fires no event trigger may need it.
MENDED = "SELECT id, kind, message FROM pggit.commits WHERE kind IN ('snapshot', 'gap')"
QUARANTINE = "SELECT count(*) FROM pggit_daemon.quarantine"
# The event triggers of ours are in the dump of the original, as pg_dump leaves out schemas only. The copy gets them
# from the same files that `init` runs; it has nothing else of ours.
OURS = "CREATE SCHEMA pggit_daemon;\n" + "".join(
    file.read_text(encoding="utf-8")
    for folder in ("capture", "api")
    for file in resources.files("pggit_daemon").joinpath("sql", folder).iterdir()
    if file.name.endswith(("_handlers.sql", "_event_triggers.sql"))
)
# Without the rest of ours they would be in the way of what follows. What is done to event triggers fires none.
NO_TRIGGERS = r"""
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'pggit\_daemon\_%' LOOP
            EXECUTE format('DROP EVENT TRIGGER %I', name);
        END LOOP;
    END $$
"""
SHOWN_OBJECTS = 10


@dataclass(frozen=True)
class Moment:
    """What pg_dump said of the original while the commit was the newest."""

    where: str
    commit: int
    dump: str


class Watched:
    """`side` is the database, `daemon` follows it from before the first change. `finish`, then `close`."""

    def __init__(self, oracle: Oracle, side: Side, daemon: Daemon, figures: Figures) -> None:
        self.side = side
        self.figures = figures
        self._oracle = oracle
        self._daemon = daemon
        self._conn = psycopg.connect(side.dsn, autocommit=True)
        self._restoring = ThreadPoolExecutor(1)
        self._restored: list[Future[str]] = []
        self._moments: list[Moment] = []
        self._silent = 0

    def silent(self, statement: str) -> None:
        """Have the daemon look, after a statement that fires no event trigger: it must find and record the change."""
        done = pggit("verify", *self._daemon.arguments)
        assert done.returncode == NotAsRecorded.exit_code, f"{statement} was not found:\n{done.stdout}{done.stderr}"
        self._silent += 1

    def compare(self, where: str) -> None:
        """Incremental tree = snapshot: keys, definitions, what comes later, what it depends on."""
        self._daemon.wait_caught_up(session=self._conn)
        objects, differences = self._row(COMPARE)
        self.figures.comparisons += 1
        self.figures.compared_objects += objects
        self.figures.objects = max(self.figures.objects, objects)
        self.figures.differences += len(differences)
        if differences:
            pytest.fail(f"{self.figures.name}, after {where}:\n" + "\n".join(map(_shown, differences[:SHOWN_OBJECTS])))

    def moment(self, where: str) -> None:
        """Compare, and remember what pg_dump says now: the export of this commit has to repeat it later."""
        self.compare(where)
        if self._moments:  # its commit is history now, or nothing has happened since
            self._restored.append(self._restoring.submit(self._restore, self._moments[-1].commit))
        self._moments.append(Moment(where, self._row(NEWEST)[0], self.side.dump()))

    def finish(self) -> None:
        """Nothing was mended or lost; and pg_dump of each moment's export, restored, is what it said at the moment."""
        assert self._row(QUARANTINE) == (0,)
        mended = self._conn.execute(MENDED).fetchall()
        assert len(mended) == self._silent, mended
        [self.figures.commits] = self._row("SELECT count(*) FROM pggit.commits")
        if self._moments:
            self._restored.append(self._restoring.submit(self._restore, self._moments[-1].commit))
        for moment, restored in zip(self._moments, self._restored, strict=True):
            dump = restored.result()
            self.figures.dumps += 1
            if dump == moment.dump:
                continue
            if dump == self._repeated(moment.dump):
                self.figures.unrepeated += 1
            else:
                self.figures.differences += 1
                print(f"{self.figures.name}: the export of commit {moment.commit}, after {moment.where}")  # noqa: T201
                assert_same(moment.dump, dump)

    def close(self) -> None:
        self._restoring.shutdown(cancel_futures=True)
        self._conn.close()

    def _restore(self, commit: int) -> str:
        """Restore the commit's export into an empty database, and return what pg_dump says of that."""
        with psycopg.connect(self.side.dsn) as conn:
            row = conn.execute("SELECT pggit_daemon.export_tree(%s)", [commit]).fetchone()
        assert row is not None
        with self._oracle.side("template0") as copy:
            copy.restore(row[0])
            with psycopg.connect(copy.dsn, autocommit=True) as conn:
                conn.execute(OURS.encode())
                try:
                    return copy.dump()
                finally:
                    conn.execute(NO_TRIGGERS)

    def _repeated(self, dump: str) -> str:
        """What pg_dump says after a restore of its own dump: where it differs, PostgreSQL does not repeat itself.

        So it is for `varchar_column IN ('a', 'b')` in a CHECK: its casts are read in as others than were written.
        """
        with self._oracle.side("template0") as copy, psycopg.connect(copy.dsn, autocommit=True) as conn:
            conn.execute(OURS.encode())
            conn.execute(NO_TRIGGERS)
            copy.restore(dump)
            try:
                return copy.dump()
            finally:
                conn.execute(NO_TRIGGERS)

    def _row(self, query: LiteralString) -> tuple[Any, ...]:
        row = self._conn.execute(query).fetchone()
        assert row is not None
        return row


def _shown(difference: tuple[str, list[str] | None, list[str] | None]) -> str:
    """One object's difference as a diff of what is recorded and what is there."""
    key, recorded, real = difference
    sides = (["(nothing)"] if side is None else [str(part) for part in side] for side in (recorded, real))
    left, right = ("\n".join(side).splitlines() for side in sides)
    return "\n".join([key, *difflib.unified_diff(left, right, "recorded", "catalog", lineterm="", n=2)])
