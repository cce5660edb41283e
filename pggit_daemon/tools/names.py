"""Shell patterns of names, compiled once for all databases. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache


class Names:
    """The names that fit one of the patterns; case counts."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._fits = _fits(tuple(patterns))

    def __contains__(self, name: str) -> bool:
        return self._fits is not None and self._fits.match(name) is not None


@cache
def _fits(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(fnmatch.translate, patterns))) if patterns else None
