"""The unit file, the alerting rules and the documentation agree with the code."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from pggit_daemon import errors
from pggit_daemon.telemetry import Metrics
from pggit_daemon.telemetry.health import Health
from tests.install.documents import commands

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "systemd" / "pggit-daemon.service").read_text(encoding="utf-8")
ALERTS = (ROOT / "deploy" / "alerts.yml").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPOSURE = 1.5  # systemd's own score, 0 (nothing exposed) to 10


def test_unit_does_not_restart_what_trying_again_cannot_mend() -> None:
    """Errors of the configuration and of the server's setup must not become a crash loop."""
    given = re.search(r"^RestartPreventExitStatus=(.*)$", UNIT, re.MULTILINE)
    assert given is not None
    assert {int(code) for code in given[1].split()} == {
        errors.ConfigError.exit_code,
        errors.PrerequisiteError.exit_code,
    }


def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    """`verify` finds nothing but the key that is newer than this systemd, `security` little exposure."""
    copy = tmp_path / "pggit-daemon.service"
    runnable = re.sub(r"^Exec(Start|Reload)=\S+", r"Exec\1=/bin/true", UNIT, flags=re.MULTILINE)
    copy.write_text(re.sub(r"^(User|Group)=\S+", r"\1=daemon", runnable, flags=re.MULTILINE))
    verified = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    findings = [line for line in verified.stderr.splitlines() if copy.name in line and "notify-reload" not in line]
    assert (verified.returncode, findings) == (0, [])
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", copy],
        capture_output=True,
        text=True,
        check=False,
    )
    score = re.search(r"exposure level for \S+: ([0-9.]+)", rated.stdout)
    assert score is not None
    assert float(score[1]) <= EXPOSURE


def test_the_readme_installs_in_ten_commands() -> None:
    """`make test-install` runs them; here: not too many, each a line that a shell takes, about files that there are."""
    lines = commands(README, "install")
    assert 0 < len(lines) <= 10
    for line in [*lines, *commands(OPERATIONS, "upgrade"), *commands(OPERATIONS, "remove")]:
        assert subprocess.run(["bash", "-n", "-c", line], check=False).returncode == 0
        for name in re.findall(r"(?<![\w/])(?:systemd|deploy)/[\w.-]+|constraints\.txt", line):
            assert (ROOT / name).exists(), line


def test_one_name_for_user_role_and_configuration() -> None:
    """Peer authentication takes the user of the service for the role of the database: they must be called the same."""
    example = tomllib.loads((ROOT / "config.example.toml").read_text(encoding="utf-8"))
    (user,) = re.findall(r"^User=(\S+)$", UNIT, re.MULTILINE)
    (made,) = re.findall(r"^u (\S+)", (ROOT / "systemd" / "pggit-daemon.sysusers").read_text(), re.MULTILINE)
    (role,) = re.findall(r"--role (\S+)", "\n".join(commands(README, "install")))
    assert f"user={user}" in example["database"][0]["dsn"]
    assert user == made == role
    home = f"/var/lib/{re.findall(r'^StateDirectory=(.+)$', UNIT, re.MULTILINE)[0]}"
    assert f"HOME={home}" in UNIT
    assert home in (ROOT / "systemd" / "pggit-daemon.sysusers").read_text()


@pytest.mark.parametrize("command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_takes_the_rules(command: tuple[str, ...]) -> None:
    """The rules are correct and fire when they should."""
    done = subprocess.run(["promtool", *command], cwd=ROOT / "deploy", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_are_tested_documented_and_about_real_metrics() -> None:
    """No rule about a metric that does not exist; each has a test and a section that says what to do."""
    names = re.findall(r"^ +- alert: (\w+)$", ALERTS, re.MULTILINE)
    assert len(names) == len(set(names)) > 0
    tests = (ROOT / "deploy" / "alerts_test.yml").read_text(encoding="utf-8")
    headings = {
        name for line in OPERATIONS.splitlines() if line.startswith("### ") for name in re.findall(r"\w+", line)
    }
    for name in names:
        assert f"alertname: {name}" in tests
        assert name in headings
    metrics = Metrics()
    metrics.exposition(Health())
    real = {f"{f.name}_total" if f.type == "counter" else f.name for f in metrics.registry.collect()}
    assert set(re.findall(r"pggit_\w+", ALERTS)) <= real


def test_exit_codes_are_the_same_everywhere() -> None:
    """The table of docs/operations.md and the README name the codes that the errors have."""
    codes = {
        cls.exit_code
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, errors.PggitDaemonError)
    }
    documented = {int(code) for code in re.findall(r"^\| (\d) \|", OPERATIONS, re.MULTILINE)}
    assert documented == codes | {0}
    sentence = README[README.index("Exit codes: ") :].split("\n\n")[0]
    assert {int(code) for code in re.findall(r"\s(\d) \w", sentence)} == codes | {0}
