"""How a tool keeps its history, by the word that presets have for it.

In: a preset's `model`. Out: what the tables of such tools have in common. Each model is read by a class of
`interpret/models/`.
"""

from __future__ import annotations

from enum import StrEnum


class HistoryModel(StrEnum):
    ROWS = "rows"  # one row is one migration
    HEAD = "head"  # the current versions only, in a row that moves
    STATE = "state"  # a number: how far the schema has come
    EVENTS = "events"  # a log of what was done

    @property
    def has_row_each(self) -> bool:
        """Whether a row is a migration, as one would read any table."""
        return self is HistoryModel.ROWS

    @property
    def moves_rows(self) -> bool:
        """Whether its rows are updated from one migration to the next."""
        return self in {HistoryModel.HEAD, HistoryModel.STATE}

    @property
    def is_number(self) -> bool:
        """Whether its rows hold numbers, which the preset's section [state] describes."""
        return self is HistoryModel.STATE

    @property
    def is_log(self) -> bool:
        """Whether its rows stay: what became of a migration is another row."""
        return self is HistoryModel.EVENTS
