"""The real names in identities, as the server quotes them. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from pggit_daemon.model.objects import ObjectEvent
from pggit_daemon.model.transaction import TableName

_OWNED = re.compile(r"^ALTER SEQUENCE .* OWNED BY (.*);$", re.MULTILINE)


def table_of(item: ObjectEvent) -> TableName | None:
    """The table an event is about, by its real name; None for other kinds of object."""
    if item.key is None or item.key.type != "table":
        return None
    return parse_table(item.key.identity)


def owner_of(item: ObjectEvent) -> TableName | None:
    """The table whose column owns a sequence; None for all else."""
    if item.key is None or item.key.type != "sequence" or item.blob is None or item.blob.later is None:
        return None
    found = _OWNED.search(item.blob.later)
    parts = split_identity(found[1]) if found is not None else ()
    return TableName(parts[0], parts[1]) if len(parts) == 3 else None  # noqa: PLR2004  # schema, table and column


def table_it_is_on(item: ObjectEvent) -> TableName | None:
    """The table in `name on schema.table`, by which constraints, triggers, rules and policies are named."""
    if item.key is None or item.key.type not in {"table constraint", "trigger", "rule", "policy"}:
        return None
    _, on, table = item.key.identity.rpartition(" on ")
    return parse_table(table) if on else None


@lru_cache(maxsize=1024)
def parse_table(identity: str) -> TableName | None:
    """The real names in `schema.table` as the server quotes them; None if it is not of two parts.

    A transaction's tables are asked for again and again, and are no longer than two names.
    """
    parts = split_identity(identity)
    return TableName(parts[0], parts[1]) if len(parts) == 2 else None  # noqa: PLR2004  # schema and table


def split_identity(identity: str) -> tuple[str, ...]:
    """The parts of a dotted identity, unquoted: `a."b.c"` is ("a", "b.c")."""
    if '"' not in identity:
        return tuple(identity.split("."))
    parts, part, quoted, position = [], "", False, 0
    while position < len(identity):
        char = identity[position]
        if char == '"' and quoted and identity[position + 1 : position + 2] == '"':
            part += '"'
            position += 1
        elif char == '"':
            quoted = not quoted
        elif char == "." and not quoted:
            parts.append(part)
            part = ""
        else:
            part += char
        position += 1
    return (*parts, part)
