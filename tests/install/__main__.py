"""Follows the README on a fresh machine, then looks at what it ended in; prints figures as it goes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.install.documents import commands
from tests.install.machine import Machine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CONFIG = "/etc/pggit-daemon/config.toml"
EXPOSURE = 1.5  # systemd's own score, 0 (nothing exposed) to 10
SOON = 30.0  # seconds

# A migration tool at its smallest: the DDL and the row that says so, in one transaction of psql.
TABLE = (
    "CREATE SCHEMA ops; CREATE TABLE ops.migrations (version int PRIMARY KEY, description text, applied_at timestamptz)"
)
MIGRATION = (
    "BEGIN; CREATE TABLE shop (id int PRIMARY KEY); INSERT INTO ops.migrations VALUES (1, 'shop', now()); COMMIT"
)
OURS = " WHERE a.usename = 'pggit_daemon'"
# The sections of a source of one's own, as config.example.toml shows them.
SOURCE_KEYS = "^#(?=\\[|(name|table|id) = )"


def main() -> int:
    """Do it; an exception is the end of it."""
    began = time.monotonic()
    with Machine(ROOT / ".cache" / "install") as machine:
        print(f"machine: {machine.run('. /etc/os-release; echo $PRETTY_NAME')}", end="")
        print(f"booted after {time.monotonic() - began:.1f} s", flush=True)
        # What the machine has before anybody reads our README: git, and so the lists of packages.
        machine.run("apt-get update -q && apt-get install -y -q git")
        clone(machine)
        install(machine)
        look(machine)
        restart(machine)
        by_password(machine)
        upgrade_and_remove(machine)
    print(f"done after {time.monotonic() - began:.0f} s, machine removed")
    return 0


def clone(machine: Machine) -> None:
    """A fresh clone of what is committed here."""
    target = machine.root / "root" / "pggit-daemon"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, target], check=True)


def install(machine: Machine) -> None:
    """The README's commands, word for word; then a migration, and its linked commit."""
    began = time.monotonic()
    lines = commands(README, "install")
    for line in lines:
        start = time.monotonic()
        printed = machine.run(line)
        print(f"  {time.monotonic() - start:5.1f} s  # {line}", flush=True)
        assert "still to do" not in printed, printed
    print(f"install: {len(lines)} commands, {time.monotonic() - began:.1f} s")
    assert machine.run("systemctl is-active pggit-daemon").strip() == "active"
    sql(machine, TABLE)
    config = machine.root / CONFIG.lstrip("/")
    head, source = config.read_text().split("#[[database.source]]")
    section, other, tail = source.partition("#[[tool")
    config.write_text(
        head + "[[database.source]]" + re.sub(SOURCE_KEYS, "", section, flags=re.MULTILINE) + other + tail
    )
    reload = timed(machine, "systemctl reload pggit-daemon")
    sql(machine, MIGRATION)
    commit = linked_commit(machine)
    print(f"from the clone to the first linked commit: {time.monotonic() - began:.1f} s (reload {reload:.2f} s)")
    print(f"  {commit['kind']} {commit['hash'][:12]} {commit['message']}: {commit['migrations'][0]['evidence']}")


def look(machine: Machine) -> None:
    """The unit's score; the journal; and that the documentation's first commands work."""
    rated = machine.run("systemd-analyze security --no-pager pggit-daemon", check=False)
    score = float(re.findall(r"exposure level for \S+: ([0-9.]+)", rated)[0])
    print(f"systemd-analyze security: {score}")
    assert score <= EXPOSURE
    lines = machine.run("journalctl -u pggit-daemon -o json --no-pager").splitlines()
    entries = [json.loads(line) for line in lines]
    ours = [entry for entry in entries if entry.get("_COMM") == "pggit-daemon"]
    assert ours, entries
    for entry in ours:
        event = json.loads(entry["MESSAGE"])
        assert {"event", "level", "timestamp"} <= event.keys(), entry
    worst = min(int(entry["PRIORITY"]) for entry in ours)
    print(f"journal: {len(ours)} lines, each one JSON object; worst priority {worst}")
    assert machine.run("runuser -u pggit_daemon -- pggit-daemon verify") != ""


