"""What the tests of the stream share; and those that write through the SQL API (test_api_write_*.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pggit_daemon.decode.plugins import PLUGINS
from sandbox.databases import Databases
from tests.integration.api_write_support import Connection, Followed
from tests.integration.tracked import IDS, tracked


@pytest.fixture(params=PLUGINS)
def plugin(request: pytest.FixtureRequest) -> str:
    """Each plugin in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared(cluster: Databases, installed_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """A database that a daemon follows, with the document's wrapper; a module may have another one."""
    with tracked(cluster, installed_template, tmp_path_factory.mktemp("migrations")) as followed:
        yield followed


@pytest.fixture
def api(shared: Followed) -> Followed:
    shared.start()
    return shared


@pytest.fixture
def conn(api: Followed) -> Iterator[Connection]:
    with api.connect() as connection:
        yield connection


@pytest.fixture
def number() -> int:
    """The id of a migration; its table is called `t<id>`."""
    return next(IDS)
