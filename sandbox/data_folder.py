"""A server's folder: in memory where there is room, its data copied from what initdb made once.

In: the server's programs and the user that runs them. Out: folders. Called by `cluster.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108  # the file system in memory, not a place for secrets
ROOM = 4 << 30  # bytes that must be free there, for the servers of two workers and what their tests write
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "server"
INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")


def make_folder(*, durable: bool) -> Path:
    """Make a folder for a server; `durable` ones lie on the disk."""
    in_memory = not durable and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM
    return Path(tempfile.mkdtemp(prefix="pggit-", dir=MEMORY if in_memory else None))


def fill(data: Path, version: str, initdb: Callable[..., object]) -> None:
    """Make the data folder as initdb does; `version` is what the result depends on beside its options.

    `initdb` runs the program with arguments. Every copy has the same system identifier.
    """
    ready = CACHE / f"{zlib.crc32(' '.join((version, *INITDB)).encode()):08x}"
    if ready.exists():
        _copy(ready, data)
        return
    initdb("-D", data, *INITDB)
    CACHE.mkdir(parents=True, exist_ok=True)
    # Copied beside it and renamed when all is there: half a copy never counts.
    partial = Path(tempfile.mkdtemp(prefix=f"{ready.name}.part-", dir=CACHE))
    try:
        _copy(data, partial / "data")
        (partial / "data").rename(ready)
    except OSError:
        if not ready.exists():  # otherwise another process was quicker
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with owners and modes."""
    subprocess.run(["cp", "-a", source, target], check=True)
