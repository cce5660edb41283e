"""An instruction to the store: the name of an operation and its parameters.

The function `store_NAME` of sql/store does it; `store/writer.py` sends them as one JSON document.
"""

from __future__ import annotations

from typing import Any

Statement = tuple[str, dict[str, Any]]
