"""What the capture looks for: locks that tools hold, their application names, the columns of their history tables.

In: the presets, and the tables that are followed. Out: the parameters of the store's `put_tools`, and the names that
stand in the capture itself. Pure. Called by `init`, which knows no table yet, by `sql/` and by the daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pggit_daemon.model.proof import Holder
from pggit_daemon.model.transaction import TableName
from pggit_daemon.tools.preset import Preset, packaged
from pggit_daemon.tools.source import Source


def capture_settings(
    presets: Mapping[str, Preset], database: str | None = None, sources: Iterable[Source] = ()
) -> dict[str, Any]:
    """Locks as [classid, objid (0: any), objsubid]; a key that is made of the database's name only with `database`.

    `watch`: whether a tool holds a lock whose history table the capture does not know by its name.
    """
    sources = tuple(sources)
    tables: dict[str, list[TableName]] = {}
    for source in sources:
        tables.setdefault(source.preset_name, []).append(source.table)
    locks: set[tuple[int, int, int]] = set()
    # Of tools that run DDL on several connections.
    hints = [preset.session for preset in presets.values()]
    applications = {one.usual_application_name for one in hints if one.callbacks and one.usual_application_name}
    for stem, preset, advisory in (
        (stem, one, advisory) for stem, one in presets.items() for advisory in one.advisories
    ):
        if advisory.holder is Holder.OWN:
            continue  # the capture records what the session itself holds in any case
        classes = advisory.key.classes()
        if classes is not None and not advisory.key.is_fixed:
            locks |= {(classid, 0, 1) for classid in classes}
        elif database is not None or "{database}" not in advisory.key.of:
            usual = TableName("public", preset.table.name or "")
            locks |= {advisory.key.of_table(database or "", one) for one in (*tables.get(stem, ()), usual)}
    # A tool that runs each script in a session of its own: that is known by having no sibling.
    applications |= {one.preset.session.usual_application_name or "" for one in sources if one.is_run_by_children}
    shapes = {
        stem: {"tool": preset.tool, "columns": list(preset.columns), "keyed": bool(preset.table.key)}
        for stem, preset in presets.items()
    }
    return {
        "locks": [list(lock) for lock in sorted(locks)],
        "applications": sorted(applications),
        "shapes": shapes,
        "watch": any(one.preset.advisories or one.is_run_by_children or one.preset.company for one in sources)
        or any(preset.advisories and preset.table.name not in usual_histories() for preset in presets.values()),
    }


def usual_histories() -> frozenset[str]:
    """Usual names of the history tables of tools with an advisory lock, as the capture knows them before the daemon."""
    return frozenset(
        preset.table.name for _stem, preset in packaged() if preset.advisories and preset.table.name is not None
    )


@cache
def names_in_capture() -> dict[str, frozenset[str]]:
    """The lists of names that stand in the capture's functions, by the word that stands for each in their text.

    `locking_histories` and `locking_columns`: of history tables of tools with an advisory lock, their usual names and
    the columns that nobody else has. `locked_tables`: regular expressions for the tables that tools lock by LOCK TABLE.
    """
    presets = [preset for _stem, preset in packaged()]
    return {
        "locking_histories": usual_histories(),
        "locking_columns": frozenset(
            column for preset in presets if preset.advisories for column in preset.table.distinctive
        ),
        "locked_tables": frozenset(
            f"{preset.company.lock_table.removeprefix('{table}')}$" for preset in presets if preset.company is not None
        ),
    }
