"""Where jobs meet the stream: what they offer is planned when everything before is stored, in the pipeline's turn."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from pggit_daemon.model.lsn import LSN
from pggit_daemon.reconcile.barrier import Barrier
from pggit_daemon.versioning.plan import Step

STEP = Step(None, (), (), (), datetime(2026, 3, 1, tzinfo=UTC), None, LSN(9))


async def settle() -> None:
    """Let the other tasks come to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_position_is_passed_when_everything_before_it_is_stored() -> None:
    asked: list[None] = []
    barrier = Barrier(lambda: asked.append(None))
    waiting = asyncio.create_task(barrier.passed(LSN(10)))
    await settle()
    list(barrier.take(LSN(9)))
    await settle()
    assert not waiting.done()
    assert asked  # an idle stream must be asked to move
    list(barrier.take(LSN(10)))
    await waiting


async def test_a_plan_is_made_in_the_pipelines_turn_and_its_step_is_stored_before_the_job_goes_on() -> None:
    barrier = Barrier(lambda: None)
    planned: list[LSN] = []

    def plan(stored: LSN) -> Step:
        planned.append(stored)
        return STEP

    offered = asyncio.create_task(barrier.offer(plan))
    await settle()
    assert planned == []
    taken = barrier.take(LSN(10))
    assert next(taken) is STEP
    assert planned == [LSN(10)]
    await settle()
    assert not offered.done()
    assert list(taken) == []
    assert await offered is STEP


async def test_what_a_job_gave_up_is_not_planned() -> None:
    barrier = Barrier(lambda: None)
    offered = asyncio.create_task(barrier.offer(lambda _: STEP))
    await settle()
    offered.cancel()
    await asyncio.wait([offered])
    assert list(barrier.take(LSN(10))) == []
