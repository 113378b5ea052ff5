"""Names in columns are those of `keys.name`, whatever they are made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ingest.columns.strings import Strings
from streams.ingest.store import keys
from streams.ingest.store.names import Names, murmur64

IDS = st.lists(st.text(max_size=30), max_size=20)


def plain(key: bytes) -> int:
    """MurmurHash64A, byte by byte."""
    multiplier, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    hashed = len(key) * multiplier & mask
    whole = len(key) & ~7
    for start in range(0, whole, 8):
        word = int.from_bytes(key[start : start + 8], "little") * multiplier & mask
        word = (word ^ word >> 47) * multiplier & mask
        hashed = (hashed ^ word) * multiplier & mask
    if len(key) > whole:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * multiplier & mask
    hashed = (hashed ^ hashed >> 47) * multiplier & mask
    return hashed ^ hashed >> 47


@given(st.text(min_size=1, max_size=300), IDS)
@settings(max_examples=100, deadline=None)
def test_all_ways_to_make_names_make_the_same(model: str, ids: list[str]) -> None:
    """Of text, of bytes, and of several models."""
    expected = [keys.name(model, id_) for id_ in ids]
    encoded = Strings.of_texts(ids)
    places = np.arange(len(ids)) % 2
    for names in (
        Names.of(model, ids),
        Names.of_bytes(expected),
        Names.of_ids([model], np.zeros(len(ids), np.int64), encoded),
    ):
        assert list(names) == expected
        assert names.hashes.tolist() == [plain(each) for each in expected]
    both = Names.of_ids([model, "other"], places, encoded)
    pairs = zip((model, "other") * len(ids), ids, strict=False)
    assert list(both) == [keys.name(*pair) for pair in pairs]


@given(IDS, st.data())
@settings(max_examples=60, deadline=None)
def test_some_of_the_names_are_as_they_were(ids: list[str], data: st.DataObject) -> None:
    """With hashes that have been worked out, and without; equality is that of their bytes."""
    names = Names.of("m", ids)
    if data.draw(st.booleans()):
        assert len(names.hashes) == len(ids)
    rows = data.draw(st.lists(st.sampled_from(range(len(ids))))) if ids else []
    taken = names.take(np.array(rows, np.int64))
    assert list(taken) == [names[row] for row in rows]
    assert taken.hashes.tolist() == names.hashes[np.array(rows, np.int64)].tolist()
    other = Names.of("m", data.draw(st.permutations(ids)))
    same = names.equal(other.data, other.starts, other.ends).tolist()
    assert same == [a == b for a, b in zip(names, other, strict=True)]


@given(st.lists(st.sampled_from(["a", "b", "c", "dd", "é"])))
@settings(deadline=None)
def test_first_and_only_occurrences(ids: list[str]) -> None:
    """Of names that come again."""
    names = Names.of("m", ids)
    assert names.firsts().tolist() == [id_ not in ids[:i] for i, id_ in enumerate(ids)]
    assert names.alone().tolist() == [ids.count(id_) == 1 for id_ in ids]


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"", 0),
        (b"a", 0x071717D2D36B6B11),
        (b"kittiwake", 0x8B4107CC69DCCF0A),
        (b"12345678", 0x758F67D162B2D202),
        (b"0123456789abcdef0", 0xD6D740EA6BF35F45),
    ],
)
def test_murmur64_is_that_of_smhasher(key: bytes, hashed: int) -> None:
    """As the original in C gives it, seed 0."""
    assert int(murmur64(np.frombuffer(key, np.uint8)[None])[0]) == plain(key) == hashed
