"""Where the jobs that run concurrently with the stream synchronize with it.

In: from the pipeline, how far everything is stored. Out: to a job, that moment; to the pipeline, steps that a job wants
stored, planned over the state of exactly then. Made by `scheduler.py`, one for each stream.

A job never touches the recorded state itself: it reads the database beside the stream, waits until the stream has
passed the moment of reading, and offers a function that plans. The pipeline runs that between two batches, so what it
sees of the schema and the ledgers stands still, and the pipeline waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pggit_daemon.model.lsn import LSN, ZERO
from pggit_daemon.model.part import Part
from pggit_daemon.versioning.plan import Step

SOON = 0.02
"""Seconds until the server is asked again how far it is, the first time."""

LATER = 0.5
"""Seconds between such questions while the stream is held up."""

Plan = Callable[[LSN], Step | None]
"""Called when everything before a position is stored; what is to be stored on top of it, if anything."""


@dataclass(frozen=True, slots=True)
class _Offer:
    plan: Plan
    needs: frozenset[Part]
    done: asyncio.Future[Step | None]


class Barrier:
    """`ask` has the server say how far it is: on an idle database nothing else moves the stream on."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.ask = ask
        self._stored = ZERO
        self._moved = asyncio.Event()
        self._offers: deque[_Offer] = deque()

    # ------------------------------------------------------------------ the jobs' side

    async def passed(self, position: LSN) -> None:
        """Wait until everything that was committed before a position is stored."""
        pause = SOON
        while self._stored < position:
            self.ask()
            await self._move(pause)
            pause = min(pause * 2, LATER)

    async def offer(self, plan: Plan, *needs: Part) -> Step | None:
        """Have a plan made between two batches; the step that was stored, if it made one.

        `needs`: what of the record it looks at, which is in memory then and stays there for some minutes.
        """
        offer = _Offer(plan, frozenset(needs), asyncio.get_running_loop().create_future())
        self._offers.append(offer)
        pause = SOON
        try:
            while not offer.done.done():
                self.ask()
                await asyncio.wait([offer.done], timeout=pause)
                pause = min(pause * 2, LATER)
        finally:
            offer.done.cancel()  # where the job gives up: without effect on what is done
        return offer.done.result()

    async def _move(self, pause: float) -> None:
        try:
            async with asyncio.timeout(pause):
                await self._moved.wait()
        except TimeoutError:
            return

    # ------------------------------------------------------------------ the pipeline's side

    @property
    def needs(self) -> frozenset[Part]:
        """What must be in memory before `take`."""
        return frozenset[Part]().union(*(offer.needs for offer in self._offers if not offer.done.done()))

    def take(self, stored: LSN) -> Iterator[Step]:
        """Everything before this position is stored. Steps to be stored now, each before the next is taken."""
        self._stored = max(self._stored, stored)
        self._moved.set()
        self._moved = asyncio.Event()
        while self._offers:
            offer = self._offers.popleft()
            if offer.done.done():
                continue  # its job was ended meanwhile
            step = offer.plan(self._stored)
            if step is not None:
                yield step
            if not offer.done.done():
                offer.done.set_result(step)
