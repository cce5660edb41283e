"""Metrics, health and logging.

In: events that the core counts on `Metrics`, the gauges that `poll` reads from SQL, the states in `Health`.
Out: the text that /metrics serves. All names are defined once, in `metrics.py`; docs/metrics.md describes them.
"""

from pggit_daemon.telemetry.metrics import Metrics

__all__ = ["Metrics"]
