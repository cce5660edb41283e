"""What the record says of the DDL of a tool and of the hands beside it. The truth stands in the objects' names.

In: a database that was followed, and the project that ran. Out: how many changes are linked right, not linked, or
linked wrongly, with the reasons. A change is what one commit did to the objects of one script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import psycopg

from sandbox.tools.project import Project

_CHANGES = """
    SELECT c.id, c.kind, v.type || ' ' || v.identity, c.id = v.from_commit, c.message, c.author
    FROM pggit.commits AS c
    JOIN pggit_daemon.object_version AS v ON c.id IN (v.from_commit, v.to_commit)
    WHERE c.kind <> 'baseline'
    ORDER BY c.id
"""
_LINKS = """
    SELECT l.commit_id, l.objects, l.evidence, m.migration_id, m.version, m.migration_name, m.rollback_of IS NOT NULL
    FROM pggit_daemon.link AS l
    JOIN pggit.external_migrations AS m USING (tool_name, source, migration_id)
    WHERE l.made AND m.source NOT LIKE 'hand%%'
"""
_FINDINGS = "SELECT migration_id, version FROM pggit.validate_migrations() WHERE status = 'unlinked'"


@dataclass(frozen=True, slots=True)
class Link:
    """A migration's hold on a commit; `labels` are the scripts that it is about."""

    labels: frozenset[int]
    objects: frozenset[str] | None
    evidence: str
    undoes: bool

    def has(self, thing: str) -> bool:
        return self.objects is None or thing in self.objects


@dataclass(slots=True)
class Verdict:
    """`kinds` counts what has each evidence."""

    right: int = 0
    unlinked: int = 0
    wrong: int = 0
    findings: int = 0
    hands: int = 0
    problems: list[str] = field(default_factory=list)
    evidence: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.right} right, {self.unlinked} not linked, {self.wrong} wrong"


@dataclass(frozen=True, slots=True)
class _Change:
    """What one commit did to one object; `on`: it made it, otherwise it took it away or changed it."""

    commit: int
    kind: str
    thing: str
    on: bool
    text: str


def judge(dsn: str, project: type[Project]) -> Verdict:
    """Hold the whole record against the names."""
    with psycopg.connect(dsn) as conn:
        changes = [
            _Change(commit, kind, thing, on, f"@{commit} {kind} {author} {message!r}")
            for commit, kind, thing, on, message, author in conn.execute(_CHANGES)
        ]
        links: dict[int, list[Link]] = {}
        for commit, objects, evidence, number, version, name, undoes in conn.execute(_LINKS):
            labels = project.labels(abs(number), version, name)
            link = Link(labels, None if objects is None else frozenset(objects), evidence, undoes)
            links.setdefault(commit, []).append(link)
        findings = len(conn.execute(_FINDINGS).fetchall())
    verdict = Verdict(findings=findings)
    for commit in sorted({one.commit for one in changes}):
        _judge(verdict, [one for one in changes if one.commit == commit], links.get(commit, []))
    return verdict


def _judge(verdict: Verdict, changes: list[_Change], links: list[Link]) -> None:
    """One commit."""
    for maker, mine in _by_maker(changes):
        first = mine[0]
        holding = [link for link in links if any(link.has(one.thing) for one in mine)]
        if maker == "hand":
            verdict.hands += 1
            if holding or first.kind != "out_of_band":
                verdict.wrong += 1
                verdict.problems.append(f"wrong: {first.thing} is a hand's: {first.text}")
        elif maker == "own":
            if holding or first.kind != "tool":
                told = "not as the tool's own" if not holding else "as a migration's"
                verdict.problems.append(f"own: {first.thing} is recorded {told}: {first.text}")
        elif any(maker not in link.labels for link in holding):
            verdict.wrong += 1
            verdict.problems.append(
                f"wrong: {first.thing} is linked to {[sorted(one.labels) for one in holding]}: {first.text}"
            )
        elif holding:
            _right(verdict, mine, holding)
        elif first.kind == "tool" and "no history row followed" not in first.text:
            verdict.wrong += 1
            verdict.problems.append(f"wrong: {first.thing} is taken for the tool's own: {first.text}")
        elif all("_bad" in one.thing for one in mine):
            verdict.right += 1  # what a failure left, of which no row tells
        else:
            verdict.unlinked += 1
            verdict.problems.append(f"not linked: {first.thing}: {first.text}")


def _right(verdict: Verdict, mine: list[_Change], holding: list[Link]) -> None:
    """The migration is the right one; the direction must be, too."""
    ended = all(not one.on for one in mine)
    if any(link.undoes != ended for link in holding):
        verdict.wrong += 1
        verdict.problems.append(f"wrong: {mine[0].thing} is linked to the other way: {mine[0].text}")
        return
    verdict.right += 1
    for link in holding:
        verdict.evidence[link.evidence] = verdict.evidence.get(link.evidence, 0) + 1


def _by_maker(changes: Iterable[_Change]) -> Iterator[tuple[int | str, list[_Change]]]:
    found: dict[int | str, list[_Change]] = {}
    for one in changes:
        match = re.search(r"\bm(\d+)_", one.thing)
        maker: int | str = int(match[1]) if match else "hand" if "hand_" in one.thing else "own"
        found.setdefault(maker, []).append(one)
    return iter(found.items())
