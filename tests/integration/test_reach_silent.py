"""The list of silent changes is true: nothing is told, and the catalog has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.reach_support import Reach, captured, run
from tests.integration.silent_changes import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.capture_support import Captured


@pytest.fixture
def db(installed_database: str) -> Iterator[Captured]:
    yield from captured(installed_database)


@pytest.mark.parametrize("name", SILENT)
def test_nothing_tells_of_it(db: Captured, name: str) -> None:
    """Promise: what is on the list really needs the comparison; a server that tells of it after all makes this fail."""
    silent = SILENT[name]
    reach = Reach(db)
    try:
        for statement in silent.before:
            run(db.conn, statement)
        reach.follow_catalog()
        for statement in silent.change:
            run(db.conn, statement)
        if silent.until is not None and db.conn.info.server_version // 10000 > silent.until:
            assert reach.differs() == []
            return
        told = db.conn.execute("SELECT count(*) FROM pggit_daemon.ddl_event WHERE id > %s", [db.seen]).fetchone()
        assert told == (1 if silent.announced else 0,)
        differs = reach.differs()
        assert differs != []
        if silent.keys != ("*",):
            assert differs == sorted(silent.keys)
    finally:
        for statement in silent.undo:
            run(db.conn, statement)
