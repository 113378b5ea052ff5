"""Tables of values by key that know which keys changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

import msgspec

Key = TypeVar("Key")
Value = TypeVar("Value")

_key, _row = msgspec.json.Encoder(), msgspec.msgpack.Encoder()


class Table(Generic[Key, Value]):
    """Values of one kind by key.

    Parameters
    ----------
    name
        Prefix of the encoded keys.
    key, value
        Types, as msgspec knows them.

    Examples
    --------
    >>> from streams.decide.state import Watermarks
    >>> table = Table("clock", str, Watermarks)
    >>> table.put("all", Watermarks(5, None))
    >>> list(table.changed())
    ['clock:"all"']
    >>> table.changed()
    {}
    """

    def __init__(self, name: str, key: type[Key], value: type[Value]) -> None:
        self.name = name
        self._rows: dict[Key, Value] = {}
        self._dirty: dict[Key, None] = {}
        self._key = msgspec.json.Decoder(key)
        self._value = msgspec.msgpack.Decoder(value)

    def get(self, key: Key) -> Value | None:
        """The value under a key, None where there is none."""
        return self._rows.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of a key."""
        self._rows[key] = value
        self._dirty[key] = None

    def put_all(self, rows: Mapping[Key, Value]) -> None:
        """Set the values of keys."""
        self._rows.update(rows)
        self._dirty.update(dict.fromkeys(rows))

    def drop(self, key: Key) -> None:
        """Forget a key."""
        if self._rows.pop(key, None) is not None:
            self._dirty[key] = None

    def items(self) -> Iterator[tuple[Key, Value]]:
        """Every key and value; the table may be changed meanwhile."""
        return iter(list(self._rows.items()))

    def __iter__(self) -> Iterator[Key]:
        """Every key; the table may be changed meanwhile."""
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def changed(self) -> dict[str, bytes | None]:
        """Encoded rows set since the last call; None for those forgotten."""
        dirty, self._dirty = self._dirty, {}
        prefix, rows, written = f"{self.name}:", self._rows, _row.encode
        return {
            prefix + _key.encode(key).decode(): written(rows[key]) if key in rows else None
            for key in dirty
        }

    def load(self, key: str, value: bytes) -> Key:
        """Take back one row of `changed`, and say whose it is; ``key`` is what follows the name and
        the colon."""
        name = self._key.decode(key)
        self._rows[name] = self._value.decode(value)
        return name
