"""Printing: tables for people, one JSON document for programs.

In: values. Out: stdout. Everything that comes from a database is printed as plain text with its control
characters made visible, so that a hostile name can neither style nor steer the terminal.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rich.console import JustifyMethod

_PIPE_WIDTH = 200  # columns where nobody's terminal says how wide it is


BROKEN_PIPE = 141  # 128 + SIGPIPE, as shells report who wrote to a pipe that nobody reads any more


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End as other programs do; rich itself ends with 1, which is a failure."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(BROKEN_PIPE) from None


_MARGIN, _GAP = "  ", "   "  # round a table, and between its columns
_FOLDED = 8  # characters of a text that stay beside each other, however narrow the table


def visible(text: str) -> str:
    """Replace control characters, but for newline and tab, by their escapes."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"} else c.encode("unicode_escape").decode()
        for c in text
    )


def console() -> Console:
    """Return the console on stdout; as wide as a pipe's reader could want where it is no terminal."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return _Console(width=width, highlight=False, markup=False, emoji=False)


def width() -> int:
    """Return the columns that a line may have."""
    return console().width


def print_json(document: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=_plain) + "\n")


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, whole: Collection[str] = ()
) -> None:
    """Print rows under headers, numbers to the right; each row as names and values where the terminal is too narrow.

    `whole`: headers of columns that are not folded, as what stands there is copied into another command.
    """
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    listed = [list(row) for row in rows]
    least = len(_MARGIN)
    for index, header in enumerate(headers):
        cells = [row[index] for row in listed]
        numeric = bool(cells) and all(isinstance(cell, int | float | None) for cell in cells)
        unbroken = numeric or header in whole
        longest = max((len(shown(cell)) for cell in cells), default=0)
        # A number or a heading that is broken in two reads as another, so only text is folded.
        narrow = max(len(header), longest if unbroken else min(longest, _FOLDED))
        least += narrow + len(_GAP)
        justify: JustifyMethod = "right" if numeric else "left"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=unbroken, min_width=narrow)
    if listed and least - len(_GAP) > width():
        for row in listed:
            print_text("")
            print_pairs(zip(headers, row, strict=True))
        return
    for row in listed:
        table.add_row(*(cell if isinstance(cell, Text) else Text(shown(cell)) for cell in row))
    console().print(table)


def print_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other; those without a value are left out."""
    known = [(name, shown(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _value in known), default=0)
    for name, value in known:
        print_text(Text.assemble((f"{name:<{width}}  ", "bold"), value))


def print_text(text: Text | str) -> None:
    """Print text without wrapping it."""
    console().print(text if isinstance(text, Text) else Text(visible(text)), soft_wrap=True)


def print_diff(lines: Iterable[str]) -> None:
    """Print a unified diff: coloured on a terminal, otherwise byte by byte, so that it can be applied."""
    styles = {"+": "green", "-": "red", "@": "cyan"}
    if not sys.stdout.isatty():
        sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))
        return
    for line in lines:
        style = "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], "")
        console().print(Text(visible(line), style=style), soft_wrap=True)


def shown(value: object) -> str:
    """Put a value into a cell: times to the second with their zone, bytes elsewhere by `size`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return visible(str(value)).replace("\n", "⏎")


def moment(text: str | None) -> datetime | str | None:
    """Read a time of the server's JSON, to be shown as every other; what is in no calendar (infinity) stays text."""
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return text


def size(count: float | None) -> str | None:
    """Write a number of bytes in the unit that fits; None stays None."""
    if count is None:
        return None
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1024:  # noqa: PLR2004  (PostgreSQL's kB, too)
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"


def _plain(value: Any) -> Any:  # noqa: ANN401  (json's own signature)
    return value.isoformat() if isinstance(value, datetime) else str(value)
