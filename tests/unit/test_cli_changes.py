"""Pairing the versions of both sides, and their diffs."""

from __future__ import annotations

from dataclasses import replace

from pggit_daemon.query.diff import Operation, Version, pair, unified


def version(identity: str, objid: int, definition: str, *, old: bool, kind: str = "table") -> Version:
    return Version(
        old=old,
        type=kind,
        schema_name="public",
        identity=identity,
        classid=1259,
        objid=objid,
        blob=definition,
        definition=definition,
    )


def test_each_operation() -> None:
    """Created, changed, renamed and dropped objects are told apart; what is equal is no change."""
    changes = pair(
        [
            version("public.changed", 1, "a;\n", old=True),
            version("public.changed", 1, "b;\n", old=False),
            version("public.before", 2, "x;\n", old=True),
            version("public.after", 2, "y;\n", old=False),
            version("public.gone", 3, "x;\n", old=True),
            version("public.new", 4, "x;\n", old=False),
            version("public.same", 5, "x;\n", old=True),
            version("public.same", 6, "x;\n", old=False),
        ]
    )
    assert [(c.operation, c.object.identity) for c in changes] == [
        (Operation.RENAMED, "public.after"),
        (Operation.CHANGED, "public.changed"),
        (Operation.DROPPED, "public.gone"),
        (Operation.CREATED, "public.new"),
    ]
    assert changes[0].label == "table public.after (was public.before)"


def test_dropped_and_made_again_is_a_change_not_a_rename() -> None:
    """The name counts before the catalog's identity."""
    (change,) = pair([version("public.t", 1, "a", old=True), version("public.t", 9, "b", old=False)])
    assert change.operation is Operation.CHANGED


def test_swapped_names_are_two_changes() -> None:
    """Two tables that change places keep their names in the report."""
    changes = pair(
        [
            version("public.a", 1, "1", old=True),
            version("public.b", 2, "2", old=True),
            version("public.a", 2, "2", old=False),
            version("public.b", 1, "1", old=False),
        ]
    )
    assert [c.operation for c in changes] == [Operation.CHANGED, Operation.CHANGED]


def test_unified_diff_names_both_sides() -> None:
    """The diff reads like one of git's."""
    (change,) = pair([version("public.t", 1, "a;\nb;\n", old=True), version("public.u", 1, "a;\nc;\n", old=False)])
    assert unified(change, "1a2b3c4", "4f5e6d7") == [
        "--- a/table public.t\t1a2b3c4",
        "+++ b/table public.u\t4f5e6d7",
        "@@ -1,2 +1,2 @@",
        " a;",
        "-b;",
        "+c;",
    ]
    (created,) = pair([version("public.t", 1, "a;\n", old=False)])
    assert unified(created, "1a2b3c4", "4f5e6d7")[:2] == ["--- /dev/null", "+++ b/table public.t\t4f5e6d7"]


def test_a_change_without_a_line_is_explained() -> None:
    """An empty diff would look like a mistake."""
    before = version("public.v", 1, "a;\n", old=True)
    (change,) = pair([before, replace(before, old=False, blob="other")])
    assert len(unified(change, "before", "after")) == 1
    assert "depends on" in unified(change, "before", "after")[0]


def test_an_object_without_a_statement_is_not_said_to_depend_on_a_name() -> None:
    """The schema public of a new database: there is nothing to run for it."""
    (created,) = pair([version("public", 1, "", old=False, kind="schema")])
    assert unified(created, "before", "after") == [" it is as every new database has it: no statement makes it"]
