"""Trees, hashes and commit plans, all pure."""
