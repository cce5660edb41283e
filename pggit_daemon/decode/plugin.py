"""What the decoder of an output plugin is, and what ours say to each other by logical messages. Pure.

In: the plugin's records as bytes. Out: the same values whichever plugin wrote them, so that nothing behind
`assembler.py` knows the plugin. `wal2json.py` and `pgoutput.py` are the two; `plugins.py` chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.transaction import Change, UndecodableChange
from pggit_daemon.replication.protocol import Oversize

MESSAGE_PREFIX = "pggit_daemon"
"""What the prefix of our messages begins with; the rest is a secret of the database (`message_prefix`)."""

SYNC = ""
"""What a message says that only asks how far we are: whoever sends it waits for the slot to be acknowledged."""

VERIFY = "verify"
"""What such a message says when somebody has asked for a comparison, too."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit record: where it starts (`lsn`) and ends (`end`), and when it was."""

    xid: int
    lsn: LSN
    end: LSN
    time: datetime


class Decoder(Protocol):
    """Reads the records of one connection, in order: a plugin may tell of a table once and refer to it later.

    A row that does not parse becomes `Unreadable`, never an exception: one odd row must not stop the history of all
    others.
    """

    @property
    def begin(self) -> bytes:
        """How every begin record starts: told apart without parsing, as most transactions are not ours."""

    @property
    def commit(self) -> bytes:
        """How every commit record starts."""

    def read_commit(self, begin: bytes, commit: bytes) -> Commit:
        """Read a commit record with its begin; ProtocolError when it is none, as its position is unknown then."""

    def changes(self, record: bytes, lsn: LSN) -> Sequence[Change]:
        """Read any other record, which lies at `lsn`: none, one or several changes."""

    def oversize(self, large: Oversize) -> Sequence[Change]:
        """What is known of a record that is too large to be read."""

    def undecodable(self, warning: str) -> UndecodableChange | None:
        """The row that a warning of the plugin stands for; None: it is another warning."""


def message_prefix(secret: str) -> str:
    """The prefix of our messages; `pggit_daemon.message_prefix()` says the same.

    Any role may send messages, and of any size. wal2json compares prefixes before it writes anything, so that what is
    sent by who does not know ours never reaches us; pgoutput sends all, and the decoder drops the others unread.
    """
    return f"{MESSAGE_PREFIX}.{hashlib.sha256(f'prefix {secret}'.encode()).hexdigest()[:32]}"
