"""Quix Streams: tumbling windows with a mean, or reduced to histograms and their drift.

Its windows are by message key, and events are keyed by their ids. Where they are regrouped, each
goes through a topic of Quix' own once more; else the topic was keyed by partition beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from job import Job, Meter
from quixstreams import Application
from quixstreams.dataframe import StreamingDataFrame
from quixstreams.dataframe.windows import Count, Mean


def mean(job: Job, rows: StreamingDataFrame) -> StreamingDataFrame:
    """Closed windows with the number and the mean of the scores."""
    windows = rows.tumbling_window(timedelta(milliseconds=job.window_ms))
    return windows.agg(n=Count(), mean=Mean("score")).final()


def regrouped(job: Job, rows: StreamingDataFrame) -> StreamingDataFrame:
    """Windows as they are after each event; partitions are apart in time, so none may close yet."""
    grouped = rows.group_by(lambda _: "0", name="all")
    length = timedelta(milliseconds=job.window_ms)
    windows = grouped.tumbling_window(length, grace_ms=timedelta(hours=1))
    return windows.agg(n=Count(), mean=Mean("score")).current()


def drift(job: Job, rows: StreamingDataFrame) -> StreamingDataFrame:
    """Closed windows with a histogram of each feature."""
    windows = rows.tumbling_window(timedelta(milliseconds=job.window_ms))
    return windows.reduce(
        lambda bins, value: job.count_in(bins, value["features"]),
        lambda value: job.count_in(job.empty(), value["features"]),
    ).final()


QUESTIONS: dict[str, Callable[[Job, StreamingDataFrame], StreamingDataFrame]] = {
    "mean": mean,
    "regrouped": regrouped,
    "drift": drift,
}


def main() -> None:
    """Read ``count`` events with default settings, commit, and leave in order."""
    job, meter = Job.read(), Meter()
    answer: dict[tuple[int, int], list[Any]] = {}
    seen = 0

    def time_of(value: Any, *_: Any) -> int:
        meter.start()
        return int(value["time"])

    def taken(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == job.count:
            app.stop()

    def keep(found: Any, key: Any, *_: Any) -> None:
        place = int(key), found["start"]
        if job.question == "drift":
            answer[place] = [sum(found["value"][0]), job.psi(found["value"])]
        else:
            answer[place] = [found["n"], found["mean"]]

    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        state_dir=job.folder,
        loglevel="WARNING",
    )
    source = app.topic(job.topic, value_deserializer="json", timestamp_extractor=time_of)
    rows = app.dataframe(source)
    if job.question == "drift":
        rows = rows.apply(lambda value: {"features": value["features"]})
    else:
        rows = rows.apply(lambda value: {"score": value["output"]["score"]})
    if job.question != "regrouped":
        rows = rows.update(taken)
    windows = QUESTIONS[job.question](job, rows).update(keep, metadata=True)
    if job.question == "regrouped":
        windows.update(taken)
    app.run()
    places = [[*place, *values] for place, values in answer.items()]
    job.write(places, meter.seconds(), job.count)


if __name__ == "__main__":
    main()
