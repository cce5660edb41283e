"""The server's unified diff: whoever applies it to the old text has the new one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "- d", "+ e", "@@ f", " g"]), max_size=25)


@pytest.fixture(scope="module")
def conn(cluster: Databases, installed_template: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(cluster.dsn(installed_template), autocommit=True) as conn:
        yield conn


def patched(old: list[str], diff: str | None) -> list[str]:
    """Apply a unified diff; the places and lengths of its hunks must be true."""
    new: list[str] = []
    done = 0
    lines = diff.split("\n") if diff is not None else []
    at = 0
    while at < len(lines):
        hunk = HUNK.fullmatch(lines[at])
        assert hunk is not None, lines[at]
        begins, removes, begins_new, adds = (1 if part is None else int(part) for part in hunk.groups())
        start = begins - 1 if removes else begins
        new += old[done:start]
        assert len(new) == (begins_new - 1 if adds else begins_new)
        done = start
        at += 1
        while removes or adds:
            mark, words = lines[at][0], lines[at][1:]
            at += 1
            if mark in " -":
                assert old[done] == words
                done += 1
                removes -= 1
            if mark in " +":
                new.append(words)
                adds -= 1
    return new + old[done:]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=TEXTS, new=TEXTS)
def test_applied_it_gives_the_new_text(conn: psycopg.Connection[Any], old: list[str], new: list[str]) -> None:
    """Promise: places, lengths and lines of each hunk are right; no line differs, no diff."""
    texts = ["".join(f"{line}\n" for line in [*lines, "end"]) for lines in (old, new)]
    (diff,) = conn.execute("SELECT pggit_daemon.changed_lines(%s, %s)", texts).fetchone() or (None,)
    assert patched([*old, "end"], diff) == [*new, "end"]
    assert (diff is None) == (old == new)


def test_created_and_dropped_are_all_of_one_side(conn: psycopg.Connection[Any]) -> None:
    """Promise: nothing on one side is written as git writes it."""
    made = conn.execute("SELECT pggit_daemon.changed_lines(NULL, E'a\\nb\\n')").fetchone()
    gone = conn.execute("SELECT pggit_daemon.changed_lines(E'a\\n', NULL)").fetchone()
    assert (made, gone) == (("@@ -0,0 +1,2 @@\n+a\n+b",), ("@@ -1 +0,0 @@\n-a",))
