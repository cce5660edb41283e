"""Liquibase as its users run it. Its table has no replica identity: what it updates and deletes does not come
through decoding, and must be found all the same.
"""

from __future__ import annotations

import psycopg

from tests.acceptance.conftest import BOTH_PLUGINS
from tests.acceptance.scenes import Scene, until_there

OWN = "tool: table public.databasechangelog"
LOCK = (
    "tool: table constraint databasechangeloglock_pkey on public.databasechangeloglock,"
    " table public.databasechangeloglock"
)
BOTH = LOCK.replace(", table", ", table public.databasechangelog, table")
ONE = "anna:one\nCREATE TABLE one (id int);\n--rollback DROP TABLE one;"
TWO = "anna:two\nCREATE TABLE two (id int);\nCREATE INDEX two_i ON two (id);\n--rollback DROP TABLE two;"
VIEW = "anna:view runOnChange:true\nCREATE OR REPLACE VIEW v AS SELECT id FROM one;\n--rollback DROP VIEW v;"
VIEW_CHANGED = VIEW.replace("SELECT id", "SELECT id, 1 AS more")


@BOTH_PLUGINS
def test_first_and_second_update(scene: Scene) -> None:
    """DDL, data only, DDL: what ran none is linked to the schema it saw; a run with nothing to do leaves nothing."""
    scene.liquibase(ONE, VIEW).update().check()
    scene.moment("the first run")
    scene.hand("CREATE TABLE by_hand (id int)")
    scene.liquibase(ONE, VIEW, "bert:data\nINSERT INTO one VALUES (1);", TWO).update().check()
    scene.moment("the second run")
    before = scene.newest("pggit_daemon.history_event")
    scene.liquibase().update().check()
    assert scene.commits() == [
        OWN,
        LOCK,
        "migration one/bracket: table public.one",
        "migration view/bracket: view public.v",
        "out_of_band ada data/none: table public.by_hand",
        "migration two/bracket: index public.two_i, table public.two",
    ]
    assert scene.migrations() == [
        "1 one applied bracket",
        "2 view applied bracket",
        "3 data applied none",
        "4 two applied bracket",
    ]
    assert scene.events() == ["applied insert 1", "applied insert 2", "applied insert 3", "applied insert 4"]
    assert scene.events(before) == []


@BOTH_PLUGINS
def test_rollback_and_again(scene: Scene) -> None:
    """A rollback is the negative id, linked to what it dropped; the same changesets come again as new runs."""
    scene.liquibase(ONE, VIEW, TWO).update().check()
    first = scene.newest("pggit.commits")
    scene.liquibase().rollback_count(2).check()
    scene.moment("the rollback")
    assert scene.commits(first) == [
        "rollback two/bracket: index public.two_i, table public.two",
        "rollback view/bracket: view public.v",
    ]
    assert scene.migrations() == [
        "1 one applied bracket",
        "2 view rolled_back bracket",
        "-2 view rollback bracket",
        "3 two rolled_back bracket",
        "-3 two rollback bracket",
    ]
    first = scene.newest("pggit.commits")
    scene.liquibase(ONE, TWO, VIEW).update().check()
    scene.moment("the second update")
    assert scene.commits(first) == [
        "migration two/bracket: index public.two_i, table public.two",
        "migration view/bracket: view public.v",
    ]
    assert [line.split(" ")[1:3] for line in scene.migrations() if not line.startswith("-")] == [
        ["one", "applied"],
        ["two", "applied"],
        ["view", "applied"],
    ]
    assert scene.events()[3:] == [
        "rolled_back reconcile -3",
        "rolled_back reconcile -2",
        "applied insert 3",
        "applied insert 2",
    ]


def test_run_on_change(scene: Scene) -> None:
    """A changed changeset runs again: its row is updated out of sight, and its commit is linked all the same."""
    scene.liquibase(ONE, VIEW, TWO).update().check()
    first = scene.newest("pggit.commits")
    scene.liquibase(ONE, VIEW_CHANGED, TWO).update().check()
    scene.moment("the change")
    assert scene.commits(first) == ["migration view/bracket: view public.v"]
    assert scene.events()[3:] == ["reran reconcile 2"]
    # The tool counts it as its newest now, and rolls it back first.
    first = scene.newest("pggit.commits")
    scene.liquibase().rollback_count(1).check()
    assert scene.commits(first) == ["rollback view/bracket: view public.v"]


