"""What is sent to servers of every encoding."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pggit_daemon.sql
from pggit_daemon.sql import repeatable, steps

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
