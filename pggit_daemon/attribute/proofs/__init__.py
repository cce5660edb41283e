"""The ways to tell which DDL is a tool's, each in a file of its own behind one protocol."""

from __future__ import annotations

from pggit_daemon.attribute.proofs.advisory_lock import AdvisoryLockProof
from pggit_daemon.attribute.proofs.base import Beside, Candidates, Found, Match, Nothing, Others, Proof, Wait
from pggit_daemon.attribute.proofs.lock_row import LockRowProof
from pggit_daemon.attribute.proofs.transaction import TransactionProof
from pggit_daemon.attribute.proofs.window import WindowProof
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.proof import AdvisoryLock, InTransaction, InWindow, LockRow
from pggit_daemon.model.proof import Proof as Offered
from pggit_daemon.tools.source import Source

__all__ = [
    "PROOFS",
    "Beside",
    "Candidates",
    "Found",
    "Match",
    "Nothing",
    "Others",
    "Proof",
    "Wait",
    "may_be_of",
    "proof_of",
]

_BY_OFFER: dict[type[Offered], Proof] = {
    AdvisoryLock: AdvisoryLockProof(),
    LockRow: LockRowProof(),
    InWindow: WindowProof(),
    InTransaction: TransactionProof(),
}

PROOFS: dict[Evidence, Proof] = {proof.evidence: proof for proof in _BY_OFFER.values()}
"""By the evidence that they give."""


def proof_of(source: Source) -> Proof:
    """How DDL outside of a row's own transaction is known as this source's: by the strongest proof that it offers."""
    return _BY_OFFER[source.offers]


def may_be_of(segment: OpenSegment, row: WaitingRow) -> bool:
    """Whether a segment that the row's source claims stands before the row, and may be of the same run."""
    if not segment.stands_before(row.lsn, row.commit_lsn):
        return False
    claim = segment.claims.get(row.source)
    return claim is None or PROOFS[claim.evidence].is_of_run(claim, row)
