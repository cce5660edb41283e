"""Random DDL on two sessions: what the events add up to is what the catalog says, after every step.

Some hundreds of steps, the same in every run; `python -m tests.bench.random_ddl` takes ten thousand, with any seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.random_ddl.machine import Arena, run

if TYPE_CHECKING:
    from sandbox.databases import Databases


@pytest.mark.long
def test_the_record_equals_the_catalog_after_every_step(cluster: Databases, installed_template: str) -> None:
    """Whatever runs, in whatever transactions, on two sessions: same keys, same definitions, same ids."""
    arena = Arena.prepare(cluster, installed_template)
    run(arena, examples=5, steps=40)
    # A generator that produced nothing but errors would find nothing wrong.
    assert arena.counts.succeeded > 100
    assert arena.counts.comparisons > 60
    assert len(arena.counts.tags) > 25
