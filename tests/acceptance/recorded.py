"""What the daemon recorded, for the acceptance tests: see `sandbox/recorded.py`."""

from sandbox.recorded import Commit, Migration, assert_in_wal_order, changed_by_migration, commits, history, migrations

__all__ = ["Commit", "Migration", "assert_in_wal_order", "changed_by_migration", "commits", "history", "migrations"]
