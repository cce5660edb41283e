"""WAL positions as a type of their own.

In: the server's text form (`16/B374D848`) or the 64-bit integer of the wire protocol.
Out: a totally ordered value. Used wherever a position is held; never a bare int or str.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}")


@dataclass(frozen=True, order=True, slots=True)
class LSN:
    """A byte position in the write-ahead log (bytes since the start of the WAL)."""

    value: int

    @classmethod
    def parse(cls, text: str) -> LSN:
        """Read `X/Y` (both hexadecimal); ValueError on anything else."""
        if not _TEXT.fullmatch(text):
            msg = f"not a WAL position: {text!r}"
            raise ValueError(msg)
        high, _slash, low = text.partition("/")
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{self.value >> 32:X}/{self.value & 0xFFFFFFFF:X}"


@dataclass(frozen=True, order=True, slots=True)
class Durable:
    """A position whose results are committed, so that the slot may forget the WAL before it.

    Only `store/` makes one, after its COMMIT: what it does not hold cannot be acknowledged by mistake.
    """

    lsn: LSN


ZERO = LSN(0)
