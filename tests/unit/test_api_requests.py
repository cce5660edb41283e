"""What the SQL API tells, decided purely: deployments that wait, calls from inside a tool, sessions that are gone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pggit_daemon.interpret.requests import REQUESTS, Request, parse_request
from pggit_daemon.interpret.sql_api import MOST_ANNOUNCED, SQL_API, Api
from pggit_daemon.model.changeset import HistoryRowEvent
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.open_run import OpenRun
from pggit_daemon.model.transaction import RowChange, RowOp, Value
from tests.unit.build import START, Follower, Tx, Wal, Who, who

ANN = who(1, "deploy.py")
BOB = who(2, "deploy.py")


def ask(tx: Tx, action: str, **arguments: Any) -> None:
    key = tx.session.key
    row: dict[str, Value] = {
        "action": action,
        "pid": key.pid,
        "backend_start": key.started,
        "user_name": tx.session.profile.user,
    }
    stamp: dict[str, Value] = {"id": 1, "recorded_at": START.isoformat(), "arguments": json.dumps(arguments)}
    tx.row(REQUESTS, RowOp.INSERT, {**row, **stamp})


def told(wal: Wal, session: Who, action: str, **arguments: Any) -> None:
    """A request in a transaction of its own."""
    tx = wal.begin(session)
    ask(tx, action, **arguments)
    tx.commit()


def create(wal: Wal, session: Who, name: str) -> None:
    tx = wal.begin(session)
    tx.create(name)
    tx.commit()


# ---------------------------------------------------------------- deployments


@pytest.mark.parametrize("auto_commit", [True, False])
def test_a_deployment_names_its_commits_and_delays_none(*, auto_commit: bool) -> None:
    """One commit a transaction, at once, whatever is still to come; the deployment is what they have in common."""
    wal = Wal()
    told(wal, ANN, "deploy", deployment="d", name="release 7", auto_commit=auto_commit)
    create(wal, ANN, "public.a")
    create(wal, BOB, "public.other")
    create(wal, ANN, "public.b")
    follower = Follower(SQL_API).feed(*wal.transactions)
    assert follower.kinds == ["out_of_band"] * 3
    assert follower.messages == [
        "deployment release 7: CREATE TABLE public.a",
        "out of band: CREATE TABLE public.other",
        "deployment release 7: CREATE TABLE public.b",
    ]
    named = [commit.metadata.get("deployment") for commit in follower.stored.commits.values()]
    assert named == ["d", None, "d"]
    told(wal, ANN, "deployed", deployment="d")
    create(wal, ANN, "public.c")
    follower.feed(*wal.transactions[-2:])
    assert follower.messages[-1] == "out of band: CREATE TABLE public.c"


# ---------------------------------------------------------------- the ledger of what is open


def begun(number: int, key: str, *, request_id: int | None = 1, xact: str = "1", session: Who = ANN) -> Request:
    arguments = {"deployment": key, "migration_id": number, "tool": "custom", "name": "n", "xact": xact}
    return Request(request_id, LSN(10 * number), "begin", session.key, "deploy", START, arguments)


def stored(recorded: list[HistoryRowEvent]) -> dict[str, OpenRun]:
    """The open runs as the store keeps them."""
    runs: dict[str, OpenRun] = {}
    for run in [change.run for one in recorded for change in one.changes]:
        if isinstance(run, OpenRun):
            runs[run.key] = run
        elif run is not None:
            runs.pop(run.key, None)
    return runs


def test_what_is_open_is_read_back_as_it_was() -> None:
    api = Api()
    runs = stored([*api.read(begun(1, "one")), *api.read(begun(2, "two"), wrapped=True)])
    again = Api(runs.values())
    for one in (api, again):
        innermost = one.innermost(ANN.key, LSN(99))
        assert innermost is not None
        assert innermost.principal.migration is not None
        assert innermost.principal.migration.name == "n"
        assert innermost.principal.row_key == "one"
    assert again.sessions() == {ANN.key}
    assert again.forget([BOB.key]) == ()
    assert sorted(again.forget([ANN.key])) == ["one", "two"]
    assert again.innermost(ANN.key, LSN(99)) is None


def test_a_begin_that_was_rolled_back_is_forgotten_with_the_next() -> None:
    """Only what the session's newest transaction announced is kept: what is kept does not grow."""
    api = Api()
    recorded = [
        one
        for number in range(1, 6)
        for one in api.read(begun(number, f"k{number}", request_id=None, xact=str(number)))
    ]
    assert list(stored(recorded)) == ["k5"]
    nested = [*api.read(begun(6, "k6", request_id=None, xact="5"))]
    assert list(stored([*recorded, *nested])) == ["k5", "k6"]


def test_a_flood_of_begins_costs_no_more_than_a_few() -> None:
    """One transaction that begins and rolls back 1,000 times to a savepoint: the newest hundred are kept."""
    api = Api()
    recorded = [one for number in range(1000) for one in api.read(begun(number, f"k{number}", request_id=None))]
    kept = list(stored(recorded))
    assert kept == [f"k{number}" for number in range(1000 - MOST_ANNOUNCED, 1000)]
    assert len(recorded) == 1000
    assert api.forget([ANN.key]) == tuple(kept)


def test_ddl_before_a_failure_is_the_migrations_and_ddl_behind_is_not() -> None:
    api = Api()
    list(api.read(begun(1, "one")))
    failure = Request(
        None, LSN(50), "end", ANN.key, "deploy", START, {"deployment": "one", "migration_id": 1, "success": False}
    )
    [recorded] = api.read(failure)
    assert recorded.principal.migration is not None
    assert api.innermost(ANN.key, LSN(49)) is not None
    assert api.innermost(ANN.key, LSN(51)) is None
    # Told again, it is the same failure.
    [again] = api.read(failure)
    assert again.principal.migration is None


def test_the_smallest_number_rolls_nothing_back() -> None:
    smallest = -(1 << 63)
    request = Request(1, LSN(1), "insert", ANN.key, "deploy", START, {"migration_id": smallest, "tool": "x"})
    [recorded] = Api().read(request)
    migration = recorded.principal.migration
    assert migration is not None
    assert (migration.rollback_of, recorded.principal.amends) == (None, None)


def test_requests_that_lack_something_are_kept_for_the_quarantine() -> None:
    wal = Wal()
    for action in ("begin", "end", "link", "insert", "deploy", "deployed"):
        told(wal, ANN, action, nothing=True)
    follower = Follower(SQL_API).feed(*wal.transactions)
    assert [len(step.unreadable) for step in follower.steps] == [1] * 6
    change = wal.transactions[0].changes[0]
    assert isinstance(change, RowChange)
    assert parse_request(change).introduced is None
