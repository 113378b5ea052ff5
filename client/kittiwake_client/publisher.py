"""Publish events from inside a model service, without ever holding it up."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Literal, Self

from kittiwake_client.delivery import POLL_S, Delivery, Stats
from kittiwake_client.events import InvalidEvent, encode, headers, rfc3339
from kittiwake_client.gather import Gatherer
from kittiwake_client.kinds import (
    DEPLOYMENT,
    EXECUTED,
    FEEDBACK,
    FEEDBACK_EVENT,
    HEARTBEAT_TYPE,
    PREDICTION,
    PREDICTIONS,
    Kind,
)
from kittiwake_client.received import RollbackRequest


class Publisher:
    """Queue events and deliver them in the background.

    A call returns at once: it never waits for the broker. The queue is bounded by count and by
    bytes; when it is full the newest event is dropped and counted. Events of one prediction keep
    their order. Make one publisher for each process, after any fork.

    Parameters
    ----------
    bootstrap
        Brokers as ``host:port``, separated by commas.
    source
        Who publishes, as the CloudEvents source, such as the service's name.
    prefix
        In front of every topic name.
    max_events, max_bytes
        Bounds of the queue; ``max_bytes`` counts the bodies.
    delivery_timeout_ms
        An event that the broker has not taken by then is given up and counted as failed.
    close_timeout_s
        How long `close` waits for the broker to take what is queued.
    config
        More settings of librdkafka, such as those for TLS and SASL.

    Raises
    ------
    InvalidEvent
        By the methods for an event whose required fields are missing or wrong: a mistake of the
        caller's code, whatever the broker does.

    Examples
    --------
    >>> with Publisher("localhost:1", max_events=1, close_timeout_s=0) as publisher:
    ...     event = {"model": "fraud", "version": "v1", "output": {"score": 0.93}}
    ...     publisher.prediction(event, prediction_id="p1")
    ...     publisher.prediction(event, prediction_id="p2")
    True
    False
    >>> publisher.stats().dropped, publisher.stats().failed
    (1, 1)
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        source: str = "kittiwake-client",
        prefix: str = "",
        max_events: int = 100_000,
        max_bytes: int = 64 * 1024 * 1024,
        delivery_timeout_ms: int = 120_000,
        close_timeout_s: float = 10.0,
        config: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._source = source
        self._prefix = prefix
        self._close_timeout_s = close_timeout_s
        self._gatherers: list[Gatherer] = []
        self._delivery = Delivery(
            bootstrap,
            max_events=max_events,
            max_bytes=max_bytes,
            delivery_timeout_ms=delivery_timeout_ms,
            config=config or {},
            between=self._send_due,
        )

    def prediction(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a prediction event; False if it was dropped.

        Needed: ``prediction_id``, ``model``, ``version``, ``output``. ``time`` is now if left out.
        A shadow (``arm="shadow"``) gives the ``prediction_id`` of the answer that was served as
        ``pair_id``, and its ``time``.
        """
        return self._event(PREDICTION, event, fields)

    def predictions(
        self, columns: object, /, *, model: str, version: str | None = None, timeout_s: float = 5.0
    ) -> int:
        """Queue a table of predictions of one model; how many rows were queued, not dropped.

        The rows travel as Arrow IPC streams, one or more for each partition, which costs the
        service and Kittiwake a fraction of as many single events. It needs pyarrow:
        ``kittiwake-client[arrow]``. It asks the broker for the number of partitions, the first
        time, for up to ``timeout_s``.

        Parameters
        ----------
        columns
            A mapping of names to arrays, or a table or data frame that `pyarrow.table` takes. A
            row is a prediction: ``prediction_id``, ``score``, ``features.amount``,
            ``segments.country`` and so on. A null is a field left out, and so is NaN.
        model, version
            Of all rows; the version may be a column instead. ``time`` is now if left out.

        Raises
        ------
        InvalidEvent
            If a column is unknown, missing or of a wrong type; nothing is queued then.
        ImportError
            If pyarrow is not installed.
        """
        table_of = _tables().table_of
        now_ms = time.time_ns() // 1_000_000
        table = table_of(columns, model=model, version=version, now_ms=now_ms)
        partitions = self._delivery.partition_count(self._prefix + PREDICTIONS, timeout_s)
        if not partitions:
            self._delivery.settle(dropped=table.num_rows)
            return 0
        return self._table(table, partitions)

    def gather(self, model: str, *, linger_ms: int = 200) -> Gatherer:
        """Take predictions of a model one by one (`Gatherer.add`), and send them as tables.

        An event is held back for up to ``linger_ms`` and counts as queued meanwhile; of more than
        20,000 the newest is dropped. `flush` and `close` send at once. Events whose values no
        table holds together, such as numbers and texts under one name, are sent one by one.
        It needs pyarrow: ``kittiwake-client[arrow]``.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        _tables()
        gatherer = Gatherer(
            model, linger_ms=linger_ms, reserve=self._delivery.reserve, send=self._send_gathered
        )
        self._gatherers.append(gatherer)
        return gatherer

    def feedback(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a feedback event; False if it was dropped.

        Needed: ``prediction_id``, ``model`` and what is known, such as ``label``.
        """
        return self._event(FEEDBACK_EVENT, event, fields)

    def deployment(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a deployment event; False if it was dropped.

        Needed: ``model``, ``version``, ``action``.
        """
        return self._event(DEPLOYMENT, event, fields)

    def executed(
        self,
        request: RollbackRequest,
        outcome: Literal["applied", "failed", "refused"],
        *,
        executor: str,
        generation: int | None = None,
        detail: str = "",
    ) -> bool:
        """Queue the acknowledgement of a rollback; False if it was dropped.

        Parameters
        ----------
        outcome
            ``applied`` once the target version was read back as serving, ``refused`` if the
            request was stale, else ``failed``.
        executor
            Who did it.
        generation
            That of the deployment afterwards, where it has one.
        """
        return self._event(
            EXECUTED,
            None,
            {
                "kind": "executed",
                "id": f"executed/{request.idempotency_key}",
                "model": request.model,
                "by": self._source,
                "rollback_id": request.rollback_id,
                "idempotency_key": request.idempotency_key,
                "executor": executor,
                "outcome": outcome,
                "generation": generation,
                "detail": detail[:2_000],
            },
        )

    def heartbeat(self, time_ms: int, *, timeout_s: float = 5.0) -> bool:
        """Say that no event before ``time_ms`` will follow, so that windows close without traffic.

        It goes to every partition of predictions and feedback. It asks the broker for their
        number, the first time, for up to ``timeout_s``: call it from a timer, not from a request.
        False if that failed or the queue is full.
        """
        value = json.dumps({"time": time_ms}, separators=(",", ":")).encode()
        queued = True
        for name in (PREDICTIONS, FEEDBACK):
            topic = self._prefix + name
            partitions = self._delivery.partition_count(topic, timeout_s)
            queued &= partitions > 0
            for partition in range(partitions):
                attributes = headers(
                    event_type=HEARTBEAT_TYPE,
                    event_id=f"heartbeat/{name}/{partition}/{time_ms}",
                    source=self._source,
                    time=rfc3339(time_ms),
                )
                queued &= self._delivery.put(topic, None, value, attributes, partition)
        return queued

    def flush(self, timeout_s: float) -> int:
        """Wait until the queue is empty, at most ``timeout_s``; return how many still wait."""
        self._send_all(timeout_s)
        self._delivery.flush(timeout_s)
        return self.stats().queued

    def stats(self) -> Stats:
        """What became of the events so far."""
        return self._delivery.stats()

    def close(self) -> None:
        """Deliver what waits, for at most ``close_timeout_s``; the rest counts as failed."""
        if self._delivery.closed:
            return
        self._send_all(self._close_timeout_s)
        self._delivery.stop()
        left = sum(gatherer.abandon() for gatherer in self._gatherers)
        self._delivery.settle(queued=-left, failed=left)
        self._delivery.drain(self._close_timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _event(
        self, kind: Kind, event: Mapping[str, object] | None, fields: Mapping[str, object]
    ) -> bool:
        whole = {**event, **fields} if event else fields
        encoded = encode(kind, whole, source=self._source, now_ms=time.time_ns() // 1_000_000)
        topic = self._prefix + encoded.topic
        return self._delivery.put(topic, encoded.key, encoded.value, encoded.headers, -1)

    def _table(self, table: Any, partitions: int) -> int:
        """Queue a table; how many of its rows were not dropped."""
        from kittiwake_client import arrow

        queued = 0
        model = table.schema.metadata[b"model"].decode()
        for batch in arrow.batches(table, partitions=partitions):
            attributes = headers(
                event_type=PREDICTION.type,
                event_id=f"{model}/{batch.first_id}/{batch.rows}",
                source=self._source,
                time=rfc3339(batch.time_ms),
                content=arrow.CONTENT_TYPE,
            )
            topic = self._prefix + PREDICTIONS
            if self._delivery.put(
                topic, None, batch.value, attributes, batch.partition, events=batch.rows
            ):
                queued += batch.rows
        return queued

    def _send_due(self) -> None:
        for gatherer in [*self._gatherers]:
            gatherer.send()

    def _send_all(self, timeout_s: float) -> None:
        if self._gatherers:
            self._delivery.partition_count(self._prefix + PREDICTIONS, timeout_s)
        for gatherer in [*self._gatherers]:
            gatherer.send(now=True)

    def _send_gathered(self, model: str, events: list[dict[str, Any]]) -> bool:
        """Events as a table, or one by one where no table holds them all."""
        partitions = self._delivery.partition_count(self._prefix + PREDICTIONS, POLL_S)
        if not partitions:
            return False
        self._delivery.settle(queued=-len(events))
        tables = _tables()
        try:
            columns = tables.columns_of(events)
            table = tables.table_of(columns, model=model, version=None, now_ms=0)
        except InvalidEvent:
            for event in events:
                self._event(PREDICTION, event, {})
        else:
            self._table(table, partitions)
        return True


def _tables() -> ModuleType:
    """The module of tables, which needs pyarrow."""
    try:
        from kittiwake_client import columns
    except ImportError as error:
        raise ImportError(f"{error}; install kittiwake-client[arrow]") from error
    return columns
