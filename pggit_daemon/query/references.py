"""How people name a commit or a migration on the command line.

In: one word. Out: what it can mean, in the order in which to look. Pure; `records.py` does the looking.

    head            the newest commit
    baseline        the commit with which the history begins, where no migration is called so
    @12             the commit with the id 12
    3f9a1c0         a commit, by 7 or more first digits of its hash
    flyway:12       a migration, by tool and id or the tool's own version (flyway:1.2, flyway:-12 a rollback)
    12              a migration by id, whatever its tool; where there is none, the commit with that id
    0012            likewise, but by the tool's own version before any number: no id is written with zeros before it
    1.2             a migration by the tool's own version, whatever its tool, where the word means nothing else
    shop.0001_a     likewise, as the tool prints a version of several columns (Django); at last by the migration's name
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pggit_daemon.errors import ConfigError

FORMS = (
    "head, baseline, @COMMIT_ID, 7 or more digits of a commit's hash, TOOL:ID, TOOL:VERSION,"
    " or a migration's id, version or name"
)
_PADDED = r"-?0[0-9]+"
_MAX_BIGINT = 2**63 - 1
_MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The commit with which the history begins."""


@dataclass(frozen=True, slots=True)
class CommitId:
    id: int


@dataclass(frozen=True, slots=True)
class HashPrefix:
    prefix: str


@dataclass(frozen=True, slots=True)
class MigrationRef:
    """A migration by id or by the tool's own version; without a tool, whatever its tool."""

    tool: str | None
    migration_id: int | None
    version: str | None


Reference = Head | Baseline | CommitId | HashPrefix | MigrationRef


class UsageError(ConfigError):
    """A command was called in a way that means nothing (exit 2, as the shell's own usage errors)."""


def parse_reference(word: str) -> tuple[Reference, ...]:
    """Read a word; several meanings come in the order in which they count."""
    if word.lower() == "head":
        return (Head(),)
    if match := re.fullmatch(r"@([0-9]+)", word):
        return (CommitId(_within(word, match[1], _MAX_INTEGER)),)
    if word.lower() == "baseline":
        return (MigrationRef(None, None, word), Baseline())  # a migration may be called so
    tool, colon, rest = word.partition(":")
    if colon and tool and rest:
        number = int(rest) if re.fullmatch(r"-?[0-9]+", rest) and abs(int(rest)) <= _MAX_BIGINT else None
        named = MigrationRef(tool, number, rest)
        return (MigrationRef(tool, None, rest), named) if re.fullmatch(_PADDED, rest) else (named,)
    by_version = MigrationRef(None, None, word)
    padded = re.fullmatch(_PADDED, word) is not None
    found: list[Reference] = [by_version] if padded else []
    if re.fullmatch(r"-?[0-9]+", word):
        number = _within(word, word, _MAX_BIGINT)
        found.append(MigrationRef(None, number, None))
        if 0 <= number <= _MAX_INTEGER:
            found.append(CommitId(number))
    if re.fullmatch(r"[0-9a-fA-F]{7,128}", word):
        found.append(HashPrefix(word.lower()))
    if not word.strip() or word.startswith(("@", ":")) or word.endswith(":"):
        raise UsageError(f"{word!r} names no commit and no migration; allowed: {FORMS}")
    return tuple(found) if padded else (*found, by_version)


def _within(word: str, digits: str, limit: int) -> int:
    number = int(digits)
    if abs(number) > limit:
        raise UsageError(f"{word!r} is too large; allowed: up to {limit}")
    return number
