"""Our own scripts, one for each family of kinds, run statement by statement: every moment is recorded exactly."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.oracle.amount import MOMENTS_OF_SCRIPT, moments_of
from tests.acceptance.oracle.conftest import Watch
from tests.acceptance.oracle.statements import statements
from tests.conftest import NEWER_SYNTAX
from tests.integration import test_describe_round_trip
from tests.integration.describe_oracle import Oracle

SCRIPTS = sorted((Path(test_describe_round_trip.__file__).parent / "describe_scripts").glob("*.sql"))
# PostgreSQL fires no event trigger for what is done to event triggers themselves.
SILENT = re.compile(r"\s*(CREATE|ALTER|DROP|COMMENT ON) EVENT TRIGGER\b", re.IGNORECASE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_statement_of_a_script(oracle: Oracle, watch: Watch, script: Path) -> None:
    """After each statement the recorded tree is the catalog; exports of moments and of the end are what was there."""
    if script.stem.startswith("since_") and oracle.server_version() < int(script.stem.removeprefix("since_")):
        pytest.skip(NEWER_SYNTAX)
    with watch(script.stem) as watched:
        steps = statements(script.read_text(), watched.side.dsn)
        moments = moments_of(len(steps), MOMENTS_OF_SCRIPT)
        with psycopg.connect(watched.side.dsn, autocommit=True) as conn:
            for number, statement in enumerate(steps, start=1):
                conn.execute(statement.encode())
                watched.figures.statements += 1
                if SILENT.match(statement):
                    watched.silent(statement)
                (watched.moment if number in moments else watched.compare)(f"statement {number}: {statement}")
        watched.finish()
        assert watched.figures.unrepeated == 0
