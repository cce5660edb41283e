"""Databases on a test server: their connection strings, creation from templates, removal.

In: a server's address. Out: what `cluster.py` and `container.py` have in common.
"""

from __future__ import annotations

import time

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

COPIES_FILES = 150_000  # the first version that can do otherwise
STREAM_END_TIMEOUT = 60.0  # seconds for replication streams to end when their database is dropped


class Databases:
    """The databases of a server that runs at `host` and `port` and trusts `postgres`."""

    host = "127.0.0.1"
    port = 0
    _kept: psycopg.Connection | None = None

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """Return a libpq connection string."""
        return make_conninfo(host=self.host, port=self.port, dbname=dbname, user=user)

    def create_database(self, name: str, template: str | None = None) -> None:
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        conn = self._admin()
        if conn.info.server_version >= COPIES_FILES:
            # Of the two ways it takes half the time, and leaves streams no log of the copy to read past.
            statement += sql.SQL(" STRATEGY file_copy")
        conn.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop it with its sessions and replication slots: a stream that still runs is ended first."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        deadline = time.monotonic() + STREAM_END_TIMEOUT
        conn = self._admin()
        while True:
            conn.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                " WHERE database = %s AND active_pid IS NOT NULL",
                [name],
            )
            try:
                conn.execute(drop)
            except psycopg.errors.ObjectInUse:  # the stream is not gone yet, or has come back
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _admin(self) -> psycopg.Connection:
        """Return the session that makes and drops databases: kept, as a new one costs half as much as what it does."""
        if self._kept is not None:
            try:
                self._kept.execute("SELECT 1")
            except psycopg.OperationalError:  # the server was restarted, or somebody ended it
                self._leave()
        if self._kept is None:
            self._kept = self._connect()
        return self._kept

    def _leave(self) -> None:
        """Close that session."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn(), autocommit=True, connect_timeout=30)
