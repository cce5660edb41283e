"""The status pages over a real socket, and the health behind them."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pggit_daemon.errors import ListenError
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import PATIENCE, Health, State
from pggit_daemon.web import server as pages
from pggit_daemon.web.server import StatusServer, start

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A time that stands still until told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(stall_seconds=30, monotonic=clock, wall=clock)


@pytest.fixture
def server(health: Health) -> Iterator[StatusServer]:
    running = start("127.0.0.1", 0, Metrics(), health)
    yield running
    running.close()


def get(server: StatusServer, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection(*server.address, timeout=5)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, body


def page(server: StatusServer, path: str) -> tuple[int, dict[str, Any]]:
    status, body = get(server, path)
    return status, json.loads(body)


def test_health_follows_the_process_and_readiness_each_database(
    server: StatusServer, health: Health, clock: Clock
) -> None:
    """/healthz asks whether the loop turns; a database that hangs is named by /readyz and disturbs no other."""
    health.database("good").enter(State.STREAMING)
    slow = health.database("slow")
    slow.enter(State.STREAMING)
    health.turned()
    assert page(server, "/healthz")[0] == page(server, "/readyz")[0] == 200
    clock.now += 31
    assert page(server, "/healthz")[0] == 503
    health.turned()
    health.database("good").beat()
    assert page(server, "/healthz")[0] == 200
    status, body = page(server, "/readyz")
    assert (status, body["ready"], body["failing"]) == (503, False, ["slow"])
    slow.beat()
    assert page(server, "/readyz")[0] == 200


def test_no_database_is_neither_alive_nor_ready(server: StatusServer) -> None:
    """Before the supervisor has begun, nothing claims to work."""
    assert page(server, "/healthz")[0] == 503
    assert page(server, "/readyz")[0] == 503


@pytest.mark.parametrize("state", list(State))
def test_ready_only_when_caught_up_or_standing_by(server: StatusServer, health: Health, state: State) -> None:
    """Every state has its answer."""
    health.database("a").enter(state)
    expected = 200 if state in {State.STREAMING, State.STANDBY} else 503
    status, body = page(server, "/readyz")
    assert status == expected
    assert body["databases"]["a"]["state"] == state.value


def test_ready_page_hides_secrets(server: StatusServer, health: Health) -> None:
    """An error's text may hold the connection string."""
    health.database("a").enter(State.FAILED, "connection to postgresql://u:hunter2@h/d failed")
    status, body = get(server, "/readyz")
    assert status == 503
    assert "hunter2" not in body
    assert "postgresql://u:***@h/d" in body


def test_started_waits_for_every_database_and_not_for_long(health: Health, clock: Clock) -> None:
    """READY=1: one that cannot be reached counts as tried, one that says nothing is waited for some seconds."""
    health.database("a").enter(State.STREAMING)
    other = health.database("b")
    assert health.started().failing == ("b",)
    other.enter(State.BASELINE)
    assert not health.started().ok
    other.enter(State.FAILED, "nobody listens there")
    assert health.started().ok
    other.enter(State.CONNECTING)
    assert not health.started().ok
    clock.now += PATIENCE
    assert health.started().ok
    health.forget("b")
    assert [d.name for d in health.databases()] == ["a"]


def test_the_summary_names_what_is_not_ready_and_why(health: Health) -> None:
    """One line for `systemctl status`, however many databases there are."""
    health.database("a").enter(State.STREAMING)
    health.database("b").enter(State.BASELINE)
    health.database("b").waits("session 7, role ada since 12:00")
    health.database("c").enter(State.FAILED, "password=hunter2 was wrong")
    assert health.summary() == (
        "b: baseline (waits for session 7, role ada since 12:00), c: failed (password=*** was wrong), a: streaming"
    )
    health.database("b").waits(None)
    assert health.database("b").detail is None
    for number in range(90):
        health.database(f"d{number}").enter(State.STREAMING)
    assert health.summary().endswith("91 of 93 databases are ready")


