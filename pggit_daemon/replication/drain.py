"""Messages of the server out of libpq's buffer as frames, and of transactions with nothing in them how many. Pure.

In: what gives the next message, and how begins and commits are told apart. Out: frames. Called by `copy.py` at each
look at the socket.

Nearly all messages of a busy server are a begin, and right behind it its commit. They are told apart and counted by the
loop that takes them, as another one over the same messages costs half as much again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from pggit_daemon.replication import protocol
from pggit_daemon.replication.protocol import Marks

MAX_MESSAGES = 4096  # one look takes no more, so that it cannot hold up the event loop
MAX_BYTES = 4 << 20

Get = Callable[[int], tuple[int, memoryview]]
"""As libpq's PQgetCopyData: the next message with its size, which is 0 where there is none yet, and less at the end."""


@dataclass(slots=True)
class Haul:
    """What one look has found: `messages` of `size` bytes, as `frames`. `is_full`: as they are many, it left some."""

    frames: list[bytes] = field(default_factory=list)
    messages: int = 0
    size: int = 0
    is_full: bool = False


def drain(get: Get, haul: Haul, marks: Marks | None, warnings: list[str]) -> bool:
    """Move complete messages into the haul, up to its limits and one more; whether more may come.

    What `warnings` gains while a message is got came right before it. Whatever `get` raises is raised when all
    before it are in the haul.
    """
    place, begins, commits = (marks.at, marks.begin, marks.commit) if marks else (sys.maxsize, 0, 0)
    begin = last_begin = last_commit = _NONE
    empties, messages, total, size = 0, 0, 0, 1
    frames = haul.frames
    try:
        size, data = get(1)
        while size > 0:
            messages += 1
            total += size
            # Keepalives are shorter than that.
            if size > place and data[place] == begins and not warnings:
                # Nearly always its commit comes next: one turn of the loop takes both.
                begin = data
                size, data = get(1)
                if size > place and data[place] == commits and not warnings:
                    last_begin, last_commit, begin = begin, data, _NONE
                    empties += 1
                    messages += 1
                    total += size
                elif size > 0:
                    _settle(frames, empties, last_begin, last_commit, begin)
                    begin, empties = _NONE, 0
                    continue
                else:
                    break
            else:
                _settle(frames, empties, last_begin, last_commit, begin)
                empties = 0
                frames.extend(map(protocol.warning, warnings))
                warnings.clear()
                frames.append(bytes(data) if size <= protocol.MOST else protocol.shortened(data))
            if messages >= MAX_MESSAGES or total >= MAX_BYTES:
                haul.is_full = True
                break
            size, data = get(1)
    finally:
        _settle(frames, empties, last_begin, last_commit, begin)
        haul.messages += messages
        haul.size += total
    return size >= 0


_NONE = memoryview(b"")


def _settle(frames: list[bytes], empties: int, begin: memoryview, commit: memoryview, last: memoryview) -> None:
    """Put what was held back into its place: transactions with nothing in them, and a begin that no commit followed."""
    if empties:
        frames.append(protocol.passed(empties, begin, commit))
    if last:
        frames.append(bytes(last))
