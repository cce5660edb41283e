"""What is stored next: planned steps, with what attribution says of them.

In: the steps of changesets in commit order, and outcomes. Out: steps in which each commit that is not stored yet has
the kind that it has by now; what is said of earlier ones stands in the step of the transaction that brought it.
Mutable; owned by `pipeline.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pggit_daemon.model.changeset import Changeset
from pggit_daemon.model.decision import Attribution, Outcome
from pggit_daemon.versioning.plan import Step


@dataclass(slots=True)
class Recording:
    """`events`: the rows of the outbox that the steps handle."""

    steps: list[Step] = field(default_factory=list)
    changesets: list[Changeset] = field(default_factory=list)
    events: set[int] = field(default_factory=set)
    _places: dict[str, int] = field(default_factory=dict)

    def add(self, steps: Iterable[Step], outcome: Outcome) -> None:
        """Steps that belong together, the last of which holds what is not a commit."""
        for step in steps:
            if step.commit is not None:
                self._places[step.commit.hash] = len(self.steps)
            self.steps.append(step)
            self.events.update(step.events)
        earlier = tuple(attribution for attribution in outcome.attributions if not self._put_into_commit(attribution))
        if not (earlier or outcome.links or outcome.facts):
            return
        last = self.steps[-1]
        self.steps[-1] = replace(
            last,
            links=(*last.links, *outcome.links),
            attributions=(*last.attributions, *earlier),
            facts=(*last.facts, *outcome.facts),
        )

    def _put_into_commit(self, attribution: Attribution) -> bool:
        """Put it into a commit that is not stored yet, if it is one of those."""
        place = self._places.get(attribution.commit)
        step = self.steps[place] if place is not None else None
        if place is None or step is None or step.commit is None:
            return False
        base = {name: value for name, value in step.commit.metadata.items() if name not in _ATTRIBUTED}
        commit = replace(
            step.commit, kind=attribution.kind, message=attribution.message, metadata={**base, **attribution.metadata}
        )
        self.steps[place] = replace(step, commit=commit)
        return True


_ATTRIBUTED = {"source", "tool", "evidence", "migration_id", "version", "part", "migrations", "orphan", "claimed_by"}
"""What attribution says in the metadata; the rest is content."""
