"""The oracle in full: `python -m tests.bench.oracle`.

Tree and catalog are compared after every migration, and pg_dump is asked at ten moments of each small script too.
Prints the figures at the end; with `PGGIT_ORACLE_FIGURES=FILE` they are written as JSON too.
"""

from __future__ import annotations

import os
import subprocess
import sys

if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", "tests/acceptance/oracle"]
    sys.exit(subprocess.run(command, check=False, env={**os.environ, "PGGIT_ORACLE": "full"}).returncode)
