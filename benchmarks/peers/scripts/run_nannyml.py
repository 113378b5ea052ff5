"""NannyML: UnivariateDriftCalculator over all chunks at once, with its default distance."""

from __future__ import annotations

import nannyml
import pandas as pd
from job import Job, Meter


def main() -> None:
    """The calculator is fitted to the reference off the clock."""
    job, meter = Job.read(), Meter()
    rows = pd.read_parquet(job.rows, columns=job.features).iloc[: job.count]
    known = pd.read_parquet(job.reference, columns=job.features)
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=job.features, chunk_size=job.window_rows
    )
    calculator.fit(known)
    calculator.calculate(known)
    meter.start()
    found = calculator.calculate(rows).filter(period="analysis").to_df()
    alerts = [found[name, "jensen_shannon", "alert"].tolist() for name in job.features]
    answer = [
        [name for name, alert in zip(job.features, window, strict=True) if alert]
        for window in zip(*alerts, strict=True)
    ]
    job.write(answer, meter.seconds(), len(rows))


if __name__ == "__main__":
    main()
