"""What a change of a history row can mean. Values of presets, read by all folders."""

from __future__ import annotations

from enum import StrEnum


class Meaning(StrEnum):
    """What happened to a migration when its row changed."""

    APPLIED = "applied"
    FAILED = "failed"
    STARTED = "started"  # begun, and not ended yet
    BASELINE = "baseline"  # a marker: what is there counts as migrated
    SCHEMA = "schema"  # a marker: the tool made its schema
    MARKED = "marked"  # counted as run, without running
    RERAN = "reran"
    ROLLED_BACK = "rolled_back"
    UNDO_FAILED = "undo_failed"  # the migration stays as it was
    DELETED = "deleted"  # marked as deleted by a row of its own
    REMOVED = "removed"  # the row vanished; nothing was undone
    CLEARED = "cleared"  # the whole table was emptied or dropped
    UNMARKED = "unmarked"  # counted as not run, without undoing
    MOVED = "moved"  # the state stands elsewhere now; nothing ran for that
    RESTORED = "restored"  # the row came back as it had been; nothing ran
    OWN = "own"  # a row of the tool's own, about no migration
    TAGGED = "tagged"
    CHECKSUM_CHANGED = "checksum_changed"
    CHECKSUM_CLEARED = "checksum_cleared"
    CHECKSUM_FILLED = "checksum_filled"
    CHECKSUM_UPGRADED = "checksum_upgraded"  # by another algorithm; what it is of did not change
    EDITED = "edited"

    @property
    def ran_ddl(self) -> bool:
        """Whether DDL that is waiting for a row may be what this one stands for."""
        return self in {Meaning.APPLIED, Meaning.FAILED, Meaning.RERAN, Meaning.ROLLED_BACK, Meaning.UNDO_FAILED}

    @property
    def makes_commit(self) -> bool:
        """Whether the change is a migration of its own, with a commit even where no object changed."""
        return self.ran_ddl or self in {Meaning.BASELINE, Meaning.SCHEMA, Meaning.MARKED}
