"""The table of kinds: which statement of each kind of object is tested, read from `kinds/*.sql`.

In: the scripts. Out: `Kind` values for `test_kinds.py`, and the table in `docs/kinds.md`, which
`python -m tests.integration.kind_table` writes anew. A script is one database; its lines are:

    -- kind: NAME                  a row of the table; what follows belongs to it
    -- dumped as: NAME, NAME       the names that pg_dump has for it (`describeDumpableObject`)
    -- prepare                     statements that only lay the ground
    -- VERB: KEY                   statements after each of which the outbox says that KEY is as it left it
    -- VERB (18): KEY              the same, from that version on; older servers must refuse the statement
    -- VERB: KEY by KEY            the server names the second, the first changes with it
    -- VERB: drop KEY              the outbox says that KEY is gone
    -- VERB: indirect KEY          the server names only a part of it
    -- VERB: unseen KEY            no event trigger fires: the daemon finds it by comparing
    -- no VERB: REASON             there is no such statement

A statement ends with a semicolon at the end of a line.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

VERBS = ("created", "altered", "renamed", "dropped", "granted", "commented")
FOLDER = Path(__file__).parent / "kinds"
PAGE = Path(__file__).parents[2] / "docs" / "kinds.md"
BEGIN, END = "<!-- table of kinds: begin -->\n", "<!-- table of kinds: end -->\n"

_HEAD = re.compile(
    r"^-- (?P<verb>[a-z]+)(?: \((?P<since>\d+)\))?: (?:(?P<how>drop|indirect|unseen) )?"
    r"(?P<key>.+?)(?: by (?P<named>.+))?$"
)


@dataclass(frozen=True)
class Step:
    """Statements, and what the outbox must say after each; no verb: they only lay the ground."""

    verb: str | None
    statements: tuple[str, ...]
    since: int = 0
    key: str = ""
    how: str = ""  # drop, indirect or unseen
    named: str | None = None  # what the server names, where it is not the object itself


@dataclass
class Kind:
    """A row of the table."""

    name: str
    script: str
    dumped_as: tuple[str, ...] = ()
    steps: list[Step] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # verb: why there is no such statement

    def cell(self, verb: str) -> list[Step]:
        return [step for step in self.steps if step.verb == verb]


def read_scripts(folder: Path = FOLDER) -> list[Kind]:
    """Return the kinds of all scripts, in their order."""
    return [kind for script in sorted(folder.glob("*.sql")) for kind in read_script(script.name, script.read_text())]


def read_script(name: str, text: str) -> list[Kind]:
    """Return the kinds of one script; ValueError where a line is none of the above."""
    kinds: list[Kind] = []
    for part in re.split(r"^(?=-- )", text, flags=re.MULTILINE):
        head, _, body = part.partition("\n")
        statements = tuple(_statements(body))
        if head.startswith("-- kind: "):
            kinds.append(Kind(head.removeprefix("-- kind: "), name))
        elif head.startswith("-- dumped as: "):
            kinds[-1].dumped_as = tuple(head.removeprefix("-- dumped as: ").split(", "))
        elif head == "-- prepare":
            kinds[-1].steps.append(Step(None, statements))
        elif head.startswith("-- no "):
            verb, _, reason = head.removeprefix("-- no ").partition(": ")
            kinds[-1].missing[verb] = reason
        elif found := _HEAD.match(head):
            since, verb = int(found["since"] or 0), found["verb"]
            if verb not in VERBS or not statements:
                raise ValueError(f"{name}: {head}")
            kinds[-1].steps.append(Step(verb, statements, since, found["key"], found["how"] or "", found["named"]))
        elif head:
            raise ValueError(f"{name}: {head}")
    return kinds


def _statements(body: str) -> Iterator[str]:
    for statement in re.split(r";\n", body):
        if statement.strip():
            yield statement.strip()


def table(kinds: Iterable[Kind]) -> str:
    """Return the table as Markdown: a cell is the number of statements tested, or a dash with its reason below."""
    reasons: dict[str, int] = {}
    lines = [f"| kind | {' | '.join(VERBS)} |", f"|---|{'---|' * len(VERBS)}"]
    for kind in kinds:
        cells = [_cell(kind, verb, reasons) for verb in VERBS]
        lines.append(f"| {kind.name} | {' | '.join(cells)} |")
    lines.append("")
    lines += [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join(lines) + "\n"


def _cell(kind: Kind, verb: str, reasons: dict[str, int]) -> str:
    steps = kind.cell(verb)
    if not steps:
        return f"\N{EN DASH} ({reasons.setdefault(kind.missing[verb], len(reasons) + 1)})"
    parts = []
    for since in sorted({step.since for step in steps}):
        count = sum(len(step.statements) for step in steps if step.since == since)
        parts.append(f"{count} from {since}" if since else str(count))
    compared = " by comparing" if all(step.how == "unseen" for step in steps) else ""
    return ", ".join(parts) + compared


def page_with(text: str, page: str) -> str:
    """Return the page with this table in the place of its own."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + text + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with(table(read_scripts()), PAGE.read_text()))
    sys.stdout.write(f"{PAGE} written\n")
