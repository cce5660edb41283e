"""What a history table held at some moment, and who had left it so.

Of a table with one row and no key the plugin shows no UPDATE; but whoever reads the row reads with it (`xmin`) which
transaction wrote it. So each statement that the capture reads it beside, whoever ran it, and each reading of the
daemon's own proves what one migration left, whatever came after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pggit_daemon.model.lsn import LSN
from pggit_daemon.model.row_text import TextRow


@dataclass(frozen=True, slots=True)
class Held:
    """The one row of a source's table, and the 32-bit number of the transaction that wrote it.

    It was read before `read_at`: after that transaction had committed, so its commit stands before this place.
    """

    source: str
    xid: int
    row: TextRow
    read_at: LSN