@BOTH_PLUGINS
def test_rerun_beside_new_changesets(scene: Scene) -> None:
    """Unseen updates between inserts of one run."""
    scene.liquibase(ONE, VIEW).update().check()
    first = scene.newest("pggit.commits")
    scene.liquibase(ONE, "anna:before\nCREATE TABLE before (id int);", VIEW_CHANGED, TWO).update().check()
    assert scene.commits(first) == [
        "migration before/bracket: table public.before",
        "migration view/bracket: view public.v",
        "migration two/bracket: index public.two_i, table public.two",
    ]
    # pgoutput says nothing of the update in its place.
    assert sorted(scene.events()[2:]) == ["applied insert 3", "applied insert 5", "reran reconcile 2"]


def test_tag_and_checksums(scene: Scene) -> None:
    """Neither changes a schema: events without a commit; the update that fills the checksums again has no bracket."""
    scene.liquibase(ONE, TWO).update().check()
    first = scene.newest("pggit.commits")
    scene.liquibase().tag("v1").check()
    assert scene.events()[2:] == ["tagged reconcile 2"]
    scene.liquibase().clear_checksums().check()
    assert scene.events()[3:] == ["checksum_cleared reconcile 1", "checksum_cleared reconcile 2"]
    assert scene.value("SELECT count(*) FROM pggit.external_migrations WHERE checksum IS NOT NULL") == 0
    scene.liquibase().update().check()
    assert scene.events()[5:] == ["checksum_filled reconcile 1", "checksum_filled reconcile 2"]
    assert scene.value("SELECT count(*) FROM pggit.external_migrations WHERE checksum LIKE '9:%'") == 2
    assert scene.commits(first) == []
    assert scene.value("SELECT count(*) FROM pggit.conflicts") == 0


def test_changelog_sync(scene: Scene) -> None:
    """Rows without DDL, in a history table that is made inside the bracket."""
    scene.hand("CREATE TABLE one (id int)", "CREATE TABLE two (id int)", "CREATE INDEX two_i ON two (id)")
    scene.liquibase(ONE, TWO).changelog_sync().check()
    scene.liquibase(ONE, TWO, VIEW).update().check()
    assert scene.commits()[3:] == [
        LOCK,
        OWN.replace("tool:", "tool one/none two/none:"),
        "migration view/bracket: view public.v",
    ]


def test_a_failing_changeset(scene: Scene) -> None:
    """It rolls back and has no row; one that may fail is passed over."""
    failing = "anna:bad failOnError:{}\nCREATE TABLE bad (id int); SELECT 1/0;"
    assert scene.liquibase(ONE, failing.format("true"), TWO).update().exit_code != 0
    scene.liquibase(ONE, failing.format("false"), TWO).update().check()
    scene.moment("the run")
    assert scene.commits()[2:] == [
        "migration one/bracket: table public.one",
        "migration two/bracket: index public.two_i, table public.two",
    ]
    assert scene.migrations() == ["1 one applied bracket", "2 two applied bracket"]


def test_without_transaction(scene: Scene) -> None:
    """Statements that commit one by one are parts of one changeset; what a failing one left is the tool's orphan."""
    several = "anna:several runInTransaction:false\nCREATE TABLE a1 (id int);\nCREATE INDEX CONCURRENTLY i ON a1 (id);"
    failing = "anna:bad runInTransaction:false\nCREATE TABLE left_over (id int);\nSELECT 1/0;"
    assert scene.liquibase(several, failing).update().exit_code != 0
    scene.moment("the run")
    assert scene.commits()[2:] == [
        "migration several/bracket+: table public.a1",
        "migration several/bracket: index public.i",
        "tool: table public.left_over",
    ]
    assert scene.value("SELECT metadata -> 'orphan' FROM pggit.commits ORDER BY id DESC LIMIT 1") is True


def test_marked_as_run(scene: Scene) -> None:
    condition = "--preconditions onFail:MARK_RAN\n--precondition-sql-check expectedResult:1 SELECT 0"
    marked = f"anna:marked\n{condition}\nCREATE TABLE m (id int);"
    scene.liquibase(marked, ONE).update().check()
    assert scene.commits()[2:] == ["migration one/bracket: table public.one"]
    assert scene.migrations() == ["1 marked marked none", "2 one applied bracket"]


