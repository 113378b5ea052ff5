"""Merkle trees and their proofs, as in Certificate Transparency.

A tree grows by `push` and is remembered by its peaks, the roots of its complete subtrees, largest
first: as many as its size has bits set.

References
----------
.. [1] RFC 6962, Certificate Transparency, section 2.1.
.. [2] RFC 9162, sections 2.1.3.2 and 2.1.4.2 (how proofs are verified).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def leaf(data: bytes) -> bytes:
    """Hash of a leaf; its prefix keeps it from being taken for a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of a node with two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(peaks: Sequence[bytes], size: int, hashed: bytes) -> tuple[bytes, ...]:
    """Peaks of a tree of ``size`` leaves after one more leaf.

    Examples
    --------
    >>> peaks, size = (), 0
    >>> for data in (b"", b"\\x00", b"\\x10"):
    ...     peaks, size = push(peaks, size, leaf(data)), size + 1
    >>> len(peaks), root(peaks).hex()[:16]
    (2, 'aeb6bcfe274b70a1')
    """
    grown = list(peaks)
    while size & 1:
        hashed = node(grown.pop(), hashed)
        size >>= 1
    return (*grown, hashed)


def root(peaks: Sequence[bytes]) -> bytes:
    """Tree hash (MTH) of a tree with these peaks."""
    if not peaks:
        return EMPTY
    *larger, hashed = peaks
    for peak in reversed(larger):
        hashed = node(peak, hashed)
    return hashed


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Tree hash of leaf hashes."""
    peaks: tuple[bytes, ...] = ()
    for size, hashed in enumerate(leaves):
        peaks = push(peaks, size, hashed)
    return root(peaks)


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path (PATH) of a leaf in the tree of n leaf hashes; ``index`` counts from 0.

    Raises
    ------
    ValueError
        If there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} is not among the {len(leaves)} of the tree")
    if len(leaves) == 1:
        return []
    half = _half(len(leaves))
    left, right = leaves[:half], leaves[half:]
    if index < half:
        return [*inclusion_path(left, index), tree_hash(right)]
    return [*inclusion_path(right, index - half), tree_hash(left)]


def consistency_path(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Consistency proof (PROOF) between the first ``old`` leaves and all of them.

    Raises
    ------
    ValueError
        If there were never so many leaves.
    """
    if not 0 <= old <= len(leaves):
        raise ValueError(f"{old} leaves are more than the {len(leaves)} of the tree")
    return _subproof(leaves, old, known=True) if old else []


def _subproof(leaves: Sequence[bytes], old: int, *, known: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if known else [tree_hash(leaves)]
    half = _half(len(leaves))
    left, right = leaves[:half], leaves[half:]
    if old <= half:
        return [*_subproof(left, old, known=known), tree_hash(right)]
    return [*_subproof(right, old - half, known=False), tree_hash(left)]


def _half(size: int) -> int:
    """Largest power of two below a size of at least 2."""
    return 1 << (size - 1).bit_length() - 1


def included(hashed: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether a leaf is the one at ``index`` in a tree of ``size`` leaves with the root expected.

    Examples
    --------
    >>> leaves = [leaf(bytes([i])) for i in range(5)]
    >>> path = inclusion_path(leaves, 3)
    >>> included(leaves[3], 3, 5, path, tree_hash(leaves))
    True
    >>> included(leaves[3], 2, 5, path, tree_hash(leaves))
    False
    """
    if not 0 <= index < size:
        return False
    place, last = index, size - 1
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = node(step, hashed)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = node(hashed, step)
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == expected


def consistent(
    old: int, size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a tree of ``size`` leaves begins with the ``old`` leaves of another.

    Examples
    --------
    >>> leaves = [leaf(bytes([i])) for i in range(5)]
    >>> path = consistency_path(leaves, 3)
    >>> consistent(3, 5, tree_hash(leaves[:3]), tree_hash(leaves), path)
    True
    >>> consistent(3, 5, tree_hash(leaves[1:4]), tree_hash(leaves), path)
    False
    """
    if old == 0:
        return size >= 0 and old_root == EMPTY and not path
    if old == size:
        return old_root == new_root and not path
    if not 0 < old < size:
        return False
    steps = list(path)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not steps:
        return False
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            before, after = node(step, before), node(step, after)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node(after, step)
        place, last = place >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root
