"""The migration tools of PyPI and npm, and those that are built: fetched once, kept in `.cache/tools/`.

In: the pinned lists `python.txt`, `node/`, and the versions below. Out: programs, or folders of them. Called by the
projects and by `python -m sandbox.tools`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sandbox.jars import ToolMissing, jars
from sandbox.packages import fetched, install_node, install_python, run

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "tools"

GO = {
    "goose": (
        "github.com/pressly/goose/v3/cmd/goose@v3.30.1",
        "no_clickhouse no_mssql no_mysql no_sqlite3 no_vertica no_ydb no_libsql no_turso no_starrocks",
    ),
    "migrate": ("github.com/golang-migrate/migrate/v4/cmd/migrate@v4.20.1", "postgres"),
    "tern": ("github.com/jackc/tern/v2@v2.3.4", ""),
    "sql-migrate": ("github.com/rubenv/sql-migrate/sql-migrate@v1.8.1", ""),
}
"""By program: the package with its version, and the tags that leave other databases out."""

CARGO = {
    "sqlx": ("sqlx-cli", "0.9.0", "rustls,postgres"),
    "refinery": ("refinery_cli", "0.10.0", "postgresql"),
    "diesel": ("diesel_cli", "2.3.14", "postgres"),
}
"""By program: the package, its version, and its features."""

_SUPABASE = "node_modules/@supabase/cli-linux-x64/bin/supabase"

MYBATIS_VERSION = "3.4.0"


def python() -> Path:
    """Return the folder with `python`, `alembic` and `yoyo`."""
    pins = HERE / "python.txt"
    return fetched(CACHE, "python", [pins], lambda folder: install_python(folder, pins)) / "bin"


def node() -> Path:
    """Return the folder `node_modules`."""
    pins = [HERE / "node" / "package.json", HERE / "node" / "package-lock.json"]
    return fetched(CACHE, "node", pins, lambda folder: install_node(folder, HERE / "node")) / "node_modules"


def supabase() -> Path:
    """Return Supabase's program, from a package of its own for its size; of Linux on x86-64 alone."""
    folder = HERE / "supabase"
    pins = [folder / "package.json", folder / "package-lock.json"]
    return fetched(CACHE, "supabase", pins, lambda target: install_node(target, folder)) / _SUPABASE


def go(program: str) -> Path:
    """Return a program that Go builds."""
    package, tags = GO[program]

    def build(folder: Path) -> None:
        run(folder, "env", f"GOBIN={folder}", "go", "install", "-tags", tags, package)

    return fetched(CACHE, f"go-{program}", [], build, also=package) / program


def cargo(program: str) -> Path:
    """Return a program that Cargo builds, without optimisation: that takes minutes more."""
    package, version, features = CARGO[program]

    def build(folder: Path) -> None:
        words = ["--debug", "--locked", "--no-default-features", "--features", features, "--version", version]
        target = f"CARGO_TARGET_DIR={CACHE / 'cargo-target'}"
        run(folder, "env", target, "cargo", "install", "--quiet", *words, "--root", folder, package)

    return fetched(CACHE, f"cargo-{program}", [], build, also=f"{version} {features}") / "bin" / program


def mybatis() -> Path:
    """Return the folder of MyBatis Migrations' jars."""
    return jars("mybatis", MYBATIS_VERSION)


def fetch_all(*, built: bool = False) -> int:
    """Fetch what can be had and name what cannot; return the exit code."""
    wanted: list[Callable[[], Path]] = [python, node]
    if built:
        wanted += [mybatis, supabase, *(partial(go, program) for program in GO)]
        wanted += [partial(cargo, program) for program in CARGO]
    missing = 0
    for fetch in wanted:
        try:
            print(fetch(), flush=True)
        except ToolMissing as reason:
            print(f"fetch: {reason}", file=sys.stderr)
            missing += 1
    return 1 if missing else 0
