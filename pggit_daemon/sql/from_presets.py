"""Lists of names in the capture's functions that are what the packaged presets say.

In: the text of a file of functions, in which `'{locking_histories}'` (an array's literal) stands for such a list. Out:
the text as it is run. A list is text of the function, and none of its parameters: so a plan has it as a constant. Pure.
"""

from __future__ import annotations

import re

from pggit_daemon.tools.capture_settings import names_in_capture

_PLAIN = re.compile(r"\w+\$?", re.ASCII)


def filled(text: str) -> str:
    """The text with the names that presets have. ValueError for one that would not be safe inside of a literal."""
    for word, names in names_in_capture().items():
        place = "'{" + word + "}'"
        if place not in text:
            continue
        if odd := sorted(name for name in names if not _PLAIN.fullmatch(name)):
            raise ValueError(f"{word}: not a plain name: {', '.join(odd)}")
        text = text.replace(place, "'{" + ",".join(sorted(names)) + "}'")
    return text
