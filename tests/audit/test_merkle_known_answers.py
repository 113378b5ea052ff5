"""Trees and proofs equal those of Certificate Transparency, and of another implementation."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from streams.audit import merkle

LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""Inputs of the test vectors of the certificate-transparency project (merkle_tree_test.cc)."""

ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
INCLUSION = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
CONSISTENCY = {
    (1, 1): (),
    (1, 8): INCLUSION[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}

HASHES = [merkle.leaf(data) for data in LEAVES]
SIZES = st.integers(1, 40)


def hashes(count: int) -> list[bytes]:
    """Leaf hashes of the numbers from 0 on."""
    return [merkle.leaf(b"%d" % number) for number in range(count)]


def oracle(count: int) -> InmemoryTree:
    """The same tree, built by pymerkle."""
    tree = InmemoryTree(algorithm="sha256")
    for number in range(count):
        tree.append_entry(b"%d" % number)
    return tree


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size):
    """Of every size, grown leaf by leaf."""
    assert merkle.tree_hash(HASHES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_paths_are_those_of_certificate_transparency(index, size):
    """And they hold."""
    path = merkle.inclusion_path(HASHES[:size], index)
    assert tuple(step.hex() for step in path) == INCLUSION[index, size]
    assert merkle.included(HASHES[index], index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_paths_are_those_of_certificate_transparency(old, size):
    """And they hold."""
    path = merkle.consistency_path(HASHES[:size], old)
    assert tuple(step.hex() for step in path) == CONSISTENCY[old, size]
    assert merkle.consistent(old, size, *map(bytes.fromhex, (ROOTS[old], ROOTS[size])), path)


@settings(max_examples=60, deadline=None)
@given(st.data(), SIZES)
def test_roots_and_paths_are_those_of_pymerkle(data, size):
    """Its path of a leaf begins with the leaf itself, which ours leaves out."""
    index = data.draw(st.integers(0, size - 1))
    tree, leaves = oracle(size), hashes(size)
    assert tree.get_root() == merkle.tree_hash(leaves)
    path = tree.prove_inclusion(index + 1, size).serialize()["path"]
    assert [step.hex() for step in merkle.inclusion_path(leaves, index)] == path[1:]


@settings(max_examples=60, deadline=None)
@given(st.data(), SIZES)
def test_every_proof_holds_and_only_for_what_it_proves(data, size):
    """Another index, leaf or root, or a step more or less, and it does not."""
    leaves = hashes(size)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.tree_hash(leaves)
    path = merkle.inclusion_path(leaves, index)
    hashed = leaves[index]
    assert merkle.included(hashed, index, size, path, root)
    other = data.draw(st.integers(-1, 45))
    if other != index:
        assert not merkle.included(hashed, other, size, path, root)
    assert not merkle.included(merkle.leaf(b"x"), index, size, path, root)
    assert not merkle.included(hashed, index, size, path, merkle.leaf(b"x"))
    assert not merkle.included(hashed, index, size, [*path, root], root)
    assert not path or not merkle.included(hashed, index, size, path[:-1], root)


@settings(max_examples=60, deadline=None)
@given(st.data(), SIZES)
def test_growth_is_proven_and_a_change_before_it_is_not(data, size):
    """Whichever old leaf was changed before the tree grew."""
    leaves = hashes(size)
    old = data.draw(st.integers(0, size))
    roots = merkle.tree_hash(leaves[:old]), merkle.tree_hash(leaves)
    path = merkle.consistency_path(leaves, old)
    assert merkle.consistent(old, size, *roots, path)
    if not old:
        return
    changed = list(leaves)
    changed[data.draw(st.integers(0, old - 1))] = merkle.leaf(b"x")
    assert not merkle.consistent(
        old, size, roots[0], merkle.tree_hash(changed), merkle.consistency_path(changed, old)
    )
    assert not merkle.consistent(old, size, roots[0], merkle.tree_hash(changed), path)
    assert not merkle.consistent(old, size, *roots, [*path, roots[0]])
    if path:
        assert not merkle.consistent(old, size, *roots, path[:-1])


def test_what_is_not_in_the_tree_has_no_path():
    """The number and the size are named."""
    with pytest.raises(ValueError, match="leaf 3 is not among the 3"):
        merkle.inclusion_path(HASHES[:3], 3)
    with pytest.raises(ValueError, match="4 leaves are more than the 3"):
        merkle.consistency_path(HASHES[:3], 4)
    assert merkle.root(()) == hashlib.sha256(b"").digest()
