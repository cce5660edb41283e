"""Processes of pggit-daemon without the half second of imports: forked from one that has imported everything.

What every start makes anew is made there, too: presets, commands, patterns.

In: arguments, environment and standard streams. Out: a process like `subprocess.Popen`'s, with its own pid, signals
and exit code. It ends as an interpreter does, but leaves its memory to the kernel. The server is one for each process
that asks, and ends with it.
Called by `daemon.py` and the tests; `python -m sandbox.fork_server FD` is the server itself. `forked_tools.py` has
servers of the same kind for migration tools.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent.parent
STATUS_BYTES = 16  # of an exit code, in decimal
OURS = (sys.executable, "-m", "sandbox.fork_server")
"""The server of pggit-daemon's processes; a server is known by its command."""

_asking = threading.Lock()


class ForkedProcess:
    """A child of the fork server; what is used of `subprocess.Popen` works the same way."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("pggit-daemon", timeout or 0)
            said = os.read(self._status, STATUS_BYTES)
            os.close(self._status)
            self.returncode = int(said) if said else -signal.SIGKILL  # the server is gone, and it with it
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    arguments: Sequence[str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    server: tuple[str, ...] = OURS,
) -> ForkedProcess:
    """Start `pggit-daemon ARGUMENTS` (or what another server makes of them) on these file descriptors."""
    request = {
        "arguments": list(arguments),
        "environment": dict(os.environ if environment is None else environment),
        "folder": str(folder or Path.cwd()),
    }
    reading, writing = os.pipe()
    try:
        with _asking:
            connection = _server(os.getpid(), server)
            socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [stdin, stdout, stderr, writing])
            answer = connection.recv(64)
    finally:
        os.close(writing)
    if not answer:
        raise RuntimeError("the fork server has ended")
    return ForkedProcess(int(answer), reading)


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    server: tuple[str, ...] = OURS,
    answer: str = "",
    merged: bool = False,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with `answer` to read, and return what it printed; `merged`: errors in the output.

    Raises `subprocess.TimeoutExpired` with the output so far, once it has been killed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(answer.encode())
        given.seek(0)
        process = start(
            arguments,
            stdin=given.fileno(),
            stdout=out.fileno(),
            stderr=(out if merged else err).fileno(),
            environment=environment,
            folder=folder,
            server=server,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise subprocess.TimeoutExpired(list(arguments), timeout, _read(out)) from None
        return subprocess.CompletedProcess(list(arguments), code, _read(out).decode(), _read(err).decode())


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@functools.cache
def _server(_owner: int, command: tuple[str, ...]) -> socket.socket:
    """Start the server of this process. A fork of this process (its pid is another) gets one of its own."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [*command, str(theirs.fileno())],
            cwd=HERE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},  # compiling anew takes longer than all imports
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(_end, os.getpid(), ours, process)
    return ours


def _end(owner: int, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Let the server end by itself, as it does when its connection does."""
    if os.getpid() == owner:
        connection.close()
        process.wait()


# ---------------------------------------------------------------------- inside the server


def serve(connection: socket.socket) -> list[str] | None:
    """Fork for each request. Returns in each child, with its arguments; in the server None, at the end."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_signal: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([connection.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ended(statuses)
        if connection.fileno() in ready:
            message, descriptors, _flags, _address = socket.recv_fds(connection, 1 << 16, 4)
            if not message:
                return None
            while not message.endswith(b"\n"):
                message += connection.recv(1 << 16)
            *streams, status = descriptors
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (woken, waker, status, *statuses.values()):
                    os.close(descriptor)
                connection.close()
                return _become(json.loads(message), streams)
            statuses[pid] = status
            for descriptor in streams:
                os.close(descriptor)
            connection.sendall(str(pid).encode())


def _report_ended(statuses: dict[int, int]) -> None:
    """Write the exit codes of the children that have ended to where they are waited for."""
    for pid in list(statuses):
        ended, code = os.waitpid(pid, os.WNOHANG)
        if ended:
            status = statuses.pop(pid)
            with contextlib.suppress(BrokenPipeError):  # nobody waits any more
                os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
            os.close(status)


def _become(request: dict[str, object], streams: list[int]) -> list[str]:
    """Take on what the request says; the arguments come back."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(request["folder"]))
    return arguments


def _import_all() -> None:
    """Import what commands import only when they run, too: otherwise each child would."""
    package = importlib.import_module("pggit_daemon")
    for module in pkgutil.walk_packages(package.__path__, "pggit_daemon."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _make_what_is_always_the_same() -> None:
    """The presets, what a registry makes of them, the commands with their options, and what draws their tables."""
    import typer.main  # noqa: PLC0415
    import typer.rich_utils  # noqa: PLC0415

    from pggit_daemon.cli.main import app  # noqa: PLC0415
    from pggit_daemon.tools.preset import packaged  # noqa: PLC0415
    from pggit_daemon.tools.registry import Registry  # noqa: PLC0415

    Registry(dict(packaged()))  # compiles patterns, which are kept
    typer.main.get_command = functools.cache(typer.main.get_command)  # called anew whenever a program begins
    typer.main.get_command(app)


def end_at_once(main: Callable[[], None]) -> None:
    """Run the program and end as an interpreter does, but leave the memory to the kernel.

    Taking hundreds of modules apart is most of what a short command costs, and copies every page that is shared.
    """
    code: object = 0
    try:
        main()
    except SystemExit as exc:
        code = exc.code
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # what the interpreter calls first
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _main() -> None:
    # Imported here: whoever asks the server needs none of it.
    from pggit_daemon.cli.main import main  # noqa: PLC0415

    _import_all()
    _make_what_is_always_the_same()
    gc.collect()
    gc.freeze()  # the children share these pages
    with socket.socket(fileno=int(sys.argv[-1])) as connection:
        arguments = serve(connection)
    if arguments is not None:
        faulthandler.enable()  # a child that the kernel ends by SIGSEGV says where it was, in its log
        sys.modules["__main__"].__package__ = ""  # the program's name in its messages is the first argument's
        sys.argv = ["pggit-daemon", *arguments]
        end_at_once(main)


if __name__ == "__main__":
    _main()