def test_drop_all_and_again(scene: Scene) -> None:
    """All of it is the tool's doing, no orphan; the rows are cleared, and the same changesets come again."""
    scene.liquibase(ONE, VIEW).update().check()
    first = scene.newest("pggit.commits")
    scene.liquibase().drop_all().check()
    scene.moment("drop-all")
    assert scene.commits(first) == [
        "tool: view public.v",
        "tool: table public.one",
        BOTH,
    ]
    assert scene.value("SELECT count(*) FROM pggit.commits WHERE metadata ? 'orphan'") == 0
    assert [line.rsplit(" ", 2)[1] for line in scene.migrations()] == ["cleared", "cleared"]
    first = scene.newest("pggit.commits")
    scene.liquibase().update().check()
    scene.moment("the second update")
    assert scene.commits(first) == [
        OWN,
        LOCK,
        "migration one/bracket: table public.one",
        "migration view/bracket: view public.v",
    ]
    assert scene.migrations() == ["1 one applied bracket", "2 view applied bracket"]


def test_own_table_names_and_schema(scene: Scene) -> None:
    scene.hand("CREATE SCHEMA app")
    liquibase = scene.liquibase(
        "anna:one\nCREATE TABLE app.one (id int);\n--rollback DROP TABLE app.one;",
        schema="app",
        settings=(
            "--database-changelog-table-name=changes",
            "--database-changelog-lock-table-name=changes_lock",
        ),
    )
    liquibase.update().check()
    liquibase.rollback_count(1).check()
    scene.moment("the rollback")
    assert scene.commits()[1:] == [
        "tool: table app.changes",
        "tool: table app.changes_lock, table constraint changes_lock_pkey on app.changes_lock",
        "migration one/bracket: table app.one",
        "rollback one/bracket: table app.one",
    ]
    assert scene.migrations("app.changes") == ["1 one rolled_back bracket", "-1 one rollback bracket"]


@BOTH_PLUGINS
def test_a_hand_inside_the_bracket(scene: Scene) -> None:
    """Somebody else's DDL while Liquibase holds its lock row is theirs; both sides are the changeset's parts."""
    slow = (
        "anna:slow runInTransaction:false endDelimiter:GO\n"
        f"CREATE TABLE s1 (id int)\nGO\n{until_there('by_hand')}\nGO\nCREATE TABLE s2 (id int)\nGO"
    )
    with scene.meanwhile("s1", "CREATE TABLE by_hand (id int)"):
        scene.liquibase(slow).update().check()
    assert scene.commits()[2:] == [
        "migration slow/bracket+: table public.s1",
        "out_of_band ada: table public.by_hand",
        "migration slow/bracket: table public.s2",
    ]


def test_baseline_over_an_updated_database(unfollowed: Scene) -> None:
    """Rows that were there are known, so that what is deleted later out of sight is recognised."""
    scene = unfollowed
    scene.liquibase(ONE, TWO).update().check()
    scene.liquibase().tag("before").check()
    scene.follow()
    scene.moment("the baseline")
    scene.liquibase().rollback_count(1).check()
    scene.moment("the rollback")
    assert scene.commits(0)[0].startswith("baseline one/baseline two/baseline: ")
    assert scene.commits() == ["rollback two/bracket: index public.two_i, table public.two"]
    assert scene.migrations() == ["1 one applied baseline", "2 two rolled_back baseline", "-2 two rollback bracket"]


@BOTH_PLUGINS
def test_with_a_replica_identity(scene: Scene) -> None:
    """With REPLICA IDENTITY FULL everything comes through the stream itself."""
    scene.liquibase(ONE, VIEW).update().check()
    with psycopg.connect(scene.dsn) as conn:
        conn.execute("ALTER TABLE databasechangelog REPLICA IDENTITY FULL")
    scene.liquibase(ONE, VIEW_CHANGED).update().check()
    scene.liquibase().rollback_count(2).check()
    assert scene.commits()[5:] == [
        "migration view/bracket: view public.v",
        "rollback view/bracket: view public.v",
        "rollback one/bracket: table public.one",
    ]
    assert scene.events()[2:] == ["reran update 2", "rolled_back delete -2", "rolled_back delete -1"]
