"""docs/tools.md says what the presets say, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pggit_daemon.model.meaning import Meaning
from pggit_daemon.model.proof import Place
from pggit_daemon.tools.preset import packaged, parse

PAGE = (Path(__file__).parents[2] / "docs" / "tools.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", PAGE, re.MULTILINE))
_WORDS = {"advisory_lock": "advisory lock", "lock_row": "lock row"}


def test_every_preset_has_its_row() -> None:
    assert list(ROWS) == sorted(stem for stem, _ in packaged())


@pytest.mark.parametrize("stem", [stem for stem, _ in packaged()])
def test_a_row_says_what_the_preset_says(stem: str) -> None:
    preset = dict(packaged())[stem]
    table, model, proofs, exact, integrated = ROWS[stem].split(" | ")
    assert table == f"`{preset.table.name}`"
    assert model == preset.model
    assert proofs == ", ".join(dict.fromkeys(_WORDS.get(proof.by, proof.by) for proof in preset.proof))
    ways = {proof.by for proof in preset.proof}
    assert not exact.startswith("yes") or "window" not in ways, "what may be guessed is not exact"
    assert integrated == "yes" or preset.place is Place.OTHER_SESSION, "the trigger names the session of the DDL"


def test_the_example_is_a_preset() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    preset = parse(example)
    assert preset.tool == "mine"
    assert len(preset.proof) == 4


def test_the_meanings_that_rules_may_have_are_all_named() -> None:
    [named] = re.findall(r"^Meanings: (.*?)\n\n", PAGE, re.DOTALL | re.MULTILINE)
    used = {rule.means for _, preset in packaged() for rule in (*preset.insert, *preset.update, *preset.delete)}
    assert {meaning.value for meaning in used} <= set(re.findall(r"`(\w+)`", named)) <= set(Meaning)
