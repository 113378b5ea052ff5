"""INGEST of whole rows: outside of the reference, repeated, embedded; in whatever order."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from shards import HOUR, Bench

from detectors.embeddings.columns import field_of, histograms_of
from detectors.patterns.repeats import repeats
from schemas.policy import FeatureContract, Labels, Policy, Task
from schemas.reference import ReferenceProfile
from streams.ingest.decode.one_by_one import decode_predictions
from streams.learn import profile_of
from streams.records import Record

N = 60


def event(place: int, rng: np.random.Generator, **more: Any) -> dict[str, Any]:
    """A prediction of the reference's kind."""
    return {
        "prediction_id": f"p{place}",
        "model": "m",
        "version": "v1",
        "time": 5 * HOUR + place,
        "output": {"score": float(rng.random())},
        "features": {
            "amount": float(rng.uniform(1, 99)),
            "country": str(rng.choice(["DE", "FR"])),
            "clock": place,
        },
        "embeddings": {"text": rng.normal(size=6).tolist()},
        "segments": {"k": "v"} if place % 3 == 0 else {},
        **more,
    }


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    """Learned from events, as the command does."""
    rng = np.random.default_rng(1)
    rows = [event(place, rng) for place in range(500)]
    rows += [event(500, rng, embeddings={"text": [1.0]}), event(501, rng, embeddings={})]
    bench = Bench(Policy(model="m", task=Task.BINARY))
    records: list[Record] = [bench.predict(**row) for row in rows]
    events = [row.event for row in decode_predictions(records).rows]
    return profile_of(events, model="m", source="test")


def policy(**changes: Any) -> Policy:
    """Repeats are counted, and the clock drifts by design."""
    content = {
        "model": "m",
        "task": Task.BINARY,
        "pane": "1h",
        "lateness": "2h",
        "labels": Labels(horizon="2d", maturity="6h", lateness="3h"),
        "segments": ["k"],
        "patterns": {"repeats": True},
        "features": {"clock": FeatureContract(drift=False)},
        **changes,
    }
    return Policy.model_validate(content, strict=False)


def traffic() -> list[dict[str, Any]]:
    """Rows of which seven are outside, five repeat the first, and nine have no good vector."""
    rng = np.random.default_rng(2)
    rows = [event(place, rng, prediction_id=f"q{place}") for place in range(N)]
    for row in rows:
        row["features"]["amount"] = min(max(row["features"]["amount"], 5.0), 95.0)
    for row in rows[10:14]:
        row["features"]["amount"] = 1e6
    for row in rows[12:17]:
        row["features"]["country"] = "XX"
    rows[20]["features"]["amount"] = None
    for row in rows[30:35]:
        row["features"] = dict(reversed(rows[0]["features"].items()))
    for row in rows[40:45]:
        row["embeddings"] = {"text": [0.5, 0.5]}
    for row in rows[45:49]:
        row["embeddings"] = {"image": [0.5] * 6}
    return rows


def told(bench: Bench, rows: list[dict[str, Any]], *, size: int) -> Bench:
    """A shard that read rows in batches, with a restart after each checkpoint."""
    for start in range(0, len(rows), size):
        bench.apply(*(bench.predict(**row) for row in rows[start : start + size]))
        bench.checkpoint()
        bench.restart()
    return bench


def test_rows_are_counted_as_wholes(profile):
    """A row outside in two features counts once; the clock never; vectors by what is wrong."""
    bench = told(Bench(policy(), profile), traffic(), size=N)
    assert bench.field("input", "n") == N
    assert bench.field("input", "n_outside") == 7
    inputs = bench.plan().inputs
    panes = [v for key, v in bench.panes.items() if key[3] == "" and key[5] == "input"]
    vector = np.sum(panes, axis=0)[: inputs.size]
    buckets = inputs.counts(vector, "repeats")
    assert buckets.sum() == N
    assert buckets.max() >= 6
    assert float(repeats(buckets).twins) > 0.2
    counted = [inputs.count(vector, field_of("text", part)) for part in ("n", "wrong")]
    assert counted == [N - 9, 5]
    histograms = histograms_of(inputs, vector, "text")
    assert [int(one.sum()) for one in histograms] == [N - 9] * 16 + [N - 4]


def test_panes_do_not_depend_on_order_or_batches(profile):
    """Shuffled and cut in other places: the same integers, in segments too."""
    rows = traffic()
    whole = told(Bench(policy(), profile), rows, size=N).sums()
    assert any(key[3] for key in whole)
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        assert told(Bench(policy(), profile), rows, size=7 + seed).sums() == whole


def test_fields_are_kept_where_they_are_asked_for_and_not_in_segments(profile):
    """Without a reference and without repeats, panes keep nothing of it."""
    plain = Bench(policy(patterns={}), None).plan()
    names = {field.name for field in plain.inputs.fields}
    assert not names & {"n_outside", "repeats", field_of("text", "p")}
    full = Bench(policy(), profile).plan()
    assert full.segment_size < full.inputs.start("n_outside")
    assert full.segment_size < full.inputs.start(field_of("text", "n"))


def test_a_reference_learns_embeddings_of_the_usual_dimension(profile):
    """One of another length, and a row without any, are left out."""
    (known,) = profile.embeddings.values()
    assert (known.dimension, sum(known.norms)) == (6, 500)
    assert all(sum(counts) == 500 for counts in known.projections)
    assert ReferenceProfile.model_validate_json(profile.model_dump_json()) == profile


def test_another_category_is_outside_only_where_the_reference_saw_all(profile):
    """Where rare categories were counted together, any other may be one of them."""
    country = profile.categorical["country"]
    rare = country.model_copy(update={"counts": [*country.counts[:-1], 3]})
    folded = profile.model_copy(update={"categorical": {"country": rare}})
    bench = told(Bench(policy(), folded), traffic(), size=N)
    assert bench.field("input", "n_outside") == 4
