"""What the tests of the stream share."""

from __future__ import annotations

import pytest

from pggit_daemon.decode.plugins import PLUGINS


@pytest.fixture(params=PLUGINS)
def plugin(request: pytest.FixtureRequest) -> str:
    """Each plugin in turn."""
    return str(request.param)
