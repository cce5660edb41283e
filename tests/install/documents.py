"""The commands that the documentation tells people to run.

In: a Markdown text. Out: the lines of its fenced blocks with a mark, as in "```sh install". Pure.
"""

from __future__ import annotations

import re


def commands(text: str, mark: str) -> list[str]:
    """Return the commands of all blocks with this mark, one a line; comments behind them stay."""
    blocks = re.findall(rf"^```sh {mark}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]
