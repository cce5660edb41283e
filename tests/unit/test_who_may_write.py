"""When the catalog is asked who may write the history tables: where something depends on it, while no commit waits."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.errors import StoreError
from pggit_daemon.model.transaction import TableName
from pggit_daemon.reconcile import surroundings
from pggit_daemon.reconcile.surroundings import Surroundings
from pggit_daemon.tools.registry import Registry
from pggit_daemon.tools.source import Source
from tests.unit.build.follower import PRESETS

TABLE = TableName("app", "history")


class AskedError(StoreError):
    """The database was asked."""


async def _refuse() -> NoReturn:
    raise AskedError("asked")


def _of(stem: str) -> Surroundings:
    registry = Registry(PRESETS, [Source("app.history", PRESETS[stem], TABLE, preset_name=stem)])
    link = OnDemand(_refuse, kept=lambda: 1.0)
    correlator = Correlator(registry.sources)
    return Surroundings(link, correlator, None, registry, ask=lambda: None, have_ledgers=_refuse)  # type: ignore[arg-type]


async def test_nothing_is_asked_for_tools_that_take_only_their_own_transactions() -> None:
    """Drizzle's row is in the transaction of its DDL, whoever runs it."""
    await _of("drizzle").ask_who_may_write()


async def test_it_is_asked_where_a_lock_row_may_claim_others_ddl() -> None:
    with pytest.raises(AskedError):
        await _of("liquibase").ask_who_may_write()


async def test_it_is_asked_again_before_it_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no commit waits for it where one comes more often than it is asked for."""
    monkeypatch.setattr(surroundings, "WRITERS_INTERVAL", 1.0)
    asks = _of("liquibase")
    with pytest.raises(AskedError):
        await asks.ask_who_may_write()
    await asks.renew_who_may_write()  # it is fresh
    await asyncio.sleep(0.55)
    with pytest.raises(AskedError):
        await asks.renew_who_may_write()
    await asyncio.sleep(0.55)
    await asks.ask_who_may_write()  # known since it was renewed
