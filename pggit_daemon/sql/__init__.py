"""The packaged SQL, as values.

In: the .sql files of this package. Out: whole files for the installer (`steps`, `repeatable`) and named
statements for everybody else (`load_queries("store")["insert_commit"]`). Nothing here talks to a server.

A file of named statements holds blocks like this; comments right under the name describe the block:

    -- name: newest_commit
    -- The head of a branch, or no row.
    SELECT …
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from pggit_daemon.sql.expressions import expanded
from pggit_daemon.sql.from_presets import filled

if TYPE_CHECKING:
    from collections.abc import Mapping

REPEATABLE = ("describe", "verify", "export", "capture", "store", "api")  # in this order: each may use those before it

_STEP = re.compile(r"(\d{4})_.+\.sql")
_BLOCK = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A file: `name` as `folder/file.sql`, and its text."""

    name: str
    text: str

    @property
    def number(self) -> int:
        """The number of a step."""
        found = _STEP.fullmatch(self.name.rpartition("/")[2])
        if found is None:
            msg = f"not a numbered step: {self.name}"
            raise ValueError(msg)
        return int(found[1])


def steps() -> tuple[SqlFile, ...]:
    """Return the numbered steps, each number once."""
    found = _folder("steps")
    numbers = [step.number for step in found]
    if numbers != sorted(set(numbers)):
        msg = f"steps have a number twice: {[step.name for step in found]}"
        raise ValueError(msg)
    return found


def repeatable() -> tuple[SqlFile, ...]:
    """Return the files that may run again at any time, in the order in which they must run.

    The names of tools' tables in them are those of the packaged presets; expressions that they share are put in.
    """
    files = (file for folder in REPEATABLE for file in _folder(folder))
    return tuple(SqlFile(file.name, filled(expanded(file.text))) for file in files)


def digest(sql_files: tuple[SqlFile, ...]) -> str:
    """SHA-256 (hexadecimal) over names and texts, in their order."""
    whole = hashlib.sha256()
    for file in sql_files:
        whole.update(f"{file.name}\0{file.text}\0".encode())
    return whole.hexdigest()


@cache
def schema_version() -> int:
    """Return the number of the last step: the version of the schema that this program needs."""
    return steps()[-1].number


@cache
def functions_digest() -> str:
    """Return the digest of the repeatable files, as `init` of this program leaves it in the database."""
    return digest(repeatable())


@cache
def load_queries(*names: str) -> Mapping[str, str]:
    """Return the named statements of `queries/<name>.sql`, of each of these files."""
    queries: dict[str, str] = {}
    for name in names:
        text = (files(__name__) / "queries" / f"{name}.sql").read_text(encoding="utf-8")
        heads = list(_BLOCK.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        for head, end in zip(heads, ends, strict=True):
            if head[1] in queries:
                msg = f"queries/{name}.sql has {head[1]} a second time"
                raise ValueError(msg)
            queries[head[1]] = text[head.end() : end].strip()
    return MappingProxyType(queries)


@cache
def _folder(folder: str) -> tuple[SqlFile, ...]:
    """Read a folder's files. What is sent is ASCII, which every server encoding has, also where a released step is not.

    A server that cannot convert one letter of a comment refuses the whole script.
    """
    found = [entry for entry in (files(__name__) / folder).iterdir() if entry.name.endswith(".sql")]
    return tuple(
        SqlFile(f"{folder}/{entry.name}", entry.read_text(encoding="utf-8").replace("…", "..."))
        for entry in sorted(found, key=lambda entry: entry.name)
    )
