"""The packages with the histories, and the tools that run them: fetched once, kept in `.cache/histories/`.

In: the pinned lists `python.txt` and `node/`. Out: a Python of its own and a folder of node modules.
Called by `run.py`; `python -m sandbox.histories.fetch` fetches all. What cannot be fetched is a failure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from sandbox.jars import ToolMissing

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "histories"
UNLEASH = "unleash-server@7.5.1"


def python() -> Path:
    """Return an interpreter that has the packages of `python.txt`."""
    return _fetched("python", [HERE / "python.txt"], _fetch_python) / "bin" / "python"


def packages() -> Path:
    """Return the folder in which the Python packages are."""
    [folder] = python().parents[1].glob("lib/python*/site-packages")
    return folder


def node() -> Path:
    """Return the folder with `node_modules`: db-migrate, and Unleash's own package beside it."""
    return _fetched("node", [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"], _fetch_node)


def _fetched(name: str, pins: list[Path], fetch: Callable[[Path], None]) -> Path:
    version = zlib.crc32(b"".join(pin.read_bytes() for pin in pins) + UNLEASH.encode())
    complete = CACHE / f"{name}-{version:08x}"
    if complete.exists():
        return complete
    CACHE.mkdir(parents=True, exist_ok=True)
    # Fetched beside it and renamed when all is there: what a broken download leaves never counts.
    partial = Path(tempfile.mkdtemp(prefix=f"{complete.name}.part-", dir=CACHE))
    try:
        fetch(partial)
        partial.chmod(0o755)
        try:
            partial.rename(complete)
        except OSError:
            if not complete.exists():  # otherwise another process was quicker
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return complete


def _fetch_python(folder: Path) -> None:
    _run(folder, sys.executable, "-m", "venv", "--without-pip", folder)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "--disable-pip-version-check",
    ]
    wheels = ["--no-deps", "--no-compile", "--only-binary", ":all:"]
    _run(folder, *pip, "install", "--quiet", *wheels, "-r", HERE / "python.txt")


def _fetch_node(folder: Path) -> None:
    for file in (HERE / "node").iterdir():
        shutil.copy(file, folder)
    _run(folder, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
    # As a dependency it would bring a whole server with a hundred packages, of which its migrations use none.
    _run(folder, "npm", "pack", "--silent", UNLEASH)
    [packed] = folder.glob("unleash-server-*.tgz")
    with tarfile.open(packed) as tar:
        migrations = [member for member in tar.getmembers() if member.name.startswith("package/dist/migrations/")]
        tar.extractall(folder / "unleash", migrations, filter="data")
    (folder / "unleash" / "package").rename(folder / "node_modules" / "unleash-server")
    packed.unlink()


def _run(folder: Path, *command: str | Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise ToolMissing(f"{command[0]} is not installed; `sandbox/setup.sh node` installs it") from exc
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise ToolMissing(f"{words} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def fetch_all() -> None:
    print(python())
    print(node())


if __name__ == "__main__":
    fetch_all()
