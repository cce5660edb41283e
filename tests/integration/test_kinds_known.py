"""pg_dump's own list of kinds, read from the program that is installed: each has a row in the table of kinds.

pg_dump names its kinds in `describeDumpableObject` (pg_dump_sort.c), whose texts stand in the program as they are:
`TABLE %s  (ID %d OID %u)`. A newer server whose pg_dump knows a kind that we do not makes this test fail.
"""

from __future__ import annotations

import re

from sandbox.servers import find_server
from tests.integration.kind_table import read_scripts

# Marks in pg_dump's order, not objects.
NO_OBJECTS = {"PRE-DATA BOUNDARY", "POST-DATA BOUNDARY"}
ENOUGH = 40  # kinds that must be found, or the program was not read as meant


def kinds_of_pg_dump() -> set[str]:
    """The kinds that the installed pg_dump knows. A text that ends another one may stand in the program only once."""
    program = (find_server() / "pg_dump").read_bytes()
    names = re.finditer(rb"(?<=\0)([A-Z][A-Z -]*[A-Z])(?: %[su.]+)*[a-z ]*(?:%u)? *\(ID %d", program)
    return {found[1].decode() for found in names}


def test_each_kind_of_the_installed_pg_dump_has_a_row() -> None:
    """What pg_dump can write is in the table, with its tests or with the reason why there is none."""
    known = kinds_of_pg_dump() - NO_OBJECTS
    rows = {name for kind in read_scripts() for name in kind.dumped_as}
    assert len(known) >= ENOUGH, known
    assert sorted(known - rows) == []
