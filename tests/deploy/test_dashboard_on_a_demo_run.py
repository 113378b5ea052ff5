"""Every panel of the dashboard shows data of a real run, scraped by a real Prometheus."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import promql
from prometheus_server import Prometheus

from streams.runtime.broker import free_port

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/dashboards/kittiwake.json"
HOLD_S = 120


def _shown_in_readme() -> list[str]:
    """Lines of the demo that the README quotes."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"<!-- demo:begin -->.*?```text\n(.*?)```.*?<!-- demo:end -->", text, re.S)
    assert found is not None
    return found[1].splitlines()


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
            env=os.environ | {"COLUMNS": "100"},
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
        printed = {line.rstrip() for line in output.read_text().splitlines()}
        assert [line for line in _shown_in_readme() if line not in printed] == []
    finally:
        demo.kill()
        demo.wait()
