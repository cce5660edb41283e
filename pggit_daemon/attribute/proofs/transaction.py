"""Proof by transaction: the row and its statements were committed together, and their order tells whose they are.

In: the rows of a transaction, and a segment of it. Out: the row that takes the segment. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pggit_daemon.attribute.claims import Claim, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import Beside, Candidates, Found, Nothing, Proof
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.lsn import LSN
from pggit_daemon.tools.source import Source


class TransactionProof(Proof):
    """For sources whose rows share a transaction with their DDL: nothing outside of it is theirs."""

    evidence = Evidence.TRANSACTION

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:  # noqa: ARG002  # the protocol
        return None

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:  # noqa: ARG002
        return False

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, beside: Beside) -> Found:  # noqa: ARG002
        return Nothing()


def taker(rows: Sequence[WaitingRow], statement: LSN, sources: Mapping[str, Source]) -> WaitingRow | None:
    """Which row of the transaction a statement belongs to: one that says since when, a lone one, or the next.

    A lone row takes what stands behind it only where its tool writes rows first, too.
    """
    bounded = [row for row in rows if row.since is not None]
    inside = [row for row in bounded if row.since is not None and row.since <= statement < row.lsn]
    if inside:
        return inside[0]
    others = [row for row in rows if row not in bounded]
    is_only = len(others) == 1 and not sources[others[0].source].takes_before
    after = others if is_only else [row for row in others if row.lsn > statement]
    return after[0] if after else None
