"""What is sent to servers of every encoding."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pggit_daemon.sql
from pggit_daemon.sql import repeatable, steps
from pggit_daemon.sql.expressions import expanded
from pggit_daemon.tools.capture_settings import names_in_capture

RELEASED = {"0002_private_tables.sql"}  # has two other letters in comments, and is never edited again


def test_every_file_is_ascii() -> None:
    """A database in EUC_JP or LATIN1 has no letter of ours that it could not convert."""
    folder = Path(str(files(pggit_daemon.sql)))
    found = [path for path in folder.rglob("*.sql") if path.name not in RELEASED]
    assert len(found) > 50
    assert [path.name for path in found if not path.read_bytes().isascii()] == []


def test_what_init_sends_is_ascii() -> None:
    """Released steps too."""
    assert [file.name for file in (*steps(), *repeatable()) if not file.text.isascii()] == []


def test_each_list_of_names_is_filled_in() -> None:
    """A word in a file that stands for a list is one that the presets answer, and each of those stands somewhere."""
    texts = [path.read_text("utf-8") for path in Path(str(files(pggit_daemon.sql))).rglob("*.sql")]
    words = {word for text in texts for word in re.findall(r"'\{([a-z]+_[a-z_]+)\}'", text)}
    assert words == set(names_in_capture())
    assert [file.name for file in repeatable() for word in words if "'{" + word + "}'" in file.text] == []


def test_a_shared_expression_is_written_once_and_put_in_everywhere() -> None:
    """Promise: the line that says it goes, so that no text of ours is left that a server could not run."""
    text = "-- why\n-- {one} = f(a) + 1\nSELECT {one}, {one}, '{}', {other};\n"
    assert expanded(text) == "-- why\n\nSELECT f(a) + 1, f(a) + 1, '{}', {other};\n"
    [triggers] = [file.text for file in repeatable() if file.name.endswith("07_triggers.sql")]
    assert triggers.count("said := CASE WHEN strpos(stack") == 3
    assert "said := {" not in triggers
