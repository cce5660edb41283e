"""The migration tools of PyPI and npm: fetched once, kept in `.cache/tools/`.

In: the pinned lists `python.txt` and `node/`. Out: folders of programs. Called by the projects;
`python -m sandbox.tools.fetch` fetches all.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.packages import fetched, install_node, install_python

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "tools"


def python() -> Path:
    """Return the folder with `python`, `alembic` and `yoyo`."""
    pins = HERE / "python.txt"
    return fetched(CACHE, "python", [pins], lambda folder: install_python(folder, pins)) / "bin"


def node() -> Path:
    """Return the folder `node_modules`."""
    pins = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
    return fetched(CACHE, "node", pins, lambda folder: install_node(folder, HERE / "node")) / "node_modules"


def fetch_all() -> None:
    print(python())
    print(node())


if __name__ == "__main__":
    fetch_all()
