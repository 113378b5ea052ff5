"""How many entries a pane has, by what it keeps: from the layouts themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detectors.embeddings.columns import columns_of, with_embeddings
from detectors.inputs import (
    LATENCY_BUCKETS,
    SCORE_BINS,
    counted_fields,
    features_of,
    input_layout,
)
from detectors.outcomes import layout, outcome_of
from schemas.policy import FeatureContract, Patterns, Policy, Task
from schemas.profiling import build

POLICY = Policy(model="m", task=Task.BINARY)


def rows() -> Iterator[tuple[str, str, str]]:
    """What for, how many, and whether segments have them."""
    columns: dict[str, Sequence[object]] = {
        "number": [i / 1_000 for i in range(1_000)],
        "text": ["a", "b"] * 500,
    }
    vectors = [{"v": [float(i % 7), 1.0]} for i in range(1_000)]
    known = with_embeddings(build("m", columns, source="docs"), vectors)
    number, text = (sum(f.size for f in one.fields()) for one in features_of(POLICY, known))
    bins, categories = len(known.numeric["number"].counts), 2
    (vector,) = columns_of(known)
    for what, count, segments in (
        ("numbers of rows: all, failed, duplicates and so on", len(counted_fields(POLICY)), True),
        ("latency", LATENCY_BUCKETS, True),
        ("score", SCORE_BINS + 1, True),
        ("each key of segments and groups", _more(segments=["s"]), False),
        ("each feature without a reference", _more(features={"x": FeatureContract()}), False),
        (f"each numeric feature with one, of {bins} bins", number, False),
        ("each categorical feature with one: its categories, and", text - categories, False),
        ("each embedding", sum(field.size for field in vector.fields()), False),
        ("`patterns.repeats`", _more(patterns=Patterns(repeats=True)), False),
        *((f"labels of a {task} model", _labels(task), True) for task in Task),
    ):
        yield what, f"{count:,}", "yes" if segments else "no"


def _more(**changes: object) -> int:
    """Entries that a change of the policy adds."""
    other = POLICY.model_copy(update=changes)
    sizes = [input_layout(policy, None, whole=True).size for policy in (other, POLICY)]
    return sizes[0] - sizes[1]


def _labels(task: Task) -> int:
    policy = Policy(model="m", task=task)
    return layout(outcome_of(policy, None), policy).size
