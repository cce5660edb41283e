"""An application in JavaScript that stays: its migrations run whenever it is told to, without its start each time.

In: its program (`node/`), the folder with its scripts, its environment. Out: exit code and output of each run. Its
connections are closed at the end of each; after a run that failed it is started anew. It ends with whoever made it.
Called by `node_libraries.py`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

from sandbox.jars import ToolMissing, ToolRun

STAYS = Path(__file__).resolve().parent / "node" / "application.cjs"


class Application:
    """`Application("umzug.js", folder, environment).run("up")`."""

    def __init__(self, program: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the application
        self._codes, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["node", STAYS, str(theirs), program],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs],
            )
        except FileNotFoundError as exc:
            raise ToolMissing("node is not installed; `sandbox/setup.sh node` installs it") from exc
        finally:
            os.close(theirs)
        self._end = weakref.finalize(self, _end, self._process, self._codes)

    def run(self, *words: str, timeout: float) -> ToolRun:
        """Run it once; a run that takes too long ends it."""
        assert self._process.stdin is not None
        start = os.fstat(self._output.fileno()).st_size
        self._process.stdin.write(json.dumps(words).encode() + b"\n")
        self._process.stdin.flush()
        late = not select.select([self._codes], [], [], timeout)[0]
        said = b"" if late else os.read(self._codes, 16)
        if not said or int(said) != 0:
            self._end()
        code = int(said) if said else self._process.returncode or -1
        output = os.pread(self._output.fileno(), 1 << 24, start).decode()
        return ToolRun(code, f"{output}\nnot done after {timeout} s" if late else output)

    @property
    def ended(self) -> bool:
        return not self._end.alive


def _end(process: subprocess.Popen[bytes], codes: int) -> None:
    process.kill()
    process.communicate()
    os.close(codes)
