"""What the stream does not show while something is pending: which sessions ended, who may write the history tables.

In: the correlator, a connection on demand, how far everything is stored. Out: answers of the database, given to the
correlator once the stream has passed the moment they are of. Called by `pipeline.py` between two batches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.db import catalog
from pggit_daemon.db.catalog import Probe
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.model.changeset import Ddl, Item
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Transaction
from pggit_daemon.reconcile.glances import Glances
from pggit_daemon.reconcile.scheduler import Scheduler
from pggit_daemon.tools.registry import Registry

PROBE_INTERVAL = 0.5
"""Seconds between looks at the sessions whose end would decide something."""

WRITERS_INTERVAL = 60.0
"""Seconds for which it is known who may write the history tables, where no statement shows that it may have changed."""

SOON = 0.02
"""Seconds until the server is asked how far it is, while an answer of the database waits for the stream."""

_CHANGES_WRITERS = {"GRANT", "REVOKE", "REASSIGN OWNED", "DROP OWNED"}


class Surroundings:
    """`ask` has the server say how far it is, so that a quiet stream moves on.

    `have_ledgers` reads what comparing needs.
    """

    def __init__(
        self,
        link: OnDemand,
        correlator: Correlator,
        scheduler: Scheduler,
        registry: Registry,
        *,
        ask: Callable[[], None],
        have_ledgers: Callable[[], Awaitable[None]],
    ) -> None:
        self._link = link
        self._correlator = correlator
        self._scheduler = scheduler
        self._registry = registry
        self._glances = Glances(registry, link)
        self._ask = ask
        self._have_ledgers = have_ledgers
        self._probe: Probe | None = None
        self._probed_at = 0.0
        self._asking: asyncio.TimerHandle | None = None
        self._writers_due = 0.0

    def close(self) -> None:
        """Ask for nothing more."""
        self._glances.close()
        if self._asking is not None:
            self._asking.cancel()

    def came(self, transactions: Collection[Transaction]) -> None:
        """Begin at once to read what these have just changed in a history table, and do not show."""
        self._glances.came(transactions)

    async def look_around(self, received: LSN) -> bool:
        """Where something is pending, let the stream's time pass, see who is gone, compare what could not be seen.

        Whether anything was.
        """
        glanced = await self._glances.take_in()
        if not self._correlator.needs_looking:
            return glanced
        if self._correlator.undecoded():
            await self._have_ledgers()
        probe = self._probe
        if probe is not None and received >= probe.position:
            # Everything that was committed before the probe has been read: its time is the stream's.
            self._correlator.tick(probe.time)
            self._correlator.gone(probe.gone, up_to=probe.up_to, alive=probe.alive)
            if probe.sees_all:
                self._correlator.oldest_session(probe.oldest, up_to=probe.up_to)
            self._probe = None
        now = asyncio.get_running_loop().time()
        if self._probe is None and now - self._probed_at >= PROBE_INTERVAL:
            self._probed_at = now
            async with self._link.use() as conn:
                self._probe = await catalog.probe(conn, self._correlator.watched(), self._correlator.newest)
        self._correlator.hold(self._glances.passed(received))
        for source in self._correlator.undecoded():
            compared = self._scheduler.differences(source, received, self._correlator.left(source))
            if compared is not None:
                self._correlator.resolve(source, *compared)
        self._ask_in(SOON if self._probe is not None or self._correlator.undecoded() else PROBE_INTERVAL)
        return True

    async def ask_who_may_write(self) -> None:
        """Ask the catalog who may write the history tables, where it must be known now and is not."""
        if asyncio.get_running_loop().time() >= self._writers_due:
            await self._ask_who_may_write()

    async def renew_who_may_write(self) -> None:
        """With everything stored: ask before it must be known, which would keep a commit waiting.

        Not where a statement may have changed it: others see that a moment after it was decoded.
        """
        left = self._writers_due - asyncio.get_running_loop().time()
        if 0 < left < WRITERS_INTERVAL / 2:
            await self._ask_who_may_write()

    async def _ask_who_may_write(self) -> None:
        self._writers_due = asyncio.get_running_loop().time() + WRITERS_INTERVAL
        histories = self._registry.histories
        # What takes only DDL of a row's own transaction claims nobody's.
        if any(source.offers.reaches_out for source in histories):
            tables = {source.name: source.table for source in histories}
            async with self._link.use() as conn:
                self._correlator.set_writers(await catalog.writers(conn, tables))

    def observe(self, items: Iterable[Item]) -> None:
        """Take what a transaction says: who may write the history tables may have changed."""
        if any(_may_change_writers(item) for item in items if isinstance(item, Ddl)):
            self._writers_due = 0.0

    def _ask_in(self, delay: float) -> None:
        if self._asking is None:
            self._asking = asyncio.get_running_loop().call_later(delay, self._asks)

    def _asks(self) -> None:
        self._asking = None
        self._ask()


def _may_change_writers(ddl: Ddl) -> bool:
    return ddl.housekeeping is not None or ddl.event.tag in _CHANGES_WRITERS
