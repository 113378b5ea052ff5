"""Numbers of many objects at once: msgspec writes them as MessagePack, where a float and a large
integer take nine bytes each, so that they stand in columns.

That is read at a third of the cost of a Python object after the other. Where one is of another kind
the bytes are more or fewer, and there is no column.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import accumulate, chain
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.summary import Floats

_write = msgspec.msgpack.Encoder().encode

_TAGGED: Final = np.dtype([("tag", "u1"), ("value", ">u8")])
_UINT_64: Final = 0xCF
_NUMBER_BYTES: Final = 9


def floats_of(structs: Sequence[msgspec.Struct]) -> Floats | None:
    """The fields of n structs of one type, shape (n, fields); None where one is None.

    Parameters
    ----------
    structs
        Of one type, whose fields are ``float | None``.

    Examples
    --------
    >>> Point = msgspec.defstruct("Point", [("x", float), ("y", float)])
    >>> floats_of([Point(0.5, 1.0), Point(2.0, -1.5)])
    array([[ 0.5,  1. ],
           [ 2. , -1.5]])
    >>> floats_of([Point(0.5, None)])
    """
    kind = type(structs[0])
    fields = _fields(kind)
    data = _block(structs, fields.itemsize)
    if data is None:
        return None
    rows = np.frombuffer(data, fields)
    numbers = np.empty((len(rows), len(kind.__struct_fields__)))
    for place, name in enumerate(fields.names or ()):
        numbers[:, place] = rows[name]
    return numbers


def leading_floats(rows: Sequence[tuple[Any, ...]], width: int) -> Floats:
    """The first ``width`` values of each of n tuples, shape (n, width); NaN where one is None.

    Examples
    --------
    >>> leading_floats([(0.5, None, "DE"), (1.0, 2.0, "FR")], 2)
    array([[0.5, nan],
           [1. , 2. ]])
    """
    flat = chain.from_iterable(row[:width] for row in rows)
    return np.fromiter(flat, np.float64, len(rows) * width).reshape(len(rows), width)


def integers_of(values: Sequence[Any]) -> NDArray[np.uint64] | None:
    """Values, shape (n,); None where one is no integer from 2**32 to 2**64 - 1.

    Examples
    --------
    >>> integers_of([1_750_000_000_000, 1_750_000_000_001])
    array([1750000000000, 1750000000001], dtype=uint64)
    >>> integers_of([1_750_000_000_000, 5]), integers_of([1_750_000_000_000, "12345678"])
    (None, None)
    """
    data = _block(values, _NUMBER_BYTES)
    if data is None:
        return None
    rows = np.frombuffer(data, _TAGGED)
    return rows["value"].astype(np.uint64) if (rows["tag"] == _UINT_64).all() else None


def _block(values: Sequence[Any], each: int) -> memoryview | None:
    """What is written of values, if that is so many bytes for each."""
    try:
        data = memoryview(_write(values))
    except OverflowError:
        # JSON knows integers that MessagePack does not.
        return None
    size = each * len(values)
    return data[-size:] if values and len(data) == _head(len(values)) + size else None


def _head(count: int) -> int:
    """Bytes in front of an array or a map of so many."""
    return 1 if count < 16 else 3 if count < 65_536 else 5


@cache
def _fields(kind: type[msgspec.Struct]) -> np.dtype[np.void]:
    """Where the fields of a struct stand if all of them are floats."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    sizes = [len(_write(name)) + _NUMBER_BYTES for name in names]
    ends = list(accumulate(sizes, initial=_head(len(names))))[1:]
    return np.dtype(
        {
            "names": [f"f{place}" for place in range(len(names))],
            "formats": [">f8"] * len(names),
            "offsets": [end - 8 for end in ends],
            "itemsize": ends[-1] if ends else _head(0),
        }
    )
