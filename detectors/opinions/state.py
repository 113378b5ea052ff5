"""A detector of river to bytes and back: only what it needs, and only if it is intact."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from hashlib import blake2b
from types import MethodType

import numpy as np
from river.__version__ import __version__ as river_version

from detectors.opinions.contract import StreamDetector

_MAGIC = b"kittiwake-opinion-1"
_DIGEST = 16
_PROTOCOL = 4

_ADMITTED = frozenset(
    {
        ("collections", "deque"),
        ("random", "Random"),
        ("river._river_rust.drift", "AdaptiveWindowing"),
        ("river._river_rust.stats", "RsEWMean"),
        ("river.drift.binary.hddm_w", "SampleInfo"),
        ("river.stats.ewmean", "EWMean"),
        ("river.stats.mean", "Mean"),
        ("river.stats.var", "Var"),
    }
)


def to_bytes(name: str, detector: StreamDetector) -> bytes:
    """Everything that a detector remembers, sealed with its name and the version of river.

    Bound methods are left to a fresh detector of the same name, so that no pickle needs to call
    ``getattr``.

    Parameters
    ----------
    name
        Name in `detectors.opinions.catalogue`.
    detector
        The detector.
    """
    values = {
        key: float(value) if isinstance(value, np.floating) else value
        for key, value in vars(detector).items()
        if not isinstance(value, MethodType)
    }
    payload = pickle.dumps(values, _PROTOCOL)
    head = b"|".join((_MAGIC, name.encode(), river_version.encode(), b""))
    return head + blake2b(payload, digest_size=_DIGEST).digest() + payload


def restore_into(
    name: str, fresh: StreamDetector, state: bytes, *, settings: Mapping[str, float | str]
) -> None:
    """Continue with a freshly built detector from a `state`.

    Parameters
    ----------
    name
        Name in `detectors.opinions.catalogue`.
    fresh
        A new detector of that name.
    state
        From `to_bytes`.
    settings
        What the detector is set to; a state under other settings is refused.

    Raises
    ------
    ValueError
        Bytes that are no state, were changed, belong to another detector, other settings or
        another version of river, or ask for a class that no detector needs. Start anew.
    """
    parts = state.split(b"|", 3)
    if len(parts) != 4 or parts[0] != _MAGIC:
        raise ValueError(f"{state[:24]!r}... is not the state of an opinion; start it anew")
    made_by, version = (part.decode(errors="replace") for part in parts[1:3])
    if (made_by, version) != (name, river_version):
        raise ValueError(
            f"the state is of {made_by!r} under river {version}, asked for {name!r} under river "
            f"{river_version}; start it anew"
        )
    digest, payload = parts[3][:_DIGEST], parts[3][_DIGEST:]
    if blake2b(payload, digest_size=_DIGEST).digest() != digest:
        raise ValueError(f"the state of {name!r} was changed or cut short; start it anew")
    values = _values(name, payload, vars(fresh))
    for key, value in settings.items():
        if values[key] != value:
            raise ValueError(
                f"the state of {name!r} was made with {key} = {values[key]!r}, asked for "
                f"{value!r}; start it anew"
            )
    vars(fresh).update(values)


def _values(name: str, payload: bytes, known: Mapping[str, object]) -> dict[str, object]:
    """The attributes of a payload, if they are those of a fresh detector."""
    try:
        values = _Restricted(io.BytesIO(payload)).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"the state of {name!r} cannot be read ({error}); start it anew") from None
    expected = {key for key, value in known.items() if not isinstance(value, MethodType)}
    if not isinstance(values, dict) or set(values) != expected:
        raise ValueError(f"the state of {name!r} has other fields than the detector; start it anew")
    return values


class _Restricted(pickle.Unpickler):
    """Admits the few classes that a detector is made of; a pickle could name any other."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        if (module_name, global_name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is not part of a detector")
        return super().find_class(module_name, global_name)
