"""Evidently: one DataDriftPreset report a window, with the statistic that it chooses itself."""

from __future__ import annotations

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from job import Job, Meter


def drifted(current: pd.DataFrame, reference: Dataset, definition: DataDefinition) -> list[str]:
    """The columns that a report flags: by distance, as the reference has over 1,000 rows."""
    window = Dataset.from_pandas(current, data_definition=definition)
    report = Report([DataDriftPreset()]).run(window, reference).dict()
    configs = [
        (metric["config"], float(metric["value"]))
        for metric in report["metrics"]
        if metric["config"]["type"].endswith(":ValueDrift")
    ]
    return [config["column"] for config, value in configs if value >= config["threshold"]]


def main() -> None:
    """A report of the reference itself first, off the clock."""
    job, meter = Job.read(), Meter()
    rows = pd.read_parquet(job.rows, columns=job.features).iloc[: job.count]
    known = pd.read_parquet(job.reference, columns=job.features)
    definition = DataDefinition(numerical_columns=job.features)
    reference = Dataset.from_pandas(known, data_definition=definition)
    drifted(known, reference, definition)
    meter.start()
    answer = [
        drifted(rows.iloc[first : first + job.window_rows], reference, definition)
        for first in range(0, len(rows), job.window_rows)
    ]
    job.write(answer, meter.seconds(), len(rows))


if __name__ == "__main__":
    main()
