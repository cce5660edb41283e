"""What of a database's record may be in memory, or not: the large parts."""

from __future__ import annotations

from enum import Enum


class Part(Enum):
    """The recorded schema; what is known of the history tables."""

    SCHEMA = "schema"
    LEDGERS = "ledgers"
