"""Which PostgreSQL programs to use, and as which user they run.

In: the machine (and `PGGIT_PG_BIN`, a folder of server programs, where the choice matters).
Out: the folder of the newest server that has wal2json. Called by `cluster.py` and `setup.py`.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
from pathlib import Path

USUAL_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


class ServerMissing(Exception):
    """No PostgreSQL server with wal2json on this machine."""


def find_server() -> Path:
    """Return the folder with `postgres` and `initdb`; ServerMissing says what to install."""
    return _chosen_or_newest(os.environ.get("PGGIT_PG_BIN"))


@functools.cache
def _chosen_or_newest(chosen: str | None) -> Path:
    if chosen:
        if not (Path(chosen) / "initdb").exists():
            raise ServerMissing(f"PGGIT_PG_BIN={chosen} holds no PostgreSQL server (no initdb there)")
        return Path(chosen)
    for folder in installed_servers():
        if has_wal2json(folder):
            return folder
    raise ServerMissing(
        "no PostgreSQL server with wal2json found; on Debian and Ubuntu: apt-get install postgresql-15-wal2json"
        " (the number is the server's major version), or set PGGIT_PG_BIN to a server's bin folder",
    )


def installed_servers() -> list[Path]:
    """Return all server folders of this machine, the newest major version first."""
    folders = {path.resolve() for place in USUAL_PLACES for path in Path("/").glob(place[1:])}
    on_path = shutil.which("pg_config")
    if on_path:
        folders.add(Path(_output(on_path, "--bindir")).resolve())
    servers = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    return sorted(servers, key=major_version, reverse=True)


def major_version(folder: Path) -> int:
    """`postgres (PostgreSQL) 15.18 (Debian …)` → 15."""
    return int(_output(folder / "postgres", "--version").split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def has_wal2json(folder: Path) -> bool:
    pg_config = folder / "pg_config"
    libraries = Path(_output(pg_config, "--pkglibdir")) if pg_config.exists() else folder.parent / "lib"
    return any((libraries / f"wal2json.{ending}").exists() for ending in ("so", "dylib"))


def server_user() -> str | None:
    """Return the account the server must run as: root is refused, an ordinary user stays itself (None)."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError as exc:
        raise ServerMissing("PostgreSQL refuses to run as root, and there is no user `postgres` to run it as") from exc


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
