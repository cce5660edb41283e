"""Packages of others, fetched once into a folder of the cache: pinned lists for pip, a lock file for npm.

In: where the pins are. Out: a folder that is complete or not there. Called by `histories/fetch.py` and
`tools/fetch.py`. What cannot be fetched is a failure.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from sandbox.jars import ToolMissing


def fetched(cache: Path, name: str, pins: list[Path], fetch: Callable[[Path], None], *, also: str = "") -> Path:
    """Return the folder for these pins, fetching it if it is not there yet; `also` is part of its version."""
    version = zlib.crc32(b"".join(pin.read_bytes() for pin in pins) + also.encode())
    complete = cache / f"{name}-{version:08x}"
    if complete.exists():
        return complete
    cache.mkdir(parents=True, exist_ok=True)
    # Fetched beside it and renamed when all is there: what a broken download leaves never counts.
    partial = Path(tempfile.mkdtemp(prefix=f"{complete.name}.part-", dir=cache))
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


def install_python(folder: Path, pins: Path) -> None:
    """Make a virtual environment of it that has exactly these packages."""
    run(folder, sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    wheels = ["--no-deps", "--no-compile", "--only-binary", ":all:"]
    run(folder, *pip, "install", "--quiet", *wheels, "-r", pins)


def install_node(folder: Path, pins: Path) -> None:
    """Install what the lock file of the folder `pins` names, into `node_modules`."""
    for file in pins.glob("package*.json"):
        shutil.copy(file, folder)
    run(folder, "npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")


def run(folder: Path, *command: str | Path) -> None:
    """Run a command there; ToolMissing says how it ended."""
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise ToolMissing(f"{command[0]} is not installed; `sandbox/setup.sh node` installs it") from exc
    if done.returncode != 0:
        words = " ".join(map(str, command))
        raise ToolMissing(f"{words} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
