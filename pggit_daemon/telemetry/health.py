"""How each database is doing: written by the supervisor, read by HTTP, systemd and the metrics.

In: turns of the process's loop (`turned`); of each database its states, signs of life (`beat`) and how far the stream
has been handled (`synced`). Out: answers to "alive?", "ready?", "how far behind?". The process is alive while its loop
turns, whatever its databases are at: to end it for one that hangs would end the others too. Pure: both clocks are
passed in. Each attribute is written whole by one thread, so that readers in others see the old or the new value, never
half of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pggit_daemon.config.redaction import redact

Clock = Callable[[], float]


class State(StrEnum):
    """What a database's task is at. The set is closed: each is a label of `pggit_stream_state`."""

    STARTING = "starting"
    CONNECTING = "connecting"
    BASELINE = "baseline"
    CATCHING_UP = "catching_up"
    STREAMING = "streaming"
    STANDBY = "standby"  # another process holds the slot; this one takes over when it is gone
    FAILED = "failed"  # waiting to try again; the detail says after what
    STOPPED = "stopped"


RUNNING = frozenset({State.CATCHING_UP, State.STREAMING})
_READY = frozenset({State.STREAMING, State.STANDBY})
_BEGUN = RUNNING | _READY | {State.FAILED}

PATIENCE = 5.0
"""Seconds after which the process counts as started, whatever its databases are at."""

NAMED = 5
"""Databases that are fine and get a word each in the summary."""

LONGEST = 1000
"""Characters of the summary."""


class DatabaseHealth:
    """One database. The supervisor's task for it is the only writer."""

    def __init__(self, name: str, *, monotonic: Clock, wall: Clock, stall: Clock) -> None:
        self.name = name
        self._stall = stall
        self._monotonic = monotonic
        self._wall = wall
        self._state = State.STARTING
        self._since = wall()
        self._detail: str | None = None
        self._waits_for: str | None = None
        self._beat_at = monotonic()
        self._synced_until: float | None = None
        self.has_baseline = False

    @property
    def state(self) -> State:
        return self._state

    @state.setter
    def state(self, state: State | str) -> None:
        self.enter(state)

    @property
    def detail(self) -> str | None:
        """Why it is in this state, or what it waits for, without secrets; None when there is nothing to say."""
        return f"waits for {self._waits_for}" if self._waits_for is not None else self._detail

    def enter(self, state: State | str, detail: str | None = None) -> None:
        """Change the state; counts as a sign of life."""
        state = State(state)
        if state is not self._state:
            self._since = self._wall()
        self._state, self._detail = state, redact(detail) if detail else None
        self.beat()

    def waits(self, text: str | None) -> None:
        """Say whom it waits for; None when that is over."""
        self._waits_for = redact(text) if text else None

    @property
    def stall_seconds(self) -> float:
        """The silence after which it is not ready."""
        return self._stall()

    def beat(self) -> None:
        """Give a sign of life. A stream that is followed gives one at least every few seconds."""
        self._beat_at = self._monotonic()

    def synced(self, until: float | None = None) -> None:
        """Say that every transaction up to this time (Unix seconds; default: now) is stored.

        With the commit time after each stored transaction; without an argument when the server says that
        nothing is pending.
        """
        moment = self._wall() if until is None else until
        self._synced_until = max(moment, self._synced_until or 0.0)

    def silence_seconds(self) -> float:
        """Return the seconds since the last sign of life."""
        return max(0.0, self._monotonic() - self._beat_at)

    def lag_seconds(self) -> float | None:
        """Return how old the newest handled moment is; None before the first."""
        return None if self._synced_until is None else max(0.0, self._wall() - self._synced_until)

    def describe(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        lag = self.lag_seconds()
        return {
            "state": self._state.value,
            "state_seconds": round(max(0.0, self._wall() - self._since), 3),
            "detail": self.detail,
            "has_baseline": self.has_baseline,
            "lag_seconds": None if lag is None else round(lag, 3),
            "silence_seconds": round(self.silence_seconds(), 3),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """An answer: yes or no, and the databases that say no."""

    ok: bool
    failing: tuple[str, ...]


class Health:
    """All databases of the process."""

    def __init__(
        self, *, stall_seconds: float = 30.0, monotonic: Clock = time.monotonic, wall: Clock = time.time
    ) -> None:
        self.stall_seconds = stall_seconds
        self._monotonic, self._wall = monotonic, wall
        self._databases: dict[str, DatabaseHealth] = {}
        self._began_at = monotonic()
        self._turned_at: float | None = None

    def turned(self) -> None:
        """Say that the process's loop turned. Called at least once a second."""
        self._turned_at = self._monotonic()

    def database(self, name: str) -> DatabaseHealth:
        """Return the database of this name, new at the first call."""
        found = self._databases.get(name)
        if found is None:
            found = DatabaseHealth(name, monotonic=self._monotonic, wall=self._wall, stall=self._stall)
            self._databases = {**self._databases, name: found}  # replaced whole: readers iterate without a lock
        return found

    def _stall(self) -> float:
        return self.stall_seconds

    def forget(self, name: str) -> None:
        """Drop a database that the configuration no longer has."""
        self._databases = {key: value for key, value in self._databases.items() if key != name}

    def databases(self) -> tuple[DatabaseHealth, ...]:
        return tuple(self._databases.values())

    def alive(self) -> Report:
        """Tell whether the process's loop turned within `stall_seconds`."""
        turned = self._turned_at is not None and self._monotonic() - self._turned_at <= self.stall_seconds
        return Report(ok=turned, failing=())

    def ready(self) -> Report:
        """Tell whether each database streams and is caught up, or stands by for the process that does.

        One that gave no sign of life for `stall_seconds` does neither.
        """
        return self._report(lambda d: d.state in _READY and d.silence_seconds() <= self.stall_seconds)

    def started(self) -> Report:
        """Tell whether each database has begun, or was found unable to: systemd's READY=1.

        A machine must boot without its databases, so nothing is waited for longer than PATIENCE.
        """
        if self._databases and self._monotonic() - self._began_at >= PATIENCE:
            return Report(ok=True, failing=())
        return self._report(lambda d: d.has_baseline or d.state in _BEGUN)

    def summary(self) -> str:
        """Say in one line how all are doing, those that are not ready with the reason: `systemctl status` shows it."""
        databases = self.databases()
        failing = set(self.ready().failing)
        parts = [
            f"{d.name}: {d.state}" + (f" ({d.detail})" if d.detail else "") for d in databases if d.name in failing
        ]
        fine = [d for d in databases if d.name not in failing]
        if len(fine) <= NAMED:
            parts += [f"{d.name}: {d.state}" for d in fine]
        else:
            parts.append(f"{len(fine)} of {len(databases)} databases are ready")
        text = ", ".join(parts)
        return text if len(text) <= LONGEST else text[:LONGEST] + "…"

    def _report(self, good: Callable[[DatabaseHealth], bool]) -> Report:
        failing = tuple(d.name for d in self.databases() if not good(d))
        return Report(ok=bool(self._databases) and not failing, failing=failing)
