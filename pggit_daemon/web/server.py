"""The status pages: /metrics, /healthz, /readyz.

In: a `Metrics` and a `Health`. Out: a server in threads of its own, so that a database that keeps the event
loop busy cannot hide that it does. Nothing here shows a connection string. Called by `cli/run.py`.
"""

from __future__ import annotations

import errno
import io
import json
import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any, TextIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from pggit_daemon.errors import ConfigError, ListenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from pggit_daemon.telemetry import Metrics
    from pggit_daemon.telemetry.health import Health, Report

WHOLE_SECONDS = 15.0
"""Seconds after which a connection ends, however it went: one that brings a letter now and then is never silent."""
_REQUEST_SECONDS = 5  # a client that opens a connection and says nothing frees its thread after this
log = structlog.get_logger(__name__)
_JSON = "application/json; charset=utf-8"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  (the base class has it)
        """Log what a client's connection died of; the base class prints it as text among the log's events."""
        log.debug("http_request_failed", client=str(client_address), error=repr(sys.exc_info()[1]))


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def setup(self) -> None:
        super().setup()
        self._ends = threading.Timer(WHOLE_SECONDS, self._end)
        self._ends.daemon = True
        self._ends.start()

    def finish(self) -> None:
        self._ends.cancel()
        super().finish()

    def _end(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
        """Log nothing: a scrape every few seconds is no event."""

    def get_stderr(self) -> TextIO:
        return _ErrorLog()


class _ErrorLog(io.StringIO):
    """Where wsgiref writes a traceback, line by line: one event at its end."""

    def flush(self) -> None:
        text = self.getvalue()
        if text:
            self.seek(0)
            self.truncate()
            log.error("http_answer_failed", exception=text)


LOOK_INTERVAL = 1.0
"""Seconds between looks whether the server is to stop; each wakes the process."""


class StatusServer:
    """A running server; `address` is where it really listens."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        host, port = server.server_address[:2]
        self.address: tuple[str, int] = (str(host), int(port))
        self._thread = threading.Thread(target=server.serve_forever, args=(LOOK_INTERVAL,), name="http", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; answers in hand are cut off."""
        stopping = threading.Thread(target=self._server.shutdown, name="http stop", daemon=True)
        stopping.start()
        # Its loop sees that it is to stop when somebody connects, or with its next look.
        with suppress(OSError):
            socket.create_connection(self.address, LOOK_INTERVAL).close()
        stopping.join()
        self._server.server_close()
        self._thread.join()


def start(address: str, port: int, metrics: Metrics, health: Health) -> StatusServer:
    """Listen on the address; port 0 takes a free one. ListenError when the port is taken, else ConfigError."""
    kind = _Server6 if ":" in address else _Server
    try:
        server = kind((address, port), _Handler)
    except (OSError, OverflowError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        if getattr(exc, "errno", None) == errno.EADDRINUSE:
            raise ListenError(
                f"HTTP cannot listen on {address} port {port}: another process does (perhaps another pggit-daemon)",
                hint=f"see which: ss -ltnp 'sport = :{port}'; or choose another: daemon.http_port, --http HOST:PORT",
            ) from exc
        raise ConfigError(
            f"HTTP cannot listen on {address} port {port}: {reason}",
            hint="set daemon.http_address and daemon.http_port (0: no HTTP), or pass --http HOST:PORT",
        ) from exc
    server.set_app(application(metrics, health))
    return StatusServer(server)


def application(metrics: Metrics, health: Health) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """Make the WSGI application."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, kind, body = _answer(environ, metrics, health)
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]

    return answer


def _answer(environ: WSGIEnvironment, metrics: Metrics, health: Health) -> tuple[HTTPStatus, str, bytes]:
    if environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED, _JSON, _json({"error": "GET and HEAD only"})
    match environ.get("PATH_INFO"):
        case "/metrics":
            return HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, metrics.exposition(health)
        case "/healthz":
            return _report("alive", health.alive(), health)
        case "/readyz":
            return _report("ready", health.ready(), health)
        case _:
            return (
                HTTPStatus.NOT_FOUND,
                _JSON,
                _json({"error": "not found", "pages": ["/metrics", "/healthz", "/readyz"]}),
            )


def _report(word: str, report: Report, health: Health) -> tuple[HTTPStatus, str, bytes]:
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    databases = {database.name: database.describe() for database in health.databases()}
    return status, _JSON, _json({word: report.ok, "failing": list(report.failing), "databases": databases})


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False) + "\n").encode()
