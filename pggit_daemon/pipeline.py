"""The way of the data, from the stream to the acknowledgement. Read this file first.

    frames ─▶ transactions ─▶ changesets ─▶ commits ─▶ whose they are ─▶ stored ─▶ acknowledged
    replication/ decode/      interpret/    versioning/ attribute/       store/    replication/feed.py

In: a feed that streams from the stored progress, and the state as of there. Out: commits, links and progress in the
database; it returns when told to stop, and raises when the stream must start over. Called by `runtime/supervisor.py`.
All that decides is pure and stands in the folders named above; this file moves the values from one to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn

import structlog

from pggit_daemon.attribute.correlator import Correlator
from pggit_daemon.db.on_demand import OnDemand
from pggit_daemon.decode.assembler import Batch
from pggit_daemon.decode.plugin import SYNC, VERIFY
from pggit_daemon.errors import RefusedError, TablesChangedError
from pggit_daemon.interpret.requests import parse_message
from pggit_daemon.interpret.transaction import NewTables, Reader
from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.part import Part
from pggit_daemon.model.progress import Progress
from pggit_daemon.model.transaction import Message, TableName, Transaction
from pggit_daemon.reconcile.baseline import source_statements
from pggit_daemon.reconcile.definitions import DefinitionRefresh
from pggit_daemon.reconcile.looks import Looks
from pggit_daemon.reconcile.patience import Patience
from pggit_daemon.reconcile.scheduler import Scheduler
from pggit_daemon.reconcile.surroundings import Surroundings
from pggit_daemon.replication.feed import Feed
from pggit_daemon.store.loader import State
from pggit_daemon.store.memory import Memory
from pggit_daemon.store.poison import blamed, place
from pggit_daemon.store.timing import Timing
from pggit_daemon.store.writer import Store
from pggit_daemon.tools.registry import Registry
from pggit_daemon.versioning.plan import Step, closing, plan, recorded
from pggit_daemon.versioning.recording import Recording
from pggit_daemon.versioning.segments import segments

log = structlog.get_logger(__name__)


class Pipeline:
    """Follows one stream.

    `observe` gets each stored prefix, for metrics and health, and `forged` each message that only pretends to be
    ours. `suspects`: something cannot be recorded, so that many transactions are stored alone to find out which
    (`store/poison.py`). `insert_only`: tables whose updates and deletions the plugin does not tell of.
    """

    def __init__(
        self,
        state: State,
        registry: Registry,
        *,
        feed: Feed,
        store: Store,
        link: OnDemand,
        observe: Callable[[tuple[Changeset, ...], tuple[Step, ...]], None],
        forged: Callable[[Message], None],
        scheduler: Scheduler,
        suspects: int = 0,
        insert_only: frozenset[TableName] = frozenset(),
    ) -> None:
        self._state = state
        self._suspects = suspects
        self._feed = feed
        self._store = store
        self._observe = observe
        self._forged = forged
        self._registry = registry
        self._correlator = Correlator(registry.sources, state.facts, insert_only=insert_only)
        brackets = self._correlator.open_brackets
        self._reader = Reader(
            registry, state.ledgers, written=state.written, brackets=brackets, api=state.api, insert_only=insert_only
        )
        self._memory = Memory(state, registry, link)
        self._recording = Recording()
        self._head, self._chain = state.progress.head, state.progress.chain
        self._scheduler = scheduler
        self._refresh = DefinitionRefresh(
            link, scheduler.visibility, scheduler.suspect, is_standby=lambda: feed.is_standby
        )
        have_ledgers = partial(self._memory.have, Part.LEDGERS)
        self._surroundings = Surroundings(
            link, self._correlator, scheduler, registry, ask=feed.request_reply, have_ledgers=have_ledgers
        )
        self._looks = Looks(link, self._correlator, feed.request_reply)
        self._patience = Patience(feed.request_reply, scheduler.failed)
        self._asked: LSN | None = None
        self._is_ahead = False  # whether something is stored that may not be on the server's disk yet
        self._now = asyncio.get_running_loop().time
        self._timing = Timing(self._now())

    @property
    def is_idle(self) -> bool:
        """Whether nothing of ours has come for a while, and nothing is pending."""
        return self._timing.is_idle(self._now()) and not self._correlator.needs_looking

    async def run(self, stop: asyncio.Event, beat: Callable[[Batch, int], None]) -> None:
        """Handle batches until told to stop; the transaction in hand is finished."""
        stopping = asyncio.create_task(self._interrupt(stop))
        batches = self._feed.batches()
        try:
            async for batch in batches:
                if await self._take_all(batch, stop):
                    await self._handle(batch)
                    beat(batch, self._correlator.waiting)
                if stop.is_set():
                    await self._leave()
                    return
        finally:
            stopping.cancel()
            for beside in (self._surroundings, self._looks, self._patience):
                beside.close()
            await batches.aclose()

    async def _interrupt(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._feed.interrupt()

    async def _take_all(self, batch: Batch, stop: asyncio.Event) -> bool:
        """Record a batch and store it, piece by piece where that takes long; False when told to stop before its end."""
        if batch.transactions or batch.messages:
            self._timing.came(self._now())
        for beside in () if self._patience.rests else (self._looks, self._surroundings):
            beside.came(batch.transactions)
        if batch.transactions:
            self._store.expect()
            await self._surroundings.ask_who_may_write()
        items: list[Transaction | Message] = [*batch.transactions, *batch.messages]
        for item in sorted(items, key=place):
            if self._timing.is_due(self._now()):
                await self._store_recorded()
                self._timing.stored(self._now())
                if stop.is_set():
                    return False
            if place(item) in self._state.poison:
                self._scheduler.skipped()
                continue
            with blamed(item):
                await self._take(item)
                if self._suspects:
                    await self._store_recorded()
                    self._suspects -= 1
        if not self._patience.rests:
            self._looks.begin()
        await self._store_recorded()
        return True

    async def _handle(self, batch: Batch) -> None:
        """With all of it stored: what else is due now, and acknowledge."""
        for look in (self._looks.take_in, partial(self._surroundings.look_around, batch.received)):
            if await self._patience.tried(look):
                await self._store_recorded()
        if not batch.in_transaction:
            await self._reconcile(batch)
        await self._acknowledge(batch)
        await self._do_what_nobody_waits_for(batch)

    async def _do_what_nobody_waits_for(self, batch: Batch) -> None:
        if batch.transactions:
            await self._surroundings.renew_who_may_write()
        elif self.is_idle:
            self._memory.forget()

    async def _acknowledge(self, batch: Batch) -> None:
        """With everything stored, and on the server's disk: let the slot forget it, and what held nothing for us.

        Nothing is acknowledged beyond the stored bound, so that a slot which has confirmed more is known as another.
        """
        progress = self._state.progress
        asked = self._asked is not None or batch.reply_requested or self._feed.is_standby
        if self._is_ahead or progress.bound is None or batch.received > progress.bound:
            read = batch.received.value - progress.end.value
            if not asked and self._timing.rests(self._now(), read, idle=self.is_idle, ahead=self._is_ahead):
                return
            self._timing.advanced(self._now())
            self._state.progress = replace(progress, end=max(progress.end, batch.received)).reserving
            durable = await self._store.apply([], self._state.progress, progress.commit, brief=self.is_idle)
            self._feed.acknowledge(durable)
            self._is_ahead = False
        self._feed.acknowledge_idle(batch, soon=asked)
        if self._asked is not None and batch.received > self._asked:
            self._asked = None

    async def _leave(self) -> None:
        """Remember exactly what was acknowledged, before the stream ends."""
        progress = replace(self._state.progress, end=max(self._state.progress.end, self._feed.acknowledged)).exact
        await self._store.apply([], progress, progress.commit, brief=True)

    def _answers_ping(self, message: Message) -> bool:
        """Answer a message that only asks for our position; its own place is passed with the next keepalive."""
        if message.content not in {SYNC, VERIFY}:
            return False
        if message.content == VERIFY:
            self._scheduler.wake()
        self._asked = message.lsn
        self._feed.request_reply()
        return True

    async def _take(self, item: Transaction | Message) -> None:
        await self._memory.have(Part.LEDGERS)
        changeset = self._changeset(item)
        for doubt in self._registry.new_doubts():
            log.warning("history_table_in_doubt", table=str(doubt.table), why=str(doubt), hint=doubt.hint)
        if isinstance(changeset, NewTables):
            await self._store_recorded()
            await self._start_over(changeset.tables)
        if changeset is not None and (changeset.items or changeset.requests):
            await self._record(changeset)

    def _changeset(self, item: Transaction | Message) -> Changeset | NewTables | None:
        """What a transaction says; or a message, if it is ours and was not handled before."""
        if isinstance(item, Transaction):
            self._correlator.tick(item.commit_time)
            for change in item.changes:
                if isinstance(change, Message):
                    self._answers_ping(change)
            return self._reader.read(item)
        if self._answers_ping(item) or item.lsn <= self._state.progress.commit:
            return None
        request = parse_message(item, self._state.secret)
        if request is None:
            self._forged(item)
            return None
        return self._reader.message(request)

    async def _reconcile(self, batch: Batch) -> None:
        """With everything stored: store what was found beside the stream."""
        await self._memory.have(*self._scheduler.needs)
        for step in self._scheduler.found(batch.received):
            before = self._state.progress
            head = step.commit.hash if step.commit is not None else before.head
            progress = replace(before, head=head).reserving
            try:
                await self._store.apply([step], progress, before.commit)
            except RefusedError:
                self._scheduler.refused(step)
                raise
            self._state.progress = progress
            self._head = head
            self._observe((), (step,))
        if self._scheduler.new_tables:
            await self._start_over(self._scheduler.new_tables)

    async def _start_over(self, tables: tuple[TableName, ...]) -> NoReturn:
        """Have the stream come again from here with these tables in it."""
        await self._store.run(source_statements(self._registry))
        raise TablesChangedError(tables)

    async def _record(self, changeset: Changeset) -> None:
        """Plan a changeset's commits at once, whosever they are; then say what is known of that."""
        self._scheduler.observe(changeset)
        before, steps, done = self._head, [], []
        own: set[int] = set()
        handled = (own, self._recording.events, self._store.due, self._store.left["handled_events"])
        for segment in segments(changeset):
            own.update(event.event_id for event in segment.events)
            await self._memory.have(Part.SCHEMA)
            completed = await self._refresh.completed(segment, handled)
            step = plan(completed, self._state.record, self._head, self._chain)
            if step.commit is not None:
                self._head = step.commit.hash
                self._chain = step.commit.hash if step.commit.chained else self._chain
            steps.append(step)
            done.append(recorded(segment, step))
        self._correlator.feed(changeset, done, before)
        self._recording.add([*steps, closing(changeset)], self._correlator.take())
        self._recording.changesets.append(changeset)
        self._surroundings.observe(changeset.items)

    async def _store_recorded(self) -> None:
        """Store what is recorded and what became known, with the progress; it is visible from then on."""
        state, outcome = self._state, self._correlator.take()
        if outcome:
            self._recording.add([Step(None, (), (), (), datetime.now(UTC), None, state.progress.commit)], outcome)
        recording, self._recording = self._recording, Recording()
        if not recording.steps:
            return
        progress = state.progress
        if recording.changesets:
            last = recording.changesets[-1]
            progress = Progress(last.commit_lsn, last.end_lsn, self._head, progress.remembered, chain=self._chain)
        progress = progress.reserving
        await self._store.put(recording.steps, progress, state.progress.commit)
        state.progress = progress
        self._is_ahead = True
        self._observe(tuple(recording.changesets), tuple(recording.steps))
