"""`python -m sandbox.tools` fetches the tools that install in seconds, with `all` also the others."""

import os
import sys

from sandbox.tools.fetch import fetch_all

os.nice(5)
sys.exit(fetch_all(built="all" in sys.argv[1:]))
