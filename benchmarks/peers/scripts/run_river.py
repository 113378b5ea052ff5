"""river: ADWIN of each feature, one row at a time."""

from __future__ import annotations

import pyarrow.parquet as pq
from job import Job, Meter
from river.drift import ADWIN


def main() -> None:
    """The detectors have read the reference, off the clock."""
    job, meter = Job.read(), Meter()
    table = pq.read_table(job.rows, columns=job.features).slice(0, job.count)
    known = pq.read_table(job.reference, columns=job.features)
    detectors = {name: ADWIN() for name in job.features}
    for name, detector in detectors.items():
        for value in known[name].to_pylist():
            detector.update(value)
    rows = list(zip(*(table[name].to_pylist() for name in job.features), strict=True))
    pairs = list(detectors.items())
    answer: list[set[str]] = [set() for _ in range(0, len(rows), job.window_rows)]
    meter.start()
    for number, row in enumerate(rows):
        for (name, detector), value in zip(pairs, row, strict=True):
            detector.update(value)
            if detector.drift_detected:
                answer[number // job.window_rows].add(name)
    seconds = meter.seconds()
    job.write([sorted(names) for names in answer], seconds, len(rows))


if __name__ == "__main__":
    main()
