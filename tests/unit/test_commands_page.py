"""README and docs/operations.md say what the commands take and print; no page names SQL that is not there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from typer.main import get_command

from pggit_daemon.cli import status
from pggit_daemon.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAM = get_command(app)


def commands() -> dict[str, list[list[str]]]:
    """Every command with its options, each in all its forms; groups are spelt out: `tools list`."""
    found = {}
    for name, command in PROGRAM.commands.items():  # type: ignore[attr-defined]
        for own, leaf in getattr(command, "commands", {"": command}).items():
            options = [parameter.opts for parameter in leaf.params if parameter.opts[0].startswith("-")]
            found[f"{name} {own}".strip()] = options
    return found


@pytest.mark.parametrize("command", sorted(commands()))
def test_each_command_and_option_is_documented(command: str) -> None:
    assert re.search(rf"`{command}[ `]", README), f"{command} has no row in README.md"
    text = README + OPERATIONS
    missing = [
        forms
        for forms in commands()[command]
        if not any(f"{form} " in text or f"{form}`" in text or f"{form}]" in text for form in forms)
    ]
    assert missing == []


def test_each_row_of_status_is_explained() -> None:
    """Rows are named in the code in one list; docs/operations.md has a table of them."""
    text = inspect.getsource(status).split("print_table(")[0]
    printed = set(re.findall(r'^ {12,16}\(?"([a-z ]+)", ', text, re.MULTILINE))
    printed |= set(re.findall(r'^ {16}"([a-z ]+)",$', text, re.MULTILINE))
    part = OPERATIONS[OPERATIONS.index("`pggit-daemon status` prints") :].split("\n\n  and then")[0]
    rows = set(re.findall(r"^\| ([a-z ]+) \|", part, re.MULTILINE)) - {"row"}
    assert len(printed) > 10
    assert rows == printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_function_and_table_that_a_page_names_exists(page: Path) -> None:
    sql = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pggit_daemon" / "sql").rglob("*.sql"))
    named = set(re.findall(r"\b(pggit(?:_daemon)?\.[a-z_]{3,})\b(?!\.\w)", page.read_text(encoding="utf-8")))
    made = set(
        re.findall(r"CREATE (?:OR REPLACE )?(?:FUNCTION|VIEW|TABLE|TYPE|SEQUENCE)(?: IF NOT EXISTS)? ([a-z_.]+)", sql)
    )
    assert named - made == set()
