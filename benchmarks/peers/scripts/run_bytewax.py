"""Bytewax: the mean of the scores of tumbling windows, one worker, no recovery store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower, fold_window
from bytewax.testing import TestingSink, run_main
from job import Job, Meter

ZERO = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE = timedelta(hours=1)
"""Its watermark moves on with the wall clock, and rows behind it would be dropped."""

Sum = tuple[int, float]
Scored = tuple[datetime, float]


def build(job: Job, meter: Meter, answer: list[Any]) -> Dataflow:
    """The flow from the topic to its end; keyed by partition, within which time is in order."""

    def keyed(message: KafkaSourceMessage[Any, Any]) -> tuple[str, Scored]:
        meter.start()
        value = orjson.loads(message.value)
        time = datetime.fromtimestamp(value["time"] / 1_000, UTC)
        return str(message.partition), (time, value["output"]["score"])

    def add(total: Sum, scored: Scored) -> Sum:
        return total[0] + 1, total[1] + scored[1]

    def merge(one: Sum, other: Sum) -> Sum:
        return one[0] + other[0], one[1] + other[1]

    length = timedelta(milliseconds=job.window_ms)
    source = KafkaSource(brokers=[job.bootstrap], topics=[job.topic], tail=False, batch_size=1_000)
    flow = Dataflow(job.question)
    rows = op.map("key", op.input("read", flow, source), keyed)
    windows = fold_window(
        "mean",
        rows,
        EventClock(ts_getter=lambda scored: scored[0], wait_for_system_duration=PATIENCE),
        TumblingWindower(length=length, align_to=ZERO),
        lambda: (0, 0.0),
        add,
        merge,
    )
    op.output("write", windows.down, TestingSink(answer))
    return flow


def main() -> None:
    """Run to the end of the topic."""
    job, meter = Job.read(), Meter()
    found: list[tuple[str, tuple[int, Sum]]] = []
    run_main(build(job, meter, found))
    seconds = meter.seconds()
    answer = [
        [int(key), number * job.window_ms, n, total / n] for key, (number, (n, total)) in found
    ]
    job.write(answer, seconds, sum(n for _, (_, (n, _)) in found))


if __name__ == "__main__":
    main()
