"""Prometheus metrics of one process, on a registry of its own."""

from __future__ import annotations

from importlib.metadata import version
from threading import Thread
from typing import Self, TypeVar
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)

from schemas.errors import ConfigurationError
from streams.runtime.catalogue import (
    BUILD_INFO,
    CATALOGUE,
    FOLDED,
    OPEN_LABELS,
    Declared,
    Kind,
)

OTHER = "other"
"""Stands for every label value beyond the bound."""

MAX_LABEL_VALUES = 200
"""How many values of one open label a metric shows, by default."""

Values = tuple[str, ...]

T = TypeVar("T")


class Metrics:
    """Count and show what a process does, with a bound on the number of series.

    Only metrics of `streams.runtime.catalogue.CATALOGUE` exist. A label whose values come from
    events shows at most ``max_label_values`` of them for each metric: counts beyond are folded
    into the value ``other``, gauges beyond are left out (a mixture has no level), and both are
    counted in ``kittiwake_label_values_folded_total``.

    Parameters
    ----------
    process
        Name of the process: ``ingest``, ``decide``, ``demo`` …
    max_label_values
        Bound on the live values of each open label of each metric.

    Raises
    ------
    ValueError
        By any update whose metric is of another kind, or whose labels are not the declared ones.

    Examples
    --------
    >>> from streams.runtime.catalogue import ROWS
    >>> metrics = Metrics("ingest", max_label_values=1)
    >>> metrics.inc(ROWS, 500, model="fraud", kind="prediction")
    >>> metrics.inc(ROWS, 7, model="credit", kind="prediction")
    >>> metrics.value(ROWS, model="fraud", kind="prediction")
    500.0
    >>> metrics.value(ROWS, model="other", kind="prediction")
    7.0
    """

    is_read = True
    """Whether it is worth while to work out what would be shown."""

    def __init__(self, process: str, *, max_label_values: int = MAX_LABEL_VALUES) -> None:
        self.registry = CollectorRegistry()
        self._max_label_values = max_label_values
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._live: dict[str, set[Values]] = {declared.name: set() for declared in CATALOGUE}
        self._seen: dict[tuple[str, str], set[str]] = {}
        self._server: tuple[WSGIServer, Thread] | None = None
        for declared in CATALOGUE:
            self._register(declared)
        ProcessCollector(registry=self.registry)
        self.set(BUILD_INFO, 1, version=version("kittiwake"), process=process)

    def inc(self, declared: Declared, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        counter = _of_kind(self._counters, declared, Kind.COUNTER)
        if not declared.labels and not labels:
            counter.inc(amount)
            return
        values, _ = self._bounded(declared, labels)
        counter.labels(*values).inc(amount)

    def set(self, declared: Declared, value: float | None, **labels: str) -> None:
        """Set a gauge; None takes the series away, so that "unknown" is absent and never 0."""
        gauge = _of_kind(self._gauges, declared, Kind.GAUGE)
        if value is None:
            self.clear(declared, **labels)
            return
        if not declared.labels and not labels:
            gauge.set(value)
            return
        values, folded = self._bounded(declared, labels)
        if not folded:
            gauge.labels(*values).set(value)

    def observe(self, declared: Declared, value: float, **labels: str) -> None:
        """Add an observation to a histogram."""
        histogram = _of_kind(self._histograms, declared, Kind.HISTOGRAM)
        if not declared.labels and not labels:
            histogram.observe(value)
            return
        values, _ = self._bounded(declared, labels)
        histogram.labels(*values).observe(value)

    def clear(self, declared: Declared, **labels: str) -> None:
        """Take away every series of a gauge that carries these labels, as of a retired version.

        Room under the bound of label values becomes free again. A gauge without labels keeps its
        one series.
        """
        gauge = _of_kind(self._gauges, declared, Kind.GAUGE)
        unknown = set(labels) - set(declared.labels)
        if unknown:
            raise ValueError(_wrong_labels(declared, labels))
        live = self._live[declared.name]
        gone: list[Values]
        if len(labels) == len(declared.labels):
            one = tuple(labels[name] for name in declared.labels)
            gone = [one] if one in live else []
        else:
            place = {declared.labels.index(name): value for name, value in labels.items()}
            gone = [row for row in live if all(row[at] == value for at, value in place.items())]
        for row in gone:
            gauge.remove(*row)
        if gone:
            live.difference_update(gone)
            for at, name in enumerate(declared.labels):
                self._seen[declared.name, name] = {row[at] for row in live}

    def value(self, declared: Declared, **labels: str) -> float | None:
        """The present value of a counter or gauge series; None if there is none."""
        return self.registry.get_sample_value(declared.name, labels)

    def start_http(self, port: int, host: str = "127.0.0.1") -> int:
        """Serve ``/metrics`` from a background thread and return the port (0 picks a free one).

        Raises
        ------
        ConfigurationError
            If the address cannot be bound.
        """
        try:
            self._server = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise ConfigurationError(
                f"metrics cannot be served on {host}:{port}: {error.strerror or error}; "
                f"choose another port, or 0 for a free one"
            ) from error
        return self._server[0].server_port

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _register(self, declared: Declared) -> None:
        name, text, labels = declared.name, declared.help, declared.labels
        if declared.kind is Kind.COUNTER:
            self._counters[name] = Counter(name, text, labels, registry=self.registry)
        elif declared.kind is Kind.GAUGE:
            self._gauges[name] = Gauge(name, text, labels, registry=self.registry)
        else:
            self._histograms[name] = Histogram(
                name, text, labels, registry=self.registry, buckets=declared.buckets
            )

    def _bounded(self, declared: Declared, labels: dict[str, str]) -> tuple[Values, bool]:
        """Label values in declared order, folded where needed, and whether any was folded."""
        if len(labels) != len(declared.labels) or not all(n in labels for n in declared.labels):
            raise ValueError(_wrong_labels(declared, labels))
        values = tuple(labels[name] for name in declared.labels)
        live = self._live[declared.name]
        if values in live:
            return values, False
        beyond = [n for n in declared.labels if self._is_beyond(declared, n, labels[n])]
        for name in beyond:
            self.inc(FOLDED, metric=declared.name, label=name)
        if beyond:
            folded = tuple(OTHER if n in beyond else labels[n] for n in declared.labels)
            return folded, True
        live.add(values)
        for name in declared.labels:
            self._seen.setdefault((declared.name, name), set()).add(labels[name])
        return values, False

    def _is_beyond(self, declared: Declared, name: str, value: str) -> bool:
        seen = self._seen.get((declared.name, name), set())
        return name in OPEN_LABELS and value not in seen and len(seen) >= self._max_label_values


class Unread(Metrics):
    """Metrics that nobody will read, as those of a backtest: nothing is kept."""

    is_read = False

    def inc(self, declared: Declared, amount: float = 1, **labels: str) -> None:
        """Keep nothing."""

    def set(self, declared: Declared, value: float | None, **labels: str) -> None:
        """Keep nothing."""

    def observe(self, declared: Declared, value: float, **labels: str) -> None:
        """Keep nothing."""


def _of_kind(table: dict[str, T], declared: Declared, kind: Kind) -> T:
    found = table.get(declared.name)
    if found is None:
        raise ValueError(f"{declared.name} is a {declared.kind}; this call needs a {kind}")
    return found


def _wrong_labels(declared: Declared, labels: dict[str, str]) -> str:
    return (
        f"{declared.name} has the labels {', '.join(declared.labels) or '(none)'}; "
        f"given: {', '.join(labels) or '(none)'}"
    )
