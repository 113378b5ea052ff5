"""Arrow arrays as numpy arrays: numbers without a copy where none is null, texts as codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.summary import Floats, Ints
from schemas.arrow import Kind
from streams.ingest.columns.codes import Words
from streams.ingest.columns.strings import Strings

Bools = NDArray[np.bool_]


def fits(kind: Kind, held: pa.DataType) -> bool:
    """Whether a column of this type may be what `schemas.arrow` says.

    Examples
    --------
    >>> fits(Kind.NUMBER, pa.int8()), fits(Kind.LABEL, pa.float64())
    (True, False)
    """
    match kind:
        case Kind.TEXT:
            return is_text(held)
        case Kind.TIME:
            return bool(held == pa.int64() or (pa.types.is_timestamp(held) and held.tz))
        case Kind.NUMBER:
            return is_number(held)
        case Kind.LABEL:
            return is_text(held) or bool(pa.types.is_boolean(held) or pa.types.is_integer(held))
        case Kind.SCALAR:
            return is_text(held) or is_number(held) or bool(pa.types.is_boolean(held))
        case Kind.TEXTS:
            return _is_list(held) and is_text(held.value_type)
        case Kind.VECTOR:
            return _is_list(held) and is_number(held.value_type)


def is_text(held: pa.DataType) -> bool:
    """Whether a type is text, or a dictionary of texts."""
    if pa.types.is_dictionary(held):
        held = held.value_type
    return held in (pa.string(), pa.large_string(), pa.string_view())


def is_number(held: pa.DataType) -> bool:
    """Whether a type is integers or floats."""
    return bool(pa.types.is_integer(held) or pa.types.is_floating(held))


def _is_list(held: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(held) or pa.types.is_large_list(held) or pa.types.is_fixed_size_list(held)
    )


def valid(column: pa.Array) -> Bools:
    """Where a column is not null, shape (n,)."""
    if not column.null_count:
        return np.ones(len(column), np.bool_)
    found: Bools = column.is_valid().to_numpy(zero_copy_only=False)
    return found


def floats(column: pa.Array) -> Floats:
    """Numbers of a column, shape (n,); NaN for null.

    Examples
    --------
    >>> floats(pa.array([1, None])), floats(pa.array([0.5]))
    (array([ 1., nan]), array([0.5]))
    """
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def times(column: pa.Array) -> Ints:
    """Milliseconds since 1970 of a column, shape (n,); -1 for null.

    Examples
    --------
    >>> times(pa.array([1_999_999, None], pa.timestamp("us", "UTC"))).tolist()
    [1999, -1]
    """
    if not pa.types.is_timestamp(column.type):
        return _integers(column)
    counted = _integers(column.cast(pa.int64()))
    if column.type.unit == "s":
        return np.where(np.abs(counted) < _MOST_SECONDS, counted * 1_000, counted)
    return counted // _PER_MS[column.type.unit]


_PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}
_MOST_SECONDS = np.iinfo(np.int64).max // 1_000
"""From here on seconds are no date, in milliseconds or not."""


def _integers(column: pa.Array) -> Ints:
    if column.null_count:
        column = column.fill_null(-1)
    return np.asarray(column.to_numpy(), np.int64)


def strings(column: pa.Array) -> Strings:
    """Texts of a column in UTF-8, without a copy where it is plain; for null, anything.

    Examples
    --------
    >>> list(strings(pa.array(["a", "é", "bc"])[1:]))
    [b'\\xc3\\xa9', b'bc']
    """
    plain = column.cast(pa.large_string() if column.type == pa.large_string() else pa.string())
    width = np.int64 if plain.type == pa.large_string() else np.int32
    if not len(plain):
        return Strings.of_bytes([])
    _, offsets, data = plain.buffers()
    kept = np.frombuffer(offsets, width)[plain.offset : plain.offset + len(plain) + 1]
    octets = np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)
    ends = kept.astype(np.int64)
    return Strings(octets, ends[:-1], ends[1:])


def codes(column: pa.Array) -> Words:
    """Different values of a column, and the place among them of each row's, shape (n,).

    The last of the values is None, whether there is a null or not.

    Examples
    --------
    >>> codes(pa.array(["b", None, "a", "b"]))
    Words(words=['b', 'a', None], places=array([0, 2, 1, 0]))
    """
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = [*column.dictionary.to_pylist(), None]
    indices = column.indices
    if indices.null_count:
        indices = pc.fill_null(indices.cast(pa.int64()), len(words) - 1)
    return Words(words, np.asarray(indices.to_numpy(zero_copy_only=False), np.int64))


def lengths(column: pa.Array) -> Ints:
    """Bytes of each text of a plain column, or items of each list, shape (n,); -1 for null."""
    count = pc.binary_length if is_text(column.type) else pc.list_value_length
    found = count(column)
    return np.asarray((found.fill_null(-1) if found.null_count else found).to_numpy(), np.int64)
