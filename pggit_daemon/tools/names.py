"""Shell patterns of names, compiled. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable


class Names:
    """The names that fit one of the patterns; case counts."""

    def __init__(self, patterns: Iterable[str]) -> None:
        compiled = [fnmatch.translate(pattern) for pattern in patterns]
        self._fits = re.compile("|".join(compiled)).match if compiled else None

    def __contains__(self, name: str) -> bool:
        return self._fits is not None and self._fits(name) is not None
