"""INGEST and DECIDE as processes over a real Kafka, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from streams.runtime.broker import free_port
from streams.runtime.catalogue import Declared
from streams.runtime.settings import Settings


class Scrape:
    """What a process showed on ``/metrics`` at one moment."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def total(self, declared: Declared, **labels: str) -> float:
        """Sum of all series that carry these labels; 0 where there is none.

        Examples
        --------
        >>> from streams.runtime.catalogue import RECORDS
        >>> text = 'kittiwake_records_total{topic="a"} 3.0\\nkittiwake_records_total{topic="b"} 4.0'
        >>> Scrape(text).total(RECORDS), Scrape(text).total(RECORDS, topic="b")
        (7.0, 4.0)
        """
        return sum(self._values(declared, labels))

    def count(self, declared: Declared, **labels: str) -> int:
        """How many series carry these labels."""
        return len(self._values(declared, labels))

    def _values(self, declared: Declared, labels: Mapping[str, str]) -> list[float]:
        return [
            value
            for own, value in self._samples.get(declared.name, [])
            if labels.items() <= own.items()
        ]


class Processes:
    """Processes of one prefix, each with a log and a port for its metrics.

    Parameters
    ----------
    settings
        Settings of all of them; ``data`` is where their stores live.
    directory
        Where their logs go.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.kill(name)

    def start(self, name: str) -> None:
        """Start ``ingest-0``, ``decide-0`` …: the command and the worker's name."""
        kind, _, worker = name.partition("-")
        port = self._ports[name] = free_port()
        arguments = ["-m", "streams.cli", kind, "--worker", worker, "--metrics-port", str(port)]
        self.run(name, arguments)

    def run(self, name: str, arguments: list[str]) -> None:
        """Start Python with these arguments, under the settings."""
        environment = os.environ | {
            f"KITTIWAKE_{key.upper()}": str(value)
            for key, value in self._settings.model_dump(exclude={"worker", "metrics_port"}).items()
        }
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments], env=environment, stdout=log, stderr=log
            )

    def pid(self, name: str) -> int:
        """The process id."""
        return self._running[name].pid

    def log(self, name: str) -> Path:
        """The file that holds what a process said."""
        return self._directory / f"{name}.log"

    def running(self) -> Iterator[str]:
        """Names of those that run.

        Raises
        ------
        RuntimeError
            If one has ended by itself with an error; the message ends with its log.
        """
        for name, process in self._running.items():
            status = process.poll()
            if status:
                said = self.log(name).read_text(errors="replace")[-2_000:]
                raise RuntimeError(f"{name} ended with status {status}: {said}")
            if status is None:
                yield name

    def scrape(self, name: str) -> Scrape | None:
        """The metrics of a process; None while it does not serve them yet."""
        try:
            with urlopen(f"http://127.0.0.1:{self._ports[name]}/metrics", timeout=5) as answer:
                return Scrape(answer.read().decode())
        except (URLError, ConnectionError, TimeoutError):
            return None

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str, *, timeout_s: float = 60) -> int:
        """SIGTERM, and wait; its exit status."""
        process = self._running.pop(name)
        process.terminate()
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def wait(self, name: str, *, timeout_s: float) -> int:
        """Wait until a process ends by itself; its exit status."""
        return self._running.pop(name).wait(timeout_s)
