"""The packages with the histories, and the tools that run them: fetched once, kept in `.cache/histories/`.

In: the pinned lists `python.txt` and `node/`. Out: a Python of its own and a folder of node modules.
Called by `run.py`; `python -m sandbox.fetch` fetches all.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

from sandbox.packages import fetched, install_node, install_python, run

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "histories"
UNLEASH = "unleash-server@7.5.1"


def python() -> Path:
    """Return an interpreter that has the packages of `python.txt`."""
    pins = HERE / "python.txt"
    folder = fetched(CACHE, "python", [pins], lambda folder: install_python(folder, pins), also=UNLEASH)
    return folder / "bin" / "python"


def packages() -> Path:
    """Return the folder in which the Python packages are."""
    [folder] = python().parents[1].glob("lib/python*/site-packages")
    return folder


def node() -> Path:
    """Return the folder with `node_modules`: db-migrate, and Unleash's own package beside it."""
    pins = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
    return fetched(CACHE, "node", pins, _fetch_node, also=UNLEASH)


def _fetch_node(folder: Path) -> None:
    install_node(folder, HERE / "node")
    # As a dependency it would bring a whole server with a hundred packages, of which its migrations use none.
    run(folder, "npm", "pack", "--silent", UNLEASH)
    [packed] = folder.glob("unleash-server-*.tgz")
    with tarfile.open(packed) as tar:
        migrations = [member for member in tar.getmembers() if member.name.startswith("package/dist/migrations/")]
        tar.extractall(folder / "unleash", migrations, filter="data")
    (folder / "unleash" / "package").rename(folder / "node_modules" / "unleash-server")
    packed.unlink()
