"""Results that the workers of one run of the tests share: made by the first that asks, read by the others.

In: pytest's folders for temporary files, a name, and what makes the result, as JSON. Out: the result.
With `--dist worksteal` the tests of a module are spread over the workers, and each has the module's fixtures made anew;
for what takes seconds of the processor and does not depend on whose server it was made on, once is enough.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from typing import Any

import pytest


def once(folders: pytest.TempPathFactory, name: str, make: Callable[[], Any]) -> Any:
    """Return what `make` returned in this process or another one; what it raises is raised, and made again."""
    base = folders.getbasetemp()
    # xdist gives each worker a folder of its own in the one of the run.
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (folder / f"{name}.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        file.seek(0)
        text = file.read()
        if text:
            return json.loads(text)
        made = make()
        json.dump(made, file)
        return made
