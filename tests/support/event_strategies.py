"""Prediction events of one model with some of everything, whatever the task."""

from __future__ import annotations

from typing import Any

from arrow_streams import Event
from hypothesis import strategies as st

finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1) | st.sampled_from([-0.0, 0.5, 1.5, -1.0])
words = st.sampled_from(["a", "b", "ok", "é😀", "", "true", "0"])
ids = st.text(min_size=1, max_size=6)
LABELS = (st.booleans(), st.integers(-3, 3), words)
VALUES = (st.booleans(), st.integers(-(2**62), 2**62), finite, words)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Or nothing."""
    return st.none() | strategy


@st.composite
def outputs(draw: st.DrawFn, label: st.SearchStrategy[Any]) -> Event:
    """An output with some of everything, whatever the task."""
    quantiles = sorted(draw(st.lists(finite, min_size=3, max_size=3)))
    if draw(st.booleans()):
        quantiles.reverse()
    said: Event = {
        "score": draw(maybe(shares)),
        "label": draw(maybe(label)),
        "value": draw(maybe(finite)),
        "interval": draw(maybe(st.tuples(finite, finite).map(list))),
        "scores": draw(maybe(st.dictionaries(words, shares, min_size=1))),
        "quantiles": draw(maybe(st.just(dict(zip(("0.1", ".5", "0.9"), quantiles, strict=True))))),
        "items": draw(maybe(st.lists(words, max_size=12))),
        "signals": draw(
            maybe(st.dictionaries(st.sampled_from(["x", "tokens"]), finite, min_size=1))
        ),
    }
    if said["quantiles"] is not None and draw(st.booleans()):
        said["quantiles"]["0.50" if draw(st.booleans()) else "0.25"] = draw(finite)
    return {name: value for name, value in said.items() if value is not None}


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events of one model; what a name stands for has one type in all of them."""
    label = draw(st.sampled_from(LABELS))
    kinds = {name: draw(st.sampled_from(VALUES)) for name in ("x", "y", "z.é")}
    found = []
    for _ in range(draw(st.integers(1, 6))):
        event: Event = {
            "prediction_id": draw(ids),
            "model": "m",
            "version": draw(st.sampled_from(["v1", "v2"])),
            "time": draw(st.integers(0, 10**12)),
            "output": draw(outputs(label)),
            "arm": draw(maybe(st.sampled_from(["baseline", "canary", "shadow"]))),
            "pair_id": draw(maybe(ids)),
            "unit_id": draw(maybe(ids)),
            "latency_ms": draw(maybe(st.floats(0, 1e9))),
            "error": draw(maybe(words)),
            "features": {n: draw(kind) for n, kind in kinds.items() if draw(st.booleans())},
            "segments": draw(st.dictionaries(st.sampled_from(["k", "l"]), words)),
            "groups": draw(st.dictionaries(st.sampled_from(["k", "g"]), words)),
            "trace": draw(st.dictionaries(st.sampled_from(["data"]), words)),
            "embeddings": draw(
                st.dictionaries(st.just("text"), st.lists(finite, min_size=0, max_size=3))
            ),
        }
        found.append({name: value for name, value in event.items() if value not in (None, {})})
    for event in found:
        event.setdefault("output", {})
    return found
