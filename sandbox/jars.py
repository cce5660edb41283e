"""The Java tools' jars: fetched once with Maven, kept in `.cache/java/` of the checkout.

In: a tool's name and version, and the pom of the tool in `sandbox/java/`.
Out: a folder of jars. Called by `flyway.py`, `liquibase.py` and `service.py`; `python -m sandbox.fetch` fetches all.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / ".cache" / "java"

FLYWAY_VERSIONS = ("13.7.0", "11.20.0")
LIQUIBASE_VERSION = "4.33.0"
HIKARI_VERSION = "6.2.1"


class ToolMissing(Exception):
    """Java or Maven is not installed, or the jars cannot be fetched; the message says what to do."""


class ToolFailed(Exception):
    """A tool ended with an error where success was expected; the message carries its output."""


@dataclass(frozen=True)
class ToolRun:
    """How one run of a tool ended. `output` is what it printed, errors included."""

    exit_code: int
    output: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0

    def check(self) -> ToolRun:
        """Return itself, or raise ToolFailed where the run failed."""
        if not self.ok:
            raise ToolFailed(f"exit code {self.exit_code}:\n{self.output}")
        return self


def jars(tool: str, version: str) -> Path:
    """Return the folder with the tool's jars, fetching them if they are not there yet."""
    # The pom is part of the name: after a change of it the old jars do not count.
    pom = zlib.crc32((HERE / "java" / tool / "pom.xml").read_bytes())
    complete = CACHE / f"{tool}-{version}-{pom:08x}"
    if complete.exists():
        return complete
    CACHE.mkdir(parents=True, exist_ok=True)
    # Fetched beside it and renamed when all is there: what a broken download leaves never counts.
    partial = Path(tempfile.mkdtemp(prefix=f"{complete.name}.part-", dir=CACHE))
    try:
        _fetch(tool, version, partial)
        publish(partial, complete)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return complete


def publish(partial: Path, complete: Path) -> None:
    """Give a folder its name, now that all is there."""
    partial.chmod(0o755)
    try:
        partial.rename(complete)
    except OSError:
        if not complete.exists():  # otherwise another process was quicker
            raise
        shutil.rmtree(partial, ignore_errors=True)


def program(name: str) -> str:
    """Return the path of `java`, `javac` or `mvn`. Java must be a JDK: the launcher is compiled here."""
    found = shutil.which(name)
    if not found or (name == "java" and not shutil.which("javac")):
        package = "maven" if name == "mvn" else "default-jdk-headless"
        raise ToolMissing(f"{name} is not installed; on Debian and Ubuntu: apt-get install {package}")
    return found


def jdbc(dsn: str, **properties: str) -> tuple[str, str, str]:
    """Turn a libpq connection string into JDBC's URL, user and password."""
    parts = conninfo_to_dict(dsn)
    query = "&".join(f"{key}={value}" for key, value in properties.items())
    url = f"jdbc:postgresql://{parts['host']}:{parts['port']}/{parts['dbname']}" + (f"?{query}" if query else "")
    return url, str(parts.get("user", "postgres")), str(parts.get("password", ""))


def _fetch(tool: str, version: str, folder: Path) -> None:
    program("java")
    pom = str(HERE / "java" / tool / "pom.xml")
    maven = [program("mvn"), "-q", "-B", "-f", pom, "dependency:copy-dependencies"]
    done = subprocess.run(
        [*maven, f"-D{tool}.version={version}", f"-DoutputDirectory={folder}"],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0 or not any(folder.glob(f"*-{version}.jar")):
        raise ToolMissing(f"Maven could not fetch {tool} {version}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
