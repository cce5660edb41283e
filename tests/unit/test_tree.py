"""The tree's hash: of what is in it, however it came there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pggit_daemon.model.objects import Blob, ObjectId, ObjectKey
from pggit_daemon.versioning.tree import Leaf, Tree, blob_hash

KEYS = st.builds(
    ObjectKey,
    st.sampled_from(["table", "view", "index"]),
    st.sampled_from([None, "a", "b"]),
    st.text(max_size=3) | st.integers(0, 600).map(str),
)
LEAVES = st.builds(lambda n: Leaf(ObjectId(1259, n), n.to_bytes(32, "big")), st.integers(0, 3))
TREES = st.dictionaries(KEYS, LEAVES, max_size=12)


@given(TREES, st.randoms())
def test_the_order_of_changes_does_not_matter(leaves: dict[ObjectKey, Leaf], random: object) -> None:
    at_once = Tree().changed(leaves)
    one_by_one = Tree()
    for key in sorted(leaves, key=lambda key: (hash(key), random.random())):  # type: ignore[attr-defined]
        one_by_one = one_by_one.changed({key: leaves[key]})
    assert one_by_one.hash == at_once.hash


@given(TREES, TREES)
def test_hashes_are_equal_where_the_trees_are(one: dict[ObjectKey, Leaf], other: dict[ObjectKey, Leaf]) -> None:
    same = {key: leaf.blob for key, leaf in one.items()} == {key: leaf.blob for key, leaf in other.items()}
    assert (Tree().changed(one).hash == Tree().changed(other).hash) == same


@given(TREES, st.lists(st.tuples(KEYS, st.none() | LEAVES), max_size=12))
def test_a_tree_is_a_dictionary(leaves: dict[ObjectKey, Leaf], changes: list[tuple[ObjectKey, Leaf | None]]) -> None:
    tree, model = Tree().changed(leaves), dict(leaves)
    for key, leaf in changes:
        before = tree.hash
        changed = tree.changed({key: leaf})
        assert tree.hash == before, "a tree is a value"
        tree = changed
        if leaf is None:
            model.pop(key, None)
        else:
            model[key] = leaf
        assert tree.get(key) == leaf
    assert tree.hash == Tree().changed(model).hash
    assert all(tree.get(key) == leaf for key, leaf in model.items())


def test_an_emptied_tree_is_the_empty_tree() -> None:
    key, leaf = ObjectKey("table", "a", "a.t"), Leaf(ObjectId(1, 2), b"x" * 32)
    assert Tree().changed({key: leaf}).changed({key: None}).hash == Tree().hash
    assert Tree().changed({key: None}).hash == Tree().hash


def test_a_changed_leaf_shares_the_rest() -> None:
    keys = [ObjectKey("table", "a", f"a.t{number}") for number in range(50)]
    tree = Tree().changed({key: Leaf(ObjectId(1, 1), b"x" * 32) for key in keys})
    other = ObjectKey("view", "b", "b.v")
    assert tree.changed({other: Leaf(ObjectId(1, 2), b"y" * 32)}).root.children["a"] is tree.root.children["a"]


WORDS = st.text(max_size=3)
BLOBS = st.builds(Blob, WORDS, st.none() | WORDS, st.lists(WORDS, max_size=2).map(tuple))


@given(BLOBS, BLOBS)
def test_blobs_have_one_address(one: Blob, other: Blob) -> None:
    """Nothing moves from one part to its neighbour without another address."""
    assert (blob_hash(one) == blob_hash(other)) == (one == other)
