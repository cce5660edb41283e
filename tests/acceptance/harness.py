"""The daemon as a real process, for the acceptance tests: see `sandbox/daemon.py`."""

from sandbox.daemon import Daemon, DaemonFailed, pggit

__all__ = ["Daemon", "DaemonFailed", "pggit"]
