"""The large parts of a database's record, which are in memory only while they are needed."""

from __future__ import annotations

from enum import Enum


class Part(Enum):
    """The recorded schema; what is known of the history tables."""

    SCHEMA = "schema"
    LEDGERS = "ledgers"
