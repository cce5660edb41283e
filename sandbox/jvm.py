"""Java programs run to their end: each in a process of its own, or one after the other in a JVM that stays.

In: folders of jars and classes, the class and its arguments. Out: exit code and output. Called by `flyway.py`,
`liquibase.py` and `service.py`.

In the JVM that stays, each run loads the tool's classes anew, so that it meets no static state of an earlier one; its
connections are closed at its end as those of a process are, and runs at the same time have one JVM each. Libraries that
know nothing of the tool stay loaded: so a run takes an eighth of the processor time of a process.
"""

from __future__ import annotations

import atexit
import functools
import os
import struct
import subprocess
import tempfile
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

from sandbox import jars
from sandbox.jars import HERE, ToolFailed, ToolRun, program, publish

# The quick compiler only: these are short runs.
OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# In a JVM that stays; the processes verify the same classes. Soft references would keep the classes of earlier runs.
RESIDENT_OPTIONS = (
    "-Xmx384m",
    "-XX:SoftRefLRUPolicyMSPerMB=1",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)
RUNS = 200  # in one JVM
LIBRARIES = ("checker-qual", "commons-", "jackson-", "jaxb-api", "opencsv", "picocli", "postgresql", "snakeyaml")
"""Jars whose classes stay loaded, by the beginning of their names; all others are a tool's own."""
SOCKETS = "Sockets"  # the driver's `socketFactory` in a JVM that stays


def run_java(place: list[Path], *words: str, resident: bool) -> ToolRun:
    """Run a class (the first of the words, its arguments behind) with all jars of these folders, and their classes."""
    java = program("java")
    if resident:
        return _run_resident(java, place, *words)
    path = ":".join(str(folder) if _holds_classes(folder) else f"{folder}/*" for folder in place)
    done = subprocess.run(
        [java, *OPTIONS, "-cp", path, *words],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ToolRun(done.returncode, done.stdout)


def compiled(*names: str, libraries: Sequence[Path] = ()) -> Path:
    """Return the folder with the classes of these sources, compiled once: doing so at each run takes longer than it."""
    sources = [HERE / "java" / f"{name}.java" for name in names]
    version = zlib.crc32(b"".join(source.read_bytes() for source in sources))
    complete = jars.CACHE / "-".join((*(folder.name for folder in libraries), *names, f"{version:08x}"))
    if not complete.exists():
        jars.CACHE.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{complete.name}.part-", dir=jars.CACHE))
        path = ["-cp", ":".join(f"{folder}/*" for folder in libraries)] if libraries else []
        subprocess.run([program("javac"), *path, "-d", partial, *sources], check=True)
        publish(partial, complete)
    return complete


def _holds_classes(folder: Path) -> bool:
    return any(folder.glob("*.class"))


# ---------------------------------------------------------------------- the JVMs that stay


class _Resident:
    """One JVM; see `java/Resident.java` for what is said to it."""

    def __init__(self, java: str) -> None:
        command = [java, *OPTIONS, *RESIDENT_OPTIONS, "-cp", str(compiled("Resident", "OneRun")), "Resident"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.runs = 0

    def run(self, *words: str) -> ToolRun:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.runs += 1
        self._process.stdin.write(struct.pack(">i", len(words)) + b"".join(_text(word) for word in words))
        self._process.stdin.flush()
        answer = self._process.stdout.read(8)
        if len(answer) < 8:
            raise ToolFailed(f"the JVM ended with {self._process.wait()}")
        code, length = struct.unpack(">ii", answer)
        return ToolRun(code, self._process.stdout.read(length).decode(errors="replace"))

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def _text(word: str) -> bytes:
    """A word as Java's readUTF takes it, which is UTF-8 for all but NUL and what is outside the basic plane."""
    assert all("\0" < letter <= "\uffff" for letter in word), "Java's readUTF takes it in another form"
    return struct.pack(">H", len(word.encode())) + word.encode()


class _Idle:
    """The JVMs that wait for work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Resident] = []

    def take(self, java: str) -> _Resident:
        with self._lock:
            return self._waiting.pop() if self._waiting else _Resident(java)

    def give_back(self, resident: _Resident) -> None:
        if resident.runs >= RUNS:
            resident.end()
            return
        with self._lock:
            self._waiting.append(resident)

    def end(self, owner: int) -> None:
        if os.getpid() != owner:
            return
        while self._waiting:
            self._waiting.pop().end()


@functools.cache
def _idle(owner: int) -> _Idle:
    """Those of this process; a fork of it gets its own."""
    idle = _Idle()
    atexit.register(idle.end, owner)
    return idle


def _run_resident(java: str, place: list[Path], *words: str) -> ToolRun:
    parts = [part for folder in place for part in _parts(folder)]
    libraries = [part for part in parts if Path(part).name.startswith(LIBRARIES)]
    own = [part for part in parts if part not in libraries]
    idle = _idle(os.getpid())
    resident = idle.take(java)
    try:
        done = resident.run(":".join([*libraries, *_parts(compiled(SOCKETS))]), ":".join(own), *words)
    except BaseException:
        resident.end()
        raise
    idle.give_back(resident)
    return done


def _parts(folder: Path) -> list[str]:
    """A folder of classes ends with a slash for a class loader; of a folder of jars it takes each."""
    return [f"{folder}/"] if _holds_classes(folder) else sorted(map(str, folder.glob("*.jar")))
