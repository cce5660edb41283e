"""`run` as a process: readiness, pages, signals, reload, and what it says when it cannot go on."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from pggit_daemon.config import load
from pggit_daemon.errors import ConfigError
from tests.acceptance.harness import Daemon
from tests.integration.cli_support import run

CONFIG = """
[daemon]
log_level = "{level}"
[[database]]
name = "app"
slot = "{slot}"
dsn = "{dsn}"
"""


@pytest.fixture
def config(installed_database: str, tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    write(path, installed_database)
    return path


def write(path: Path, dsn: str, *, level: str = "info") -> None:
    slot = "run_" + "".join(c for c in dsn if c.isdigit())
    path.write_text(CONFIG.format(level=level, slot=slot, dsn=dsn))


def events(daemon: Daemon) -> list[str]:
    return [str(event.get("event")) for event in daemon.events()]


def test_ready_pages_and_a_clean_end(config: Path, installed_database: str, tmp_path: Path) -> None:
    """Ready after the baseline, pages that agree with the database, exit 0 at SIGTERM."""
    with Daemon(installed_database, tmp_path, ["--config", str(config)], cold=True) as daemon:
        assert daemon.page("/healthz")[0] == 200
        ready = json.loads(daemon.page("/readyz")[1])
        assert ready["databases"]["app"]["state"] == "streaming"
        assert daemon.metric("pggit_up", database="app") == 1
        assert daemon.metric("pggit_commits_total", kind="baseline") == 1
        daemon.wait_for(lambda: daemon.metric("pggit_slot_retained_bytes") > 0, "polled")
        state = run("status", "--json", "-c", str(config)).json["databases"]["app"]
        assert state["slot"]["active"]
        assert state["head"]["kind"] == "baseline"
        assert run("log", "--json", "-c", str(config)).json["commits"][0]["kind"] == "baseline"
        refused = run("uninstall", "--yes", "-c", str(config))
        assert (refused.code, "systemctl stop" in refused.err) == (4, True)
        assert daemon.stop() == 0
        assert events(daemon)[-2:] == ["daemon_stopping", "daemon_stopped"]
    assert run("uninstall", "--yes", "-c", str(config)).code == 0


def test_systemd_hears_ready_watchdog_reloading_and_stopping(
    config: Path, installed_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """READY=1 once, WATCHDOG=1 while all turns, RELOADING=1 and READY=1 round a reload, STOPPING=1 at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        address = tmp_path / "notify"
        manager.bind(str(address))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")

        def wait(message: str) -> None:
            while not (said := manager.recv(4096).decode()).startswith(message):
                assert not (message == "WATCHDOG=1" and said == "READY=1")

        with Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon:
            wait("READY=1")
            wait("WATCHDOG=1")
            wait("STATUS=app: streaming")
            daemon.signal(signal.SIGHUP)
            wait("RELOADING=1")
            wait("READY=1")
            wait("WATCHDOG=1")
            assert daemon.stop() == 0
            wait("STOPPING=1")


