"""Watched databases for the oracle's tests; what was counted goes with the test's report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from sandbox.daemon import Daemon
from sandbox.databases import Databases
from tests.acceptance.oracle.figures import PROPERTY, Figures
from tests.acceptance.oracle.watched import Watched
from tests.integration.describe_oracle import Oracle

OWN_TESTS = ("tests.acceptance.oracle.test_oracle",)  # differences made on purpose do not count
FIRST_LOOK_TIMEOUT = 60.0  # seconds; a busy machine
Watch = Callable[[str], AbstractContextManager[Watched]]


@pytest.fixture(scope="module")
def oracle(cluster: Databases, installed_template: str) -> Iterator[Oracle]:
    with Oracle(cluster, installed_template) as oracle:
        yield oracle


@pytest.fixture
def watch(request: pytest.FixtureRequest, oracle: Oracle, tmp_path: Path) -> Watch:
    """Give a way to watch an empty database under a name; whoever does ends with `finish`."""

    @contextmanager
    def watching(name: str) -> Iterator[Watched]:
        with oracle.side() as side, Daemon(side.dsn, tmp_path, _never_looking(side.dsn, tmp_path)) as daemon:
            daemon.wait_for(lambda: _has_looked(daemon), "done with its first comparison", FIRST_LOOK_TIMEOUT)
            watched = Watched(oracle, side, daemon, Figures(name))
            try:
                yield watched
            finally:
                watched.close()
                if request.module.__name__ not in OWN_TESTS:
                    request.node.user_properties.append((PROPERTY, asdict(watched.figures)))

    return watching


def _has_looked(daemon: Daemon) -> bool:
    """Whether it has compared what it began with: what happens from then on it does not look for by itself."""
    return any(event.get("event") == "verified" for event in daemon.events())


def _never_looking(dsn: str, folder: Path) -> list[str]:
    """Arguments of a daemon that does not compare by itself: what events do not tell stays wrong, and is seen."""
    config = folder / "config.toml"
    intervals = "watch_interval_seconds = 86400\nverify_interval_seconds = 86400\n"
    config.write_text(f'[[database]]\nname = "watched"\ndsn = "{dsn}"\n{intervals}')
    return ["--config", str(config)]