def restart(machine: Machine) -> None:
    """How long until it is ready again: after its own restart, after the server's, and with no server at all."""
    took = timed(machine, "systemctl restart pggit-daemon")
    print(f"restart of the service: {took:.2f} s, streaming after {took + ready(machine):.2f} s")
    timed(machine, "systemctl restart postgresql")
    print(f"restart of the server: streaming again {streaming(machine):.2f} s after it")
    machine.run("systemctl stop postgresql")
    took = timed(machine, "systemctl restart pggit-daemon")
    print(f"restart without a server: {took:.2f} s")
    assert machine.run("systemctl is-active pggit-daemon").strip() == "active"
    machine.run("systemctl start postgresql")
    print(f"  streaming {streaming(machine):.2f} s after the server is there")


def by_password(machine: Machine) -> None:
    """Over TCP with TLS and the password file in the service's home, as docs/operations.md says."""
    sql(machine, "ALTER ROLE pggit_daemon PASSWORD 'a secret'")
    machine.run(
        "install -m 0600 -o pggit_daemon -g pggit_daemon /dev/stdin /var/lib/pggit-daemon/.pgpass"
        " <<< '*:*:*:pggit_daemon:a secret'"
    )
    machine.run(f"sed -i 's|host=/run/postgresql|host=127.0.0.1 sslmode=require|' {CONFIG}")
    machine.run("systemctl restart pggit-daemon")
    ready(machine)
    encrypted = sql(machine, "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity a USING (pid)" + OURS)
    assert encrypted == "t", encrypted
    assert "a secret" not in machine.run("journalctl -u pggit-daemon --no-pager")
    print("by password over TLS: streaming, and the password is not in the journal")


def upgrade_and_remove(machine: Machine) -> None:
    """The documentation's commands for both; afterwards nothing is left."""
    for line in commands(OPERATIONS, "upgrade"):
        machine.run(line)
    ready(machine)
    for line in commands(OPERATIONS, "remove"):
        machine.run(line)
    left = sql(machine, "SELECT count(*) FROM pg_replication_slots") + sql(
        machine, "SELECT count(*) FROM pg_namespace WHERE nspname ~ 'pggit'"
    )
    assert left == "00", left
    assert sql(machine, "SELECT count(*) FROM ops.migrations") == "1"
    files = machine.run(
        "find / -xdev -name '*pggit*' -not -path \"$HOME/*\" -not -path '/var/log/*' -not -path '/proc/*'"
    )
    assert files == "", files
    print("upgraded and removed: no slot, no schema, no file is left")


def sql(machine: Machine, statement: str) -> str:
    """Run a statement in the database app, as a superuser."""
    return machine.run(f'runuser -u postgres -- psql -X -A -t -q -v ON_ERROR_STOP=1 app -c "{statement}"').strip()


def linked_commit(machine: Machine) -> dict[str, Any]:
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline:
        printed = machine.run("runuser -u pggit_daemon -- pggit-daemon log --json --kind migration")
        commits = json.loads(printed)["commits"]
        if commits:
            return dict(commits[0])
        time.sleep(0.1)
    raise AssertionError("no linked commit: " + machine.run("journalctl -u pggit-daemon -o cat --no-pager | tail -20"))


def ready(machine: Machine) -> float:
    """Wait for /readyz; return the seconds that it took."""
    began = time.monotonic()
    check = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8432/readyz').status)"
    while time.monotonic() < began + SOON:
        if machine.run(f'python3 -c "{check}" 2>/dev/null', check=False).strip() == "200":
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError("not ready: " + machine.run("journalctl -u pggit-daemon -o cat --no-pager | tail -20"))


def streaming(machine: Machine) -> float:
    """Wait until the server says that the slot is read; return the seconds that it took."""
    began = time.monotonic()
    while time.monotonic() < began + SOON:
        if sql(machine, "SELECT active FROM pg_replication_slots") == "t":
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError("not streaming: " + machine.run("journalctl -u pggit-daemon -o cat --no-pager | tail -20"))


def timed(machine: Machine, command: str) -> float:
    began = time.monotonic()
    machine.run(command)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
