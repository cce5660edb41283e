"""A table's name as people write it.

In: `schema.table` by SQL's rules (folded to lower case unless in double quotes, "" is a quote inside quotes).
Out: the real names. ValueError says what is allowed. Called by the configuration.
"""

from __future__ import annotations

import re

from pggit_daemon.model.transaction import TableName

# What is beyond ASCII is said by what it is not: a range up to the last code point takes 15 ms to compile.
_PART = r'(?:"(?:[^"\x00]|"")+"|(?:[A-Za-z_]|[^\x00-\x7f])(?:[A-Za-z0-9_$]|[^\x00-\x7f])*)'
_QUALIFIED = re.compile(rf"({_PART})\.({_PART})")
MAX_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL cuts longer names, which would never match


def parse_table(text: str) -> TableName:
    """Read `schema.table`; ValueError when it is not one."""
    match = _QUALIFIED.fullmatch(text)
    if match is None:
        msg = 'allowed: schema.table, with double quotes round a part that needs them, as in ops."My Table"'
        raise ValueError(msg)
    schema, table = (_real(part) for part in match.groups())
    return TableName(schema, table)


def _real(part: str) -> str:
    # The server folds ASCII only in a multibyte encoding such as UTF8.
    name = part[1:-1].replace('""', '"') if part.startswith('"') else _fold(part)
    if len(name.encode()) > MAX_BYTES:
        msg = f"allowed: at most {MAX_BYTES} bytes in each part of the name"
        raise ValueError(msg)
    return name


def _fold(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)
