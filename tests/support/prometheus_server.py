"""A real Prometheus that scrapes what a test serves."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server import Server, required


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer, with its value at the time of the query."""

    labels: dict[str, str]
    value: float


def require(binary: str) -> str:
    """Path of a binary of the Debian package ``prometheus``; skips the test without it."""
    return required(binary, package="prometheus")


class Prometheus(Server):
    """A Prometheus on a free port.

    Parameters
    ----------
    directory
        Where its configuration, data and log go.
    targets
        What it scrapes, as ``host:port``; leaving the ``with`` line means that all are up.
    rule_files
        Alert rules to evaluate.
    interval_ms
        Time between two scrapes, and between two evaluations.
    job
        The job label of the targets.
    """

    name = "prometheus"
    ready = "/-/ready"

    def __init__(
        self,
        directory: Path,
        *,
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        interval_ms: int = 200,
        job: str = "kittiwake",
    ) -> None:
        self._binary = require("prometheus")
        super().__init__(directory)
        self._targets = list(targets)
        interval = f"{interval_ms}ms"
        self._config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [
                {
                    "job_name": job,
                    "scrape_timeout": interval,
                    "static_configs": [{"targets": self._targets}],
                }
            ],
        }

    def query(self, expr: str) -> list[Series]:
        """The answer to an instant query, now.

        Raises
        ------
        ValueError
            If Prometheus refuses the expression; the message is its own.
        """
        arguments = urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/query?{arguments}", timeout=10
            ) as reply:
                data = json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expr}: {error.read().decode()}") from error
        if data["resultType"] == "scalar":
            return [Series({}, float(data["result"][1]))]
        return [Series(row["metric"], float(row["value"][1])) for row in data["result"]]

    def wait_for(self, expr: str, *, timeout_s: float = 30.0) -> list[Series]:
        """The answer as soon as it is not empty.

        Raises
        ------
        TimeoutError
            If it stays empty.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self.query(expr)
            if answer:
                return answer
            time.sleep(0.1)
        raise TimeoutError(f"{expr} stayed empty for {timeout_s} s")

    def command(self) -> list[str]:
        """With its configuration written before it starts."""
        config = self.directory / "prometheus.yml"
        config.write_text(json.dumps(self._config), encoding="utf-8")
        return [
            self._binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _wait(self) -> None:
        super()._wait()
        if self._targets:
            self.wait_for(f"count(up == 1) == {len(self._targets)}")