def test_lag_grows_until_the_next_sign(health: Health, clock: Clock) -> None:
    """A stream that says nothing falls behind by itself; an older moment never takes back a newer one."""
    database = health.database("a")
    assert database.lag_seconds() is None
    database.synced(990)
    assert database.lag_seconds() == 10
    database.synced(980)
    assert database.lag_seconds() == 10
    clock.now += 5
    assert database.lag_seconds() == 15
    database.synced()
    assert database.lag_seconds() == 0


def test_metrics_page_shows_health(server: StatusServer, health: Health) -> None:
    """State, lag and up of each database stand in /metrics, and Prometheus' own checker likes the page."""
    health.database("a").enter("streaming")
    health.database("a").synced(997.5)
    status, text = get(server, "/metrics")
    assert status == 200
    assert 'pggit_up{database="a"} 1.0' in text
    assert 'pggit_stream_state{database="a",state="streaming"} 1.0' in text
    assert 'pggit_stream_state{database="a",state="failed"} 0.0' in text
    assert 'pggit_replication_lag_seconds{database="a"} 2.5' in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_other_paths_and_methods(server: StatusServer) -> None:
    """404 and 405; HEAD has no body."""
    status, body = get(server, "/")
    assert (status, body.count("\n")) == (404, 1)
    assert json.loads(body)["pages"] == ["/metrics", "/healthz", "/readyz"]
    assert get(server, "/metrics/../etc/passwd")[0] == 404
    assert get(server, "/metrics", "POST")[0] == 405
    assert get(server, "/metrics", "HEAD") == (200, "")


def test_a_taken_port_is_an_error_that_says_what_to_do(server: StatusServer, health: Health) -> None:
    """Not a traceback."""
    with pytest.raises(ListenError, match="HTTP cannot listen on") as caught:
        start("127.0.0.1", server.address[1], Metrics(), health)
    assert caught.value.hint is not None
    assert "--http" in caught.value.hint
    # 2 (a wrong configuration) would keep systemd from trying again, and the other process may end.
    assert caught.value.exit_code == 1


def test_a_silent_client_does_not_block_others(server: StatusServer, health: Health) -> None:
    """Each connection has its thread."""
    health.turned()
    with socket.create_connection(server.address):
        assert page(server, "/healthz")[0] == 200


def test_a_client_that_never_ends_its_request_is_ended(
    health: Health, monkeypatch: pytest.MonkeyPatch, server: StatusServer
) -> None:
    """A letter now and then keeps no thread for ever."""
    monkeypatch.setattr(pages, "WHOLE_SECONDS", 0.5)
    deadline = time.monotonic() + 60
    with socket.create_connection(server.address, 30) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with pytest.raises(OSError):  # noqa: PT011, PT012  (a reset or a broken pipe, at some letter)
            while time.monotonic() < deadline:
                slow.sendall(b"a")
                time.sleep(0.05)
    health.turned()
    assert page(server, "/healthz")[0] == 200


@pytest.mark.parametrize(
    "request_line",
    [b"GARBAGE", b"GET", b"GET /" + b"a" * 70000 + b" HTTP/1.1", b"GET /%zz%00%ff HTTP/1.1", b"GET / HTTP/9.9",
     b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200, b"OPTIONS * HTTP/1.1"],
)  # fmt: skip
def test_what_is_no_request_of_ours_harms_nobody(server: StatusServer, health: Health, request_line: bytes) -> None:
    """It is refused, or its connection ends; the next one is answered."""
    with socket.create_connection(server.address, 30) as client:
        client.sendall(request_line + b"\r\n\r\n")
        with suppress(ConnectionError):  # what was not read of it makes the end a reset
            assert b" 200 " not in client.recv(100)
    health.turned()
    assert page(server, "/healthz")[0] == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0"])  # noqa: S104  (gone at once)
def test_closing_waits_for_no_look(health: Health, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The pages wake the process rarely, and still end at once."""
    monkeypatch.setattr(pages, "LOOK_INTERVAL", 60.0)
    running = start(address, 0, Metrics(), health)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 30
