"""The scene of an acceptance test: its database, its daemon, and the checks at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pggit_daemon.decode.plugins import PLUGINS
from sandbox.databases import Databases
from sandbox.tools import TOOLS, Project
from tests.acceptance.scenes import Scene, make_hand
from tests.acceptance.shared import Shared

BOTH_PLUGINS = pytest.mark.parametrize("plugin", PLUGINS, indirect=True)

RealTool = Callable[[str, str], Project]
_failed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def hand(cluster: Databases) -> None:
    """The role `ada`, who works at psql."""
    make_hand(cluster)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let the fixture know that the test failed, as its closing checks would only hide the reason; show the log."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's Result, which pytest does not declare
    if report.when == "call":
        item.stash[_failed] = report.failed
        scene = getattr(item, "funcargs", {}).get("unfollowed")
        if report.failed and isinstance(scene, Scene) and scene.daemon is not None:
            report.sections.append(("daemon", scene.daemon.log_tail()))


@pytest.fixture
def plugin(request: pytest.FixtureRequest) -> str:
    """The output plugin: a test marked with `BOTH_PLUGINS` runs with each."""
    return str(getattr(request, "param", "auto"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """The daemon of this worker's scenes."""
    shared = Shared(tmp_path_factory.mktemp("shared"))
    try:
        yield shared
        shared.end()
    finally:
        shared.kill()


@pytest.fixture
def unfollowed(  # noqa: PLR0917  # fixtures come by name
    request: pytest.FixtureRequest,
    cluster: Databases,
    hand: None,  # noqa: ARG001  # it must be there
    installed_database: str,
    installed_template: str,
    tmp_path: Path,
    plugin: str,
    shared: Shared,
) -> Iterator[Scene]:
    """A scene that the test has followed itself."""
    scene = Scene(cluster, installed_database, tmp_path, installed_template, plugin, shared)
    try:
        yield scene
        if not request.node.stash.get(_failed, True) and scene.daemon is not None:
            scene.check()
            scene.daemon.__exit__(None, None, None)
            scene.daemon = None
    finally:
        scene.close()
        if scene.daemon is not None:
            request.node.add_report_section("call", "daemon", scene.daemon.log_tail())
            scene.daemon.kill()


@pytest.fixture
def scene(unfollowed: Scene) -> Scene:
    """A scene that is followed from the start."""
    unfollowed.follow()
    return unfollowed


@pytest.fixture
def real_tool(tmp_path: Path) -> RealTool:
    """Give a project of a migration tool: `real_tool("alembic", dsn)`; the names are those of `sandbox.tools`."""
    return lambda name, dsn: TOOLS[name](dsn, tmp_path / name)
