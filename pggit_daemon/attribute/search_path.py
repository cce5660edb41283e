"""Whose a transaction is by its search_path, where several tools' locks were held.

In: the claims on it. Out: those that are left: a tool that takes a lock puts the schema of its history table first on
the connection that migrates. Called by `opening.py` and `callbacks.py`; pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from pggit_daemon.attribute.claims import Claim, Seen
from pggit_daemon.attribute.proofs import PROOFS
from pggit_daemon.tools.source import Source


def by_search_path(found: dict[str, Claim], sources: Mapping[str, Source], seen: Seen) -> dict[str, Claim]:
    """Of several uncertain claims by locks only the one whose table lies in the session's first schema."""
    open_claims = {name for name, claim in found.items() if PROOFS[claim.evidence].by_lock and not claim.certain}
    first = first_schema(seen.search_path or "")
    fitting = {name for name in open_claims if sources[name].table.schema == first}
    if len(fitting) != 1 or len({found[name].evidence for name in open_claims}) > 1:
        return found
    return {name: claim for name, claim in found.items() if name not in open_claims - fitting}


def first_schema(search_path: str) -> str | None:
    """The first entry of a search_path as the server understands it; None if there is none."""
    text = search_path.strip()
    if text.startswith('"'):
        name, closing, _ = text[1:].replace('""', "\0").partition('"')
        return name.replace("\0", '"') if closing else None
    return text.partition(",")[0].strip().lower() or None
