"""The recorded schema against the plain model: whatever statements do, it is what the catalog is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.objects import Blob, ObjectEvent, ObjectId, ObjectKey, ObjectOp
from pggit_daemon.versioning.schema import ObjectChange, Operation, Schema
from pggit_daemon.versioning.tree import Leaf, Tree, blob_hash


def key(name: str) -> ObjectKey:
    return ObjectKey("table", "s", f"s.{name}")


def oid(number: int) -> ObjectId:
    return ObjectId(1259, number)


def put(number: int, name: str, text: str = "x") -> ObjectEvent:
    return ObjectEvent(ObjectOp.SET, oid(number), True, key(name), Blob(text, None, ()))  # noqa: FBT003  # direct


def drop(number: int, name: str = "gone") -> ObjectEvent:
    return ObjectEvent(ObjectOp.DROP, oid(number), True, key(name), None)  # noqa: FBT003  # direct


def told(changes: tuple[ObjectChange, ...]) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            change.operation.value,
            change.old_key.identity if change.old_key else None,
            change.key.identity if change.key else None,
        )
        for change in changes
    ]


def test_create_alter_rename_drop() -> None:
    schema = Schema()
    assert told(schema.apply([put(1, "a")])) == [("created", None, "s.a")]
    assert told(schema.apply([put(1, "a", "y")])) == [("altered", "s.a", "s.a")]
    assert told(schema.apply([put(1, "b", "y")])) == [("renamed", "s.a", "s.b")]
    assert told(schema.apply([drop(1)])) == [("dropped", "s.b", None)]
    assert schema.tree.hash == Tree().hash


def test_what_ends_as_it_began_is_no_change() -> None:
    schema = Schema()
    schema.apply([put(1, "a")])
    assert schema.apply([put(1, "a")]) == ()
    assert schema.apply([put(1, "b"), put(1, "a")]) == ()
    assert schema.apply([put(2, "t"), drop(2)]) == ()
    assert schema.apply([drop(99)]) == ()


def test_names_may_be_swapped() -> None:
    schema = Schema()
    schema.apply([put(1, "a"), put(2, "b")])
    changes = schema.apply([put(1, "tmp"), put(2, "a"), put(1, "b")])
    assert told(changes) == [("renamed", "s.b", "s.a"), ("renamed", "s.a", "s.b")]
    assert schema.keys == {oid(1): key("b"), oid(2): key("a")}


def test_drop_and_create_of_a_name_is_a_change() -> None:
    schema = Schema()
    schema.apply([put(1, "a")])
    assert told(schema.apply([drop(1), put(2, "a", "y")])) == [("altered", "s.a", "s.a")]
    assert told(schema.apply([drop(2)])) == [("dropped", "s.a", None)]


def test_an_object_made_anew_without_a_drop_leaves_no_ghost() -> None:
    """ALTER COLUMN TYPE gives each index of the column another id; a later drop names only the newest."""
    schema = Schema()
    assert schema.apply([put(1, "i"), put(2, "i"), drop(2, "i")]) == ()
    assert schema.tree.hash == Tree().hash
    schema.apply([put(1, "i")])
    assert told(schema.apply([put(1, "i", "y"), put(2, "i"), drop(2, "i")])) == [("dropped", "s.i", None)]
    schema.apply([put(1, "i")])
    assert told(schema.apply([put(2, "i"), drop(2, "i")])) == [("dropped", "s.i", None)]
    assert schema.keys == {}


def test_an_object_made_anew_and_renamed_leaves_no_ghost() -> None:
    schema = Schema()
    schema.apply([put(1, "i")])
    schema.apply([put(2, "i"), put(2, "j")])
    assert schema.keys == {oid(2): key("j")}


def test_a_drop_by_an_unknown_id_is_known_by_its_name() -> None:
    """REINDEX CONCURRENTLY gives an index another id, and no event tells of it."""
    schema = Schema()
    schema.apply([put(1, "i"), put(3, "j")])
    assert told(schema.apply([drop(2, "i")])) == [("dropped", "s.i", None)]
    assert schema.apply([drop(4, "j"), put(5, "j")]) == ()
    assert told(schema.apply([put(5, "k"), put(6, "j"), drop(7, "j")])) == [("renamed", "s.j", "s.k")]
    assert schema.keys == {oid(5): key("k")}


def test_a_new_id_of_an_unchanged_object_is_told_for_the_store() -> None:
    """No commit, but the store must know the id: the next drop names it."""
    schema = Schema()
    schema.apply([put(1, "a")])
    assert schema.apply([drop(1), put(2, "a")]) == ()
    assert schema.take_moved() == ((key("a"), oid(2)),)
    assert schema.take_moved() == ()
    assert told(schema.apply([drop(2)])) == [("dropped", "s.a", None)]


def test_a_moved_object_that_changes_before_it_is_told_is_no_longer_moved() -> None:
    schema = Schema()
    schema.apply([put(1, "a")])
    schema.apply([drop(1), put(2, "a")])
    schema.apply([drop(2), put(3, "a", "y")])
    assert schema.take_moved() == ()


def test_an_object_whose_drop_was_missed_gives_way() -> None:
    schema = Schema()
    schema.apply([put(1, "a"), put(2, "b")])
    assert told(schema.apply([put(2, "a")])) == [("renamed", "s.b", "s.a"), ("dropped", "s.a", None)]
    assert schema.keys == {oid(2): key("a")}


def test_a_snapshot_replaces_everything() -> None:
    schema = Schema()
    schema.apply([put(1, "a"), put(2, "b")])
    assert told(schema.replaced([put(2, "b", "y"), put(3, "c")])) == [
        ("dropped", "s.a", None),
        ("altered", "s.b", "s.b"),
        ("created", None, "s.c"),
    ]


STATEMENTS = st.lists(
    st.tuples(
        st.sampled_from(["create", "alter", "drop", "rename", "recreate", "commit"]),
        st.integers(0, 9),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(STATEMENTS)
def test_the_schema_is_what_a_dictionary_says(statements: list[tuple[str, int, int]]) -> None:
    schema = Schema()
    catalog: dict[int, tuple[str, str]] = {}
    events: list[ObjectEvent] = []
    stored: dict[ObjectKey, tuple[ObjectId, bytes]] = {}
    counter = 0
    for what, which, text in [*statements, ("commit", 0, 0)]:
        taken = {name for name, _ in catalog.values()}
        chosen = sorted(catalog)[which % len(catalog)] if catalog else None
        name = "abcde"[which % 5]
        if what == "create" and name not in taken:
            counter += 1
            catalog[counter] = (name, str(text))
            events.append(put(counter, name, str(text)))
        elif what == "alter" and chosen is not None:
            catalog[chosen] = (catalog[chosen][0], str(text))
            events.append(put(chosen, *catalog[chosen]))
        elif what == "drop" and chosen is not None:
            events.append(drop(chosen, catalog.pop(chosen)[0]))
        elif what == "rename" and chosen is not None and name not in taken:
            catalog[chosen] = (name, catalog[chosen][1])
            events.append(put(chosen, *catalog[chosen]))
        elif what == "recreate" and chosen is not None:
            counter += 1
            catalog[counter] = catalog.pop(chosen)
            events += [drop(chosen), put(counter, *catalog[counter])]
        elif what == "commit":
            write(stored, schema, schema.apply(events))
            events = []
            expected = {
                key(name): Leaf(oid(number), blob_hash(Blob(words, None, ())))
                for number, (name, words) in catalog.items()
            }
            assert schema.tree.hash == Tree().changed(expected).hash
            assert schema.keys == {leaf.oid: name_ for name_, leaf in expected.items()}
            assert stored == {name_: (leaf.oid, leaf.blob) for name_, leaf in expected.items()}
            schema = Schema.load({name_: Leaf(*leaf) for name_, leaf in stored.items()})


def write(stored: dict[ObjectKey, tuple[ObjectId, bytes]], schema: Schema, changes: tuple[ObjectChange, ...]) -> None:
    """What the store does: close the old versions, open the new ones, note the new ids."""
    assert len({change.old_key for change in changes if change.old_key}) == sum(1 for c in changes if c.old_key)
    for change in changes:
        if change.old_key is not None:
            del stored[change.old_key]
    for change in changes:
        if change.key is not None and change.digest is not None:
            assert change.key not in stored
            stored[change.key] = (change.oid, change.digest)
        assert (change.operation is Operation.DROPPED) == (change.key is None)
    for name, now in schema.take_moved():
        stored[name] = (now, stored[name][1])
