"""How far the stream has been handled and stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pggit_daemon.model.lsn import LSN

RESERVE = 32 << 10
"""Bytes beyond `end` that may be acknowledged without storing it: what holds nothing for us, our own writes above all.

So an idle database writes nothing: each of our writes would otherwise be something to acknowledge, and to store.
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the results go: `commit` is the last transaction's commit record, `end` what may be acknowledged.

    `bound`: nothing beyond it was ever acknowledged, so what a slot has confirmed beyond it was never read. None where
    an older version wrote the progress, which kept to no bound. `head` is the newest commit, `chain` the newest that
    later hashes cover.
    """

    commit: LSN
    end: LSN
    head: str | None
    remembered: str
    bound: LSN | None = None
    chain: str | None = None

    @property
    def reserving(self) -> Progress:
        """The same, as it is to be stored while the stream goes on."""
        return replace(self, bound=LSN(self.end.value + RESERVE))

    @property
    def exact(self) -> Progress:
        """The same, as it is to be stored when the stream ends."""
        return replace(self, bound=self.end)
