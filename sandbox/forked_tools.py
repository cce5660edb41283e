"""Runs of migration tools written in Python: each a process of its own, forked from one that has imported the tool.

In: the tool's interpreter, what it imports at each start, and how it is called: `-m MODULE WORDS…` or `-c CODE WORDS…`.
Out: exit code and output. The imports are four fifths of a run; the process that has made them is one for each tool,
and ends with whoever asked first. Called by `tools/python_tools.py`; `python -m sandbox.forked_tools MODULE… FD` is the
server itself, run by the tool's interpreter, so this imports nothing that is not in the standard library.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sandbox.fork_server import end_at_once, run, serve


def run_python(
    python: Path,
    imports: tuple[str, ...],
    *words: str,
    folder: Path,
    environment: Mapping[str, str],
    answer: str,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Run it as `python WORDS` does, in this folder, with `answer` to read; raises `subprocess.TimeoutExpired`."""
    server = (str(python), "-m", "sandbox.forked_tools", *imports)
    return run(
        words, environment=environment, folder=folder, server=server, answer=answer, merged=True, timeout=timeout
    )


# ---------------------------------------------------------------------- inside the server


def _run(words: list[str]) -> None:
    """Do what the interpreter does with these words."""
    how, what, *rest = words
    sys.path[0] = str(Path.cwd()) if how == "-m" else ""
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    importlib.invalidate_caches()
    sys.argv = [how, *rest]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  # as `python -c` does


def _main() -> None:
    for name in sys.argv[1:-1]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the children share these pages
    with socket.socket(fileno=int(sys.argv[-1])) as connection:
        words = serve(connection)
    if words is not None:
        end_at_once(lambda: _run(words))


if __name__ == "__main__":
    _main()
