"""Keepalives that we ask for: they show that the stream lives, and how far it is.

In: the feed, and who knows whether it is idle. Out: questions, until it is cancelled. Run by `worker.py`, beside each
stream.
"""

from __future__ import annotations

import asyncio

from pggit_daemon.pipeline import Pipeline
from pggit_daemon.replication.feed import Feed
from pggit_daemon.telemetry.health import DatabaseHealth

PULSE = 1.0
IDLE_PULSE = 4.0
"""Seconds between two.

Where the stream is idle, fewer do: but several until the database is not ready or somebody looks what the server does.
"""

BEAT = 0.5
"""Seconds between the moments at which idle streams are asked."""


async def pulses(feed: Feed, pipeline: Pipeline, health: DatabaseHealth) -> None:
    while True:
        if pipeline.is_idle:
            await _next_beat(min(IDLE_PULSE, health.stall_seconds / 3))
        else:
            await asyncio.sleep(PULSE)
        feed.request_reply()


async def _next_beat(seconds: float) -> None:
    """Sleep so long, more or less: together with the idle ones of other databases, as waking up costs the most."""
    now = asyncio.get_running_loop().time()
    await asyncio.sleep((now + seconds) // BEAT * BEAT - now)
