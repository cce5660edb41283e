"""A database described, exported and restored is the same database, for every kind of object.

Each script in `describe_scripts/` is DDL for one family of kinds, with hostile names. It runs in one database; the
export of its snapshot restores into an empty one; then `pg_dump` prints the same for both, and so does `snapshot()`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NEWER_SYNTAX
from tests.integration.describe_oracle import Oracle, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.databases import Databases

SCRIPTS = sorted((Path(__file__).parent / "describe_scripts").glob("*.sql"))


@pytest.fixture(scope="module")
def oracle(cluster: Databases, installed_template: str) -> Iterator[Oracle]:
    with Oracle(cluster, installed_template) as oracle:
        yield oracle


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_restored_export_is_the_same_database(oracle: Oracle, script: Path) -> None:
    """Neither pg_dump nor our own snapshot tells the copy from the original."""
    if script.stem.startswith("since_") and oracle.server_version() < int(script.stem.removeprefix("since_")):
        pytest.skip(NEWER_SYNTAX)
    with oracle.pair(script.read_text()) as (original, copy):
        assert_same(original.dump(), copy.dump())
        assert_same(original.snapshot(), copy.snapshot())
