"""Garbage is collected in quiet moments, before Python does it in the middle of something."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from pggit_daemon.runtime.garbage import COLLECTED, MADE, tidy


class Ring:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def by_hand() -> Iterator[None]:
    """No collection but those that are asked for."""
    gc.disable()
    yield
    gc.enable()


def made(number: int) -> weakref.ref[Ring]:
    """So many rings that nobody refers to any more; one of them."""
    last = weakref.ref(Ring())
    for _ in range(number):
        Ring()
    return last


def test_it_collects_what_is_much_before_python_would() -> None:
    assert gc.get_threshold()[0] > MADE
    gc.collect()
    ring = made(MADE)
    tidy()
    assert ring() is None
    assert gc.get_count()[0] < MADE


def test_it_leaves_little_for_later() -> None:
    gc.collect()
    ring = made(MADE // 4)
    tidy()
    assert ring() is not None


def test_what_survived_is_looked_at_now_and_then() -> None:
    gc.collect()
    kept = Ring()
    ring = weakref.ref(kept)
    for _ in range(COLLECTED + 1):
        made(MADE)
        tidy()
    del kept
    made(MADE)
    tidy()
    assert ring() is None
