"""What normal looked like: the calls of July 2008, when the bank called by mobile phone as later.

The three macro-economic series move in steps of months, so equal shares of July would put all
bins into that month's few values; their edges are round numbers over the range of a decade.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from detectors.reference import with_outcomes
from examples.bank.events import BASELINE
from examples.bank.model import read
from examples.bank.timeline import Call
from schemas.policy import FeatureContract, Policy
from schemas.predictions import Output
from schemas.profiling import build
from schemas.reference import NumericReference, ReferenceProfile

FROM_MS = int(datetime(2008, 7, 7, tzinfo=UTC).timestamp()) * 1_000
LABELLED_MS = int(datetime(2008, 7, 22, tzinfo=UTC).timestamp()) * 1_000
UNTIL_MS = int(datetime(2008, 7, 30, tzinfo=UTC).timestamp()) * 1_000
EFFECTIVE_MS = int(datetime(2008, 8, 1, tzinfo=UTC).timestamp()) * 1_000

EDGES = {
    "emp_var_rate": (-2.5, -1.5, -0.5, 0.5, 1.25),
    "euribor3m": (1.0, 2.0, 3.0, 4.0, 4.5),
    "nr_employed": (5000.0, 5050.0, 5100.0, 5150.0, 5200.0),
}


def reference(calls: Sequence[Call], policy: Policy) -> ReferenceProfile:
    """Drift features and the score of v1 in July 2008, with the outcomes known by August."""
    rows = [call for call in calls if FROM_MS <= call.time_ms < UNTIL_MS]
    model = read(BASELINE)
    names = [name for name, contract in policy.features.items() if contract.drift]
    columns = {name: [call.features[name] for call in rows] for name in names}
    scores = [model.score(call.features) for call in rows]
    types = {name: policy.features[name].type for name in names}
    profile = build(policy.model, columns, score=scores, types=types, source="calls of July 2008")
    numeric = {
        name: _rebinned(known, columns[name], EDGES[name], policy.features[name])
        if name in EDGES
        else known
        for name, known in profile.numeric.items()
    }
    profile = profile.model_copy(update={"numeric": numeric})
    known = [call for call in rows if call.time_ms < LABELLED_MS]
    return with_outcomes(
        profile,
        policy,
        [Output(score=model.score(call.features)) for call in known],
        np.array([float(call.subscribed) for call in known]),
        np.array([call.time_ms for call in known], np.int64),
    )


def _rebinned(
    known: NumericReference,
    values: Sequence[object],
    edges: Sequence[float],
    contract: FeatureContract,
) -> NumericReference:
    """The bins of a decade; what the contract allows is within the model's domain."""
    numbers = np.array([value for value in values if isinstance(value, int | float)], np.float64)
    counts = np.bincount(np.searchsorted(edges, numbers, "right"), minlength=len(edges) + 1)
    range_ = {"min": contract.min, "max": contract.max}
    return known.model_copy(update={"edges": list(edges), "counts": counts.tolist(), **range_})
