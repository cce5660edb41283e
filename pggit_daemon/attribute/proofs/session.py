"""Proof by session: the trigger of an integrated history table named the backend that wrote the row.

In: a row that names its writer, and the candidates. Out: the statements of exactly that session. What another one ran
under the lock that the writer held may be the tool's as well, which keeps a connection for its rows: the proof by lock
tells. Pure.
"""

from __future__ import annotations

from pggit_daemon.attribute.proofs.base import Candidates, Match, Proof
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.session import SessionKey
from pggit_daemon.tools.source import Source


def of_writer(row: WaitingRow, source: Source, proof: Proof, candidates: Candidates) -> Candidates:
    """Only what the row's writer may have run."""
    writer = row.writer
    if writer is None or (proof.is_writers and source.runs_elsewhere):
        return candidates
    return {
        session: segments
        for session, segments in candidates.items()
        if session == writer or (not proof.is_writers and _under_lock(writer, source, segments[0]))
    }


def by_writer(row: WaitingRow, source: Source, candidates: Candidates) -> Match | None:
    """What the writer ran itself, where nobody else is left."""
    if row.writer is None or source.runs_elsewhere or candidates.keys() != {row.writer}:
        return None
    return Match(row.writer, tuple(candidates[row.writer]), Evidence.SESSION, proven=True)


def _under_lock(writer: SessionKey, source: Source, segment: OpenSegment) -> bool:
    return segment.claims[source.name].group == writer
