"""A fresh Debian 13 with systemd as its first process, in a container of systemd-nspawn.

In: a folder for its files. Out: a booted machine whose commands are run as root. It shares the network of this machine,
and what pip is configured with here; nothing of it is left when the `with` block ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

SUITE = "trixie"
BOOT_TIMEOUT = 60.0  # seconds
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class CommandFailed(AssertionError):
    """A command ended with another code than 0; the message has what it printed."""


class Machine:
    """`with Machine(folder) as machine: machine.run("…")`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "machine"
        self._base = folder / "base"
        self._log = folder / "boot.log"
        self._leader = 0
        self._nspawn: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise SystemExit("a machine of its own takes root's rights")
        self._make_base()
        self._remove()
        subprocess.run(["cp", "-a", self._base, self.root], check=True)
        (self.root / "dev" / "shm").mkdir(mode=0o1777, exist_ok=True)
        (self.root / "dev" / "shm").chmod(0o1777)
        self._share_registry()
        try:
            self._boot()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._nspawn is not None
        self._nspawn.terminate()  # an orderly power-off
        try:
            self._nspawn.wait(60)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._remove()

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a line as root's shell would, in the folder of the clone; return what it printed on stdout."""
        inside = f"export HOME=~root; cd ~/pggit-daemon 2>/dev/null; {command}"
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        done = subprocess.run(
            ["nsenter", f"--target={self._leader}", "-m", "-u", "-i", "-p", "-C", "-r", "-w", "bash", "-c", inside],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if check and done.returncode != 0:
            raise CommandFailed(f"{command}\nended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    def _make_base(self) -> None:
        """Install Debian once; written last, a mark says that it is whole."""
        whole = self._base.with_suffix(".whole")
        if whole.exists():
            return
        shutil.rmtree(self._base, ignore_errors=True)
        self._base.parent.mkdir(parents=True, exist_ok=True)
        packages = "--include=systemd-sysv,dbus,ca-certificates"
        subprocess.run(["debootstrap", "--variant=minbase", packages, SUITE, self._base], check=True, stdout=2)
        whole.touch()

    def _share_registry(self) -> None:
        """Let pip find its registry as it does here: what it is configured with, and the certificates it trusts."""
        for path in (Path("/etc/pip.conf"), Path(_CERTIFICATES)):
            if path.exists():
                shutil.copy(path, self.root / path.relative_to("/"))

    def _boot(self) -> None:
        command = ["systemd-nspawn", "--quiet", "--boot", "--directory", str(self.root)]
        command += ["--machine=pggit-install", "--register=no", "--keep-unit", "--console=pipe"]
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + BOOT_TIMEOUT
        while time.monotonic() < deadline:
            with contextlib.suppress(CommandFailed, ValueError, OSError):
                children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
                self._leader = int(children[0]) if children else 0
                if self._leader and self.run("systemctl is-system-running", check=False).strip() == "running":
                    return
            time.sleep(0.2)
        self._nspawn.kill()
        raise SystemExit(f"the machine did not boot:\n{self._log.read_text(errors='replace')[-3000:]}")

    def _remove(self) -> None:
        subprocess.run(["rm", "-rf", "--one-file-system", self.root], check=True)
