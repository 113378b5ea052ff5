"""Every panel of the dashboard shows data of a real run, scraped by a real Prometheus."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import promql
from prometheus_server import Prometheus

from streams.runtime.broker import free_port

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/dashboards/kittiwake.json"
HOLD_S = 120


def test_every_panel_has_data_of_a_demo_run(tmp_path: Path) -> None:
    """The whole demo: only the crisis fills the panels of alerts and drift."""
    port = free_port()
    output = tmp_path / "demo.txt"
    command = ["demo", "--out", str(tmp_path / "out"), "--metrics-port", str(port)]
    with output.open("wb") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", *command, "--hold", str(HOLD_S)],
            stdout=file,
            stderr=file,
        )
    try:
        with Prometheus(tmp_path, targets=[f"127.0.0.1:{port}"], interval_ms=1_000) as server:
            deadline = time.monotonic() + 400
            while "files: " not in output.read_text(errors="replace"):
                assert demo.poll() is None, output.read_text(errors="replace")[-2_000:]
                assert time.monotonic() < deadline, "the demo does not end"
                time.sleep(0.5)
            time.sleep(5)
            dashboard = json.loads(DASHBOARD.read_text())
            assert len(promql.panels(dashboard)) > 15
            assert promql.unanswered(dashboard, server.query) == []
    finally:
        demo.kill()
        demo.wait()
