"""Each model of a history and each proof has one file, and nobody else asks which it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pggit_daemon
from pggit_daemon.model import proof
from pggit_daemon.model.changeset import Evidence
from pggit_daemon.model.history_model import HistoryModel
from pggit_daemon.tools import proof_rules

PACKAGE = Path(pggit_daemon.__file__).parent

HOMES = ("attribute/proofs/", "interpret/models/", "model/proof.py", "model/history_model.py", "tools/proof_rules.py")
"""Where a proof and a model may be told from others."""

KINDS = {
    *(kind.__name__ for kind in proof.Offered.__subclasses__()),
    *(kind.__name__ for kind in proof_rules.Data.__subclasses__() if kind.__name__.endswith("Proof")),
    "AdvisoryLockProof",
}
"""The values of `model/proof.py`, the rules of presets, the classes of `attribute/proofs/`."""

ENUMS = {"Place", "Takes", "HistoryModel"}

ASKED = re.compile(rf"\b(?:{'|'.join(sorted(KINDS | ENUMS))}|Evidence)\b|\.model\b(?!\.)")
"""Without one of these words a text asks nothing: most files need not be parsed."""

OTHER_THINGS = {Evidence.MANUAL, Evidence.NONE, Evidence.BASELINE, Evidence.SNAPSHOT, Evidence.TRANSACTION}
"""Evidence of no claim: what people said, what ran no DDL, what was there before, and what the transaction of a row is
linked by itself."""


def _members(node: ast.AST) -> Iterator[ast.Attribute]:
    """`Name.MEMBER` as it is written, also inside of a set or a tuple."""
    return (one for one in ast.walk(node) if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name))


def _asked_of_member(node: ast.AST) -> bool:
    for one in _members(node):
        assert isinstance(one.value, ast.Name)
        if one.value.id in ENUMS and one.attr.isupper():
            return True
        if one.value.id == "Evidence" and one.attr in Evidence.__members__ and Evidence[one.attr] not in OTHER_THINGS:
            return True
    return False


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def asks_which(text: str) -> list[int]:
    """The lines in which it is asked which proof or model something is."""
    lines = set()
    for node in ast.walk(ast.parse(text if ASKED.search(text) else "")):
        if isinstance(node, ast.Compare):
            of_kind = any(_names(side) & KINDS for side in (node.left, *node.comparators))
            model = any(isinstance(one, ast.Attribute) and one.attr == "model" for one in ast.walk(node))
            words = {
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
            if of_kind or _asked_of_member(node) or (model and words & set(HistoryModel)):
                lines.add(node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            if _names(node.args[1]) & KINDS:
                lines.add(node.lineno)
        elif isinstance(node, ast.match_case):
            if _names(node.pattern) & KINDS or _asked_of_member(node.pattern):
                lines.add(node.pattern.lineno)
        elif isinstance(node, ast.Set | ast.Dict) and _asked_of_member(node):
            lines.add(node.lineno)  # looked up somewhere
    return sorted(lines)


def test_nobody_asks_which_proof_or_model_it_is() -> None:
    """A question about one proof or model has a name, on its class or its value."""
    files = [path for path in PACKAGE.rglob("*.py") if not str(path.relative_to(PACKAGE)).startswith(HOMES)]
    assert len(files) > 150
    found = {
        f"{path.relative_to(PACKAGE)}:{line}" for path in files for line in asks_which(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_who_runs_elsewhere_is_asked_of_the_source() -> None:
    """The place itself is only read where it becomes a property of the source."""
    files = [path for path in PACKAGE.rglob("*.py") if ".is_elsewhere" in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(PACKAGE)) for path in files] == ["tools/source.py"]


@pytest.mark.parametrize(
    "question",
    [
        "source.place is Place.OTHER_SESSION",
        "claim.evidence in {Evidence.LOCK, Evidence.BRACKET}",
        "claim.evidence is not Evidence.WINDOW",
        "isinstance(proof, AdvisoryLock | LockRow)",
        "isinstance(rule, WindowProof)",
        "source.offers is not InTransaction",
        "preset.model == 'state'",
        "preset.model in {'state', 'head'}",
        "preset.model is HistoryModel.ROWS",
        "_BY_LOCK = {Evidence.LOCK, Evidence.BRACKET}",
        "match proof:\n    case InWindow():\n        pass",
        "match claim.evidence:\n    case Evidence.LOCK:\n        pass",
    ],
)
def test_such_a_question_is_found(question: str) -> None:
    assert asks_which(question)


@pytest.mark.parametrize(
    "other",
    [
        "evidence is Evidence.MANUAL",
        "link.evidence is Evidence.TRANSACTION",
        "row.model == 'x'",
        "Match(Evidence.LOCK)",
    ],
)
def test_other_questions_are_free(other: str) -> None:
    assert asks_which(other) == []
