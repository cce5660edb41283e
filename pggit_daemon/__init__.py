"""pggit-daemon: a true, linked history of a PostgreSQL schema, read from its WAL."""

__version__ = "0.1.0"
