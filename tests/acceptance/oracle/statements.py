"""A script cut into its statements, by psql's own lexer.

In: SQL as one feeds it to psql. Out: the statements in their order, each as psql would send it.

psql knows dollar quotes, BEGIN ATOMIC, nested comments and strings of every form of the installed version. In its
single-step mode it shows each statement and asks before it sends it; the answer here is always no.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from sandbox.servers import find_server

_SHOWN = re.compile(
    r"^[/*]\*+\(Single step mode: verify command\)\*+\n(.*?)\n[/*]\*+\(press return to proceed[^\n]*$",
    re.DOTALL | re.MULTILINE,
)
NO = "x\n"


def statements(script: str, dsn: str) -> list[str]:
    """Return the script's statements; `dsn` is any database of the server: nothing is run in it."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql", encoding="utf-8") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [find_server() / "psql", "-X", "--single-step", "-d", dsn, "-f", file.name],
            input=NO * (script.count(";") + 1),
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": "UTF8"},
        )
    assert not done.stderr, f"psql does not understand the script:\n{done.stderr}"
    return _SHOWN.findall(done.stdout)
