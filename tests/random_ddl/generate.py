"""One step of one session: which statements, and in which form they are sent.

In: a family of the grammar, a source of choices, what there is. Out: the text to send, or None. Called by the state
machine. Pure.
"""

from __future__ import annotations

import random

from tests.random_ddl.driver import Action, Kind
from tests.random_ddl.grammar import statements
from tests.random_ddl.live import Live


def step(session: int, family: str, rng: random.Random, live: Live) -> Action | None:
    """A statement of this family in some form: by itself, as one string of several, in a DO block."""
    parts = statements(family, rng, live)
    if not parts:
        return None
    form = rng.random()
    if form < 0.12 and not any("CONCURRENTLY" in part for part in parts):
        text = _block(parts, rng)
    elif len(parts) == 1 and form < 0.2 and "CONCURRENTLY" not in parts[0]:
        more = statements(family, rng, live)
        text = "; ".join(parts + more)
    else:
        text = "; ".join(parts)
    kind = Kind.BARE if rng.random() < 0.1 else Kind.RUN
    return Action(session, kind, text)


def _block(parts: tuple[str, ...], rng: random.Random) -> str:
    """In a DO block: as statements of its own, dynamic, or with an error that a handler catches."""
    body = "; ".join(parts)
    if rng.random() < 0.3:
        return (
            f"DO $do$ BEGIN BEGIN {body}; RAISE EXCEPTION 'back'; EXCEPTION WHEN raise_exception THEN NULL; END;"
            f" {body}; END $do$"
        )
    if rng.random() < 0.5:
        body = "; ".join(f"EXECUTE $sql${part}$sql$" for part in parts)
    return f"DO $do$ BEGIN {body}; END $do$"
