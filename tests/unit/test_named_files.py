"""What docs, comments and docstrings say of the code: every file that they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pggit_daemon"
NAMED = re.compile(r"(?<![\w./-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.(?:py|sql))\b(?![.(])")
IMPORT = re.compile(r"^(?:from|import) .*$", re.MULTILINE)
ELSEWHERE = {"runtime/migration.py", "folder/file.sql"}  # Alembic's own, an example
TEXTS = [
    *sorted(PACKAGE.rglob("*.py")),
    *(
        path for path in sorted(PACKAGE.rglob("*.sql")) if path.parent.name != "steps"
    ),  # a step stays as it was released
    *sorted(PACKAGE.rglob("*.toml")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
]
TESTS = {path.name for path in (ROOT / "tests").rglob("*.py")}


def missing(text: str, folder: Path) -> list[str]:
    """The files that a text of a folder names, and that are not where it may mean them."""
    named = {name for name in NAMED.findall(IMPORT.sub("", text)) if not name.startswith(("pggit_daemon.", "psycopg."))}
    places = (ROOT, PACKAGE, PACKAGE / "sql", folder)
    return sorted(
        name for name in named - ELSEWHERE if name not in TESTS and not any((place / name).exists() for place in places)
    )


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_named_file_exists(path: Path) -> None:
    assert missing(path.read_text(), path.parent) == []


def test_a_file_that_was_moved_is_found() -> None:
    text = "Called by `cli/gone.py`, see sql/capture/99_gone.sql and `pipeline.py`."
    assert missing(text, PACKAGE) == ["cli/gone.py", "sql/capture/99_gone.sql"]


def test_the_map_of_the_code_has_every_folder() -> None:
    """docs/architecture.md says of each folder what goes in and what comes out."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"sql"}
    folders |= {f"sql/{path.name}" for path in (PACKAGE / "sql").iterdir() if path.is_dir()} - {"sql/__pycache__"}
    assert {folder for folder in folders if not re.search(rf"^\| .*`{folder}[/`]", text, re.MULTILINE)} == set()
