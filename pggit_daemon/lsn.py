"""WAL positions as a type of their own.

In: the server's text form (`16/B374D848`) or the 64-bit integer of the wire protocol.
Out: a totally ordered value. Used wherever a position is held; never a bare int or str.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class LSN:
    """A byte position in the write-ahead log (bytes since the start of the WAL)."""

    value: int

    @classmethod
    def parse(cls, text: str) -> LSN:
        """Read `X/Y` (both hexadecimal); ValueError on anything else."""
        high, slash, low = text.partition("/")
        if not slash:
            msg = f"not a WAL position: {text!r}"
            raise ValueError(msg)
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{self.value >> 32:X}/{self.value & 0xFFFFFFFF:X}"


ZERO = LSN(0)
