"""whylogs: a profile of each window, and its drift scores against the profile of the reference."""

from __future__ import annotations

import logging

import pandas as pd
import whylogs as why
from job import Job, Meter
from whylogs.core import DatasetProfileView
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores

DRIFT = "DRIFT"


def drifted(current: pd.DataFrame, reference: DatasetProfileView) -> list[str]:
    """The columns whose score whylogs calls drift."""
    scores = calculate_drift_scores(
        target_view=why.log(current).view(), reference_view=reference, with_thresholds=True
    )
    return [name for name, score in scores.items() if score and score["drift_category"] == DRIFT]


def main() -> None:
    """The reference is profiled and compared with itself off the clock."""
    logging.disable(logging.WARNING)
    job, meter = Job.read(), Meter()
    rows = pd.read_parquet(job.rows, columns=job.features).iloc[: job.count]
    known = pd.read_parquet(job.reference, columns=job.features)
    reference = why.log(known).view()
    drifted(known, reference)
    meter.start()
    answer = [
        drifted(rows.iloc[first : first + job.window_rows], reference)
        for first in range(0, len(rows), job.window_rows)
    ]
    job.write(answer, meter.seconds(), len(rows))


if __name__ == "__main__":
    main()
