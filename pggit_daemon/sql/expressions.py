"""Expressions that several functions of one file share, written once.

In: the text of a file, in which a line `-- {said} = …` says what `{said}` stands for in the rest of it. Out: the text
as it is run. Pure; called by `__init__.py`. A function of its own would be called by each statement of a user.
"""

from __future__ import annotations

import re

_DEFINED = re.compile(r"^-- (\{[a-z_]+\}) = (.+)$", re.MULTILINE)


def expanded(text: str) -> str:
    """Return the text with its expressions in their places; what a file does not define stays as it is."""
    found = dict(_DEFINED.findall(text))
    text = _DEFINED.sub("", text)
    for word, expression in found.items():
        text = text.replace(word, expression)
    return text
