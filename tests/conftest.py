"""What all tests share: a real PostgreSQL server, and databases on it.

`cluster` is a server with wal_level=logical and wal2json, one for the whole run: in a container where a
Docker engine answers, otherwise a private cluster from the installed programs. No server at all is a
failure, not a reason to skip. `database` and `installed_database` are fresh for each test.
"""

from __future__ import annotations

import gc
import itertools
import os
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from sandbox.cluster import Cluster
from tests import cost, examples
from tests.acceptance.oracle.figures import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.container import ContainerCluster
    from sandbox.databases import Databases

# How fast examples come tells of the machine, not of the code. What fails is printed so that anybody can run it again.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=examples.USUAL,
    derandomize=not examples.SEARCHING,
    print_blob=True,
)
settings.load_profile("tests")

TEMPLATE = "installed_template"
NEWER_SYNTAX = "kinds that this server does not know"
"""The reason of the only skips that there are."""

MOST_WORKERS = 6  # servers, JVMs and what they hold in memory

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(cost.OPTION, action="store_true", help="print at the end what the tests cost the processor")


def pytest_configure(config: pytest.Config) -> None:
    """What the oracle counts is printed at the end: this is the conftest that every process loads."""
    config.pluginmanager.register(Tally())
    if config.getoption(cost.OPTION):
        config.pluginmanager.register(cost.Cost())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """A test that is skipped has failed: what it needs is missing, and nobody would see. Newer syntax alone may."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's Result, which pytest does not declare
    if report.skipped and NEWER_SYNTAX not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, which hides a gap: {report.longrepr}"


def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto` one more than cores: some tests wait, and each worker more costs caches, a server and a JVM."""
    return min(len(os.sched_getaffinity(0)) + 1, MOST_WORKERS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin what takes long first, so that nothing of it runs alone at the end.

    With `--dist worksteal` each worker begins with a part of the list, and all parts have the same length.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long") is not None]
    others = iter([item for item in items if item.get_closest_marker("long") is None])
    left = len(items)
    items.clear()
    for worker in range(workers):
        length = left // (workers - worker)
        left -= length
        first = long[worker::workers]
        items += [*first, *itertools.islice(others, max(0, length - len(first)))]
    items += others


def pytest_collection_finish() -> None:
    """What is there by now lives to the end: the collector need not go through all of it again and again.

    And most of what a test makes is gone before it is looked for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster | ContainerCluster]:
    """Give a running server; `PGGIT_TEST_SERVER=local` prefers the private cluster over Docker."""
    # Imported here: the pure tests need no Docker, whose client takes long to import.
    from sandbox.container import ContainerCluster, engine_answers  # noqa: PLC0415

    if os.environ.get("PGGIT_TEST_SERVER") != "local" and engine_answers():
        with ContainerCluster() as container:
            yield container
    else:
        with Cluster.start() as private:
            yield private


@pytest.fixture
def database(cluster: Databases) -> Iterator[str]:
    """Give the superuser's connection string to an empty database."""
    yield from _fresh_database(cluster, template=None)


@pytest.fixture
def installed_database(cluster: Databases, installed_template: str) -> Iterator[str]:
    """Give the superuser's connection string to a database on which `init` has run."""
    yield from _fresh_database(cluster, template=installed_template)


@pytest.fixture(scope="session")
def installed_template(cluster: Databases) -> str:
    """Install once; cloning the result is much quicker than installing for each test."""
    # Imported here: the pure tests must run even while the installer is broken.
    from pggit_daemon.install import install  # noqa: PLC0415

    cluster.create_database(TEMPLATE)
    with psycopg.connect(cluster.dsn(TEMPLATE)) as conn:
        install(conn)
    return TEMPLATE


def _fresh_database(cluster: Databases, template: str | None) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    cluster.create_database(name, template)
    try:
        yield cluster.dsn(name)
    finally:
        cluster.drop_database(name)
