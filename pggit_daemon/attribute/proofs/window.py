"""Proof by window: between two rows of the source one session ran DDL, and no other could be it.

In: what the source's hints say of its sessions. Out: a claim that lives until the source's grace is over. Pure.
"""

from __future__ import annotations

from pggit_daemon.attribute.claims import Claim, Group, Seen
from pggit_daemon.attribute.known import Known
from pggit_daemon.attribute.proofs.base import Candidates, Found, Others, after_commit
from pggit_daemon.attribute.row import WaitingRow
from pggit_daemon.attribute.segment import OpenSegment
from pggit_daemon.attribute.sessions import Housekeeper
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.session import Watched
from pggit_daemon.tools.source import Source


class WindowProof:
    evidence = Evidence.WINDOW
    has_siblings = False
    is_timed = True
    is_writers = True

    def claim(self, source: Source, seen: Seen, known: Known) -> Claim | None:
        if source.preset.session.rule_out(seen.session) or not known.may_write(source.name, seen):
            return None
        return Claim(source.name, Evidence.WINDOW, None)

    def goes_on(self, source: Source, group: Group, seen: Seen, known: Known) -> bool:  # noqa: ARG002  # the protocol
        return False

    def keeps_house(self, source: Source, housekeeper: Housekeeper, seen: Seen, known: Known) -> bool:  # noqa: ARG002
        return False

    def may_take(self, row: WaitingRow, segment: OpenSegment) -> bool:  # noqa: ARG002
        return True

    def match(self, row: WaitingRow, source: Source, candidates: Candidates, others: Others) -> Found:  # noqa: ARG002
        return after_commit(row, source, candidates, Evidence.WINDOW)

    def watched(self, claim: Claim, segment: OpenSegment) -> Watched | None:  # noqa: ARG002
        return Watched(segment.session, by_lock=False)
