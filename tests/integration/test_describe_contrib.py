"""The contrib modules run as plain SQL: thousands of functions, operators, types, classes that others wrote.

In: the extension scripts of the installed server. Each module goes into a schema of its own, all of them into one
database; then the pair is compared as in `test_describe_round_trip`.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.servers import find_server
from tests.integration.describe_oracle import Oracle, assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.databases import Databases

# What a module needs of the server beyond its own script, or does not stand beside the others.
NOT_PLAIN = {"plpgsql", "adminpack"}
ENOUGH = 25  # modules that must have loaded, or the test says nothing


@pytest.fixture(scope="module")
def oracle(cluster: Databases, installed_template: str) -> Iterator[Oracle]:
    with Oracle(cluster, installed_template) as oracle:
        yield oracle


CAPTURE_OFF = "".join(
    f"ALTER EVENT TRIGGER pggit_daemon_{name} DISABLE;" for name in ("ddl", "drop", "rewrite", "members")
)
"""What the capture records of these modules is compared in acceptance/oracle/test_contrib.py."""


def test_contrib_modules_as_plain_sql(oracle: Oracle) -> None:
    """All modules together: dump and snapshot of the copy equal the original's."""
    loaded = []
    with oracle.side() as original, oracle.side() as copy:
        for side in (original, copy):
            side.run(CAPTURE_OFF)
        for name, script in modules():
            if original.try_run(script):
                loaded.append(name)
        assert len(loaded) >= ENOUGH, loaded
        copy.restore(original.export())
        assert_same(members_sorted(original.dump()), members_sorted(copy.dump()))
        assert_same(original.snapshot(), copy.snapshot())


def members_sorted(dump: str) -> str:
    """Sort the members of each operator family and class.

    pg_dump asks for them ordered by number alone, so that operators of the same number for different types come in
    any order: of the module isn, pg_dump does not even repeat itself after a restore of its own.
    """
    member = re.compile(r"(?:^ {4}(?:OPERATOR|FUNCTION) \d+ .*\n)+", re.MULTILINE)
    return member.sub(lambda m: "\n".join(sorted(line.rstrip(" ,;") for line in m[0].splitlines())) + "\n", dump)


def modules() -> Iterator[tuple[str, str]]:
    """Give name and script of each module that can be created at one version without updates."""
    share = subprocess.run([find_server() / "pg_config", "--sharedir"], text=True, capture_output=True, check=True)
    folder = find_server().parent.joinpath(share.stdout.strip(), "extension")
    for control in sorted(folder.glob("*.control")):
        name = control.stem
        if name in NOT_PLAIN or name.endswith("u"):
            continue
        chain = _scripts(folder, name)
        if chain:
            library = re.search(r"module_pathname = '([^']*)'", control.read_text())
            text = "\n".join(script.read_text() for script in chain)
            text = re.sub(r"^\\echo.*$", "", text, flags=re.MULTILINE)
            text = text.replace("MODULE_PATHNAME", library[1] if library else name)
            text = re.sub(r"@extschema@", name, text)
            text = re.sub(r"(?im)^\s*ALTER EXTENSION [^;]*;", "", text)
            yield name, f'CREATE SCHEMA "{name}"; SET search_path = "{name}", public;\n{text}'


def _scripts(folder: Path, name: str) -> list[Path]:
    """The base script with the highest version, and the updates that lead on from it one by one."""
    base = [p for p in folder.glob(f"{name}--*.sql") if p.name.count("--") == 1]
    if not base:
        return []
    chain = [max(base, key=lambda p: _version(p.stem.split("--")[1]))]
    version = chain[0].stem.split("--")[1]
    while steps := sorted(folder.glob(f"{name}--{version}--*.sql")):
        chain.append(max(steps, key=lambda p: _version(p.stem.split("--")[2])))
        version = chain[-1].stem.split("--")[2]
    return chain


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))