def test_reload_takes_a_good_file_and_refuses_a_bad_one(config: Path, installed_database: str, tmp_path: Path) -> None:
    """The log level changes at once; a file with an error leaves everything as it is, and is a metric."""
    with Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon:
        config.write_text("[daemon]\nhtp_port = 1\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(lambda: "reload_failed" in events(daemon), "refusing")
        (failure,) = [event for event in daemon.events() if event.get("event") == "reload_failed"]
        assert "did you mean 'http_port'?" in failure["error"]
        assert daemon.page("/readyz")[0] == 200
        assert daemon.metric("pggit_config_last_reload_successful") == 0
        taken_at = daemon.metric("pggit_config_last_reload_success_timestamp_seconds")
        assert 0 < taken_at < time.time()
        write(config, installed_database, level="warning")
        daemon.signal(signal.SIGHUP)
        time.sleep(1)
        before = len(daemon.events())
        write(config, installed_database, level="info")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(lambda: "reloaded" in events(daemon)[before:], "reloaded")
        assert events(daemon)[:before].count("reloaded") == 0
        assert daemon.metric("pggit_config_last_reload_successful") == 1
        assert daemon.metric("pggit_config_last_reload_success_timestamp_seconds") > taken_at
        assert daemon.page("/readyz")[0] == 200
        config.write_text("[daemon]\nhttp_port = 8499\n" + config.read_text().replace("[daemon]\n", ""))
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(lambda: "reload_needs_restart" in events(daemon), "what cannot be reloaded")
        (told,) = [event for event in daemon.events() if event.get("event") == "reload_needs_restart"]
        assert told["keys"] == ["daemon.http_port"]


def test_a_second_signal_ends_it_at_once(config: Path, installed_database: str, tmp_path: Path) -> None:
    """The first waits for the transaction in hand; the second leaves with 128 + 15, and nothing is lost by that."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with (
        Daemon(installed_database, tmp_path, ["--config", str(config)]) as daemon,
        psycopg.connect(installed_database, autocommit=True) as user,
        psycopg.connect(installed_database) as blocker,
    ):
        blocker.execute("LOCK TABLE pggit.commits IN ACCESS EXCLUSIVE MODE")
        user.execute("CREATE TABLE made_by_hand (id integer)")
        daemon.wait_for(lambda: user.execute(waiting).fetchone() == (1,), "waiting for the lock")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for(lambda: "daemon_stopping" in events(daemon), "stopping")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait_end(2) == 143
        blocker.rollback()
        daemon.start()
        daemon.wait_ready()
        daemon.wait_caught_up()
        kinds = [row[0] for row in user.execute("SELECT kind FROM pggit.commits ORDER BY id").fetchall()]
        assert kinds == ["baseline", "out_of_band"]


def test_a_wrong_password_stays_out_of_log_and_pages(installed_database: str, tmp_path: Path) -> None:
    """A server that refuses is tried again, says so on its pages, and the secret is nowhere."""
    dsn = "postgresql://nobody:hunter2@127.0.0.1:1/x?connect_timeout=2"
    daemon = Daemon(installed_database, tmp_path, ["--dsn", dsn])
    daemon.start()
    try:
        daemon.wait_for(lambda: "database_failed" in events(daemon), "failing")
        status, page = daemon.page("/readyz")
        assert status == 503
        assert '"state": "failed"' in page
        assert daemon.page("/healthz")[0] == 200
        assert "hunter2" not in page + daemon.log_file.read_text() + daemon.page("/metrics")[1]
        assert daemon.stop() == 0
    finally:
        daemon.kill()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--http", "nowhere"), 2, "allowed: HOST:PORT"),
        (("--http", "::1:80"), 2, "allowed: HOST:PORT"),
        (("--http", "127.0.0.1:70000"), 2, "allowed: HOST:PORT"),
        (("--http", "192.0.2.1:1"), 2, "HTTP cannot listen on 192.0.2.1 port 1"),
        (("--log-level", "loud"), 2, "allowed: debug, info, warning, error"),
        (("--config", "/nonexistent.toml"), 2, "give one of them, not both"),
    ],
)
def test_wrong_options_end_it_with_a_sentence(arguments: tuple[str, ...], code: int, message: str) -> None:
    """Before anything is started."""
    done = run("run", *arguments, dsn="host=127.0.0.1 port=1")
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_port_that_is_taken_may_become_free() -> None:
    """Exit 1: systemd tries again, as it does not after 2. The log says so as an event."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run("run", "--http", f"127.0.0.1:{other.getsockname()[1]}", dsn="host=127.0.0.1 port=1")
    assert done.code == 1
    last = json.loads(done.err.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("daemon_failed", 1)
    assert "another process does" in last["error"]


def test_a_configuration_that_cannot_be_read_says_how_it_can(tmp_path: Path) -> None:
    """Who must be able to read it, and how; not only what the system call said."""
    path = tmp_path / "config.toml"
    path.write_text("")
    with pytest.raises(ConfigError, match="Is a directory") as caught:
        load(tmp_path)
    assert str(path) in str(caught.value.hint)
    with pytest.raises(ConfigError, match="No such file") as caught:
        load(tmp_path / "nowhere.toml")
    assert "config.example.toml" in str(caught.value.hint)
    path.chmod(0o000)
    me = os.geteuid()
    other = pwd.getpwnam("nobody") if me == 0 else pwd.getpwuid(me)
    try:
        os.seteuid(other.pw_uid)
        with pytest.raises(ConfigError, match="Permission denied") as caught:
            load(path)
    finally:
        os.seteuid(me)
    assert f"let the user {other.pw_name} read it" in str(caught.value.hint)
    assert "LoadCredential=" in str(caught.value.hint)


def test_log_is_json_lines_in_a_pipe(installed_database: str) -> None:
    """Every line of stderr is one object; stdout stays empty."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pggit_daemon", "run", "--dsn", installed_database, "--http", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    while "daemon_ready" not in lines[-1]:
        assert lines[-1], lines
        lines.append(process.stderr.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (0, "")
    for line in [*lines, *err.splitlines()]:
        assert {"event", "level", "timestamp"} <= json.loads(line).keys()
