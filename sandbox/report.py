"""What the demo shows, and whether it is right.

In: a database that the daemon followed, the text of /metrics, and which tools were missing. Out: tables on the
terminal and an exit code: 0 only if every migration has exactly its objects and every change by hand is out of band.
"""

from __future__ import annotations

import psycopg
from rich.console import Console
from rich.table import Table

from sandbox import story
from sandbox.recorded import Commit, Migration, commits, migrations

METRICS = (
    "pggit_up",
    "pggit_commits_total",
    "pggit_links_total",
    "pggit_out_of_band_changes_total",
    "pggit_migrations{",
)


def show(console: Console, dsn: str, metrics: str, missing: frozenset[str]) -> int:
    """Print everything; return the exit code."""
    made, rows = commits(dsn), migrations(dsn)
    by_id = {commit.id: commit for commit in made}
    console.print(_migrations(rows, by_id))
    console.print(_commits(made))
    console.print(_exported(dsn, rows))
    console.print(_metrics(metrics))
    wrong = [*_wrong_links(rows, missing), *_wrong_hands(made)]
    for finding in wrong:
        console.print(f"[bold red]wrong:[/] {finding}")
    if not wrong:
        linked = sum(row.commit_id is not None for row in rows)
        console.print(f"[bold green]Every link is right:[/] {linked} migrations, {len(made)} commits.")
    return 1 if wrong else 0


def _migrations(rows: list[Migration], by_id: dict[int, Commit]) -> Table:
    table = Table("migration", "status", "evidence", "commit", "objects", title="Migrations", title_justify="left")
    for row in sorted(rows, key=lambda row: row.commit_id or 0):
        commit = by_id.get(row.commit_id or 0)
        name = row.name if row.version is None or "::" in row.version else f"{row.version} {row.name}"
        changed = "\n".join(row.changed)
        short = commit.hash[:12] if commit is not None else "[red]none[/]"
        table.add_row(f"{row.tool}:{name}", row.status, row.evidence or "", short, changed)
    return table


def _commits(made: list[Commit]) -> Table:
    table = Table(
        "commit", "kind", "by", "from", "message", title="Commits, in the order of the WAL", title_justify="left"
    )
    for commit in made:
        session = commit.metadata.get("session", {})
        kind = f"[yellow]{commit.kind}[/]" if commit.kind == "out_of_band" else commit.kind
        source = session.get("application_name", "")
        table.add_row(commit.hash[:12], kind, commit.author or "", source, commit.message or "")
    return table


def _exported(dsn: str, rows: list[Migration]) -> Table:
    """The schema as of each migration: how large, and of which commit."""
    table = Table("as of", "lines of SQL", title="The schema as of any migration", title_justify="left")
    with psycopg.connect(dsn) as conn:
        for row in sorted(rows, key=lambda row: row.commit_id or 0):
            found = conn.execute("SELECT pggit_daemon.export_tree(%s)", [row.commit_id]).fetchone()
            text = found[0] if found is not None and found[0] is not None else ""
            table.add_row(f"{row.tool}:{row.version or row.name}", str(len(text.splitlines())))
    return table


def _metrics(text: str) -> Table:
    table = Table("metric", "value", title="Metrics", title_justify="left")
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if line.startswith(METRICS) and float(value) > 0:
            table.add_row(name, value)
    return table


def _wrong_links(rows: list[Migration], missing: frozenset[str]) -> list[str]:
    found = {}
    wrong = []
    for row in rows:
        # Liquibase's version is file, id and author; the story names the id. Flyway's repeatable ones have a name only.
        name = row.name if row.source == story.LIQUIBASE or row.version is None else row.version
        found[row.source, name or ""] = frozenset(row.changed) if row.commit_id is not None else None
        if row.evidence != "none" and row.evidence not in story.EVIDENCE.get(row.source, set()):
            wrong.append(f"{row.source} {name}: evidence {row.evidence}")
    expected = {key: objects for key, objects in story.EXPECTED.items() if key[0] not in missing}
    return wrong + [
        f"{key}: recorded {_shown(found.get(key))}, true is {_shown(expected.get(key))}"
        for key in sorted(expected.keys() | found.keys())
        if found.get(key) != expected.get(key)
    ]


def _wrong_hands(made: list[Commit]) -> list[str]:
    """Whatever ada did by hand, and nothing else, must be out of band and hers."""
    wrong = []
    by_ada = [commit for commit in made if commit.kind == "out_of_band"]
    wrong += [f"out of band, but by {commit.author}: {commit.message}" for commit in by_ada if commit.author != "ada"]
    hers = {name for commit in by_ada for name in commit.changed}
    done = ("table public.by_hand_before", "index shop.by_hand_index", "table shop.orders")
    return wrong + [f"{name} was changed by hand, and is not out of band" for name in done if name not in hers]


def _shown(objects: frozenset[str] | None) -> str:
    return "nothing" if objects is None else ", ".join(sorted(objects)) or "no objects"
