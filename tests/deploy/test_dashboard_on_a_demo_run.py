"""Every panel of the dashboard shows data of a real run, scraped by a real Prometheus."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import promql
from prometheus_server import Prometheus

from schemas import topics
from schemas.policy import Fairness, Labels, Policy, Review, Task
from streams.lines import Line
from streams.replay import Start, replay
from streams.runtime.broker import free_port
from streams.runtime.metrics import Metrics

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/dashboards/kittiwake.json"
HOLD_S = 120


def _shown_in_readme() -> list[str]:
    """Lines of the demo that the README quotes."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"<!-- demo:begin -->.*?```text\n(.*?)```.*?<!-- demo:end -->", text, re.S)
    assert found is not None
    return found[1].splitlines()


def _loans() -> list[Line]:
    """Four hours of a model with groups, which the bank of the demo does not tell apart."""
    lines = []
    for i in range(800):
        key = {"prediction_id": f"p{i}", "model": "loans", "time": i * 18_000}
        score, sex = 0.9 if i % 3 else 0.1, "f" if i % 2 else "m"
        answer = {**key, "version": "v1", "output": {"score": score}, "groups": {"sex": sex}}
        truth = {**key, "time": key["time"] + 1, "label": i % 5 > 0}
        for topic, event in ((topics.PREDICTIONS, answer), (topics.FEEDBACK, truth)):
            value = json.dumps(event).encode()
            lines.append(Line(i * 18_000, topic, f"p{i}".encode(), value))
    return lines


LOANS = Policy(
    model="loans",
    task=Task.BINARY,
    pane="1h",
    labels=Labels(maturity="1m", horizon="1h", lateness="1m"),
    fairness=Fairness(groups=["sex"]),
    review=Review(audit=0.2),
)


def test_every_panel_has_data_of_a_demo_run(tmp_path: Path) -> None:
    """The whole demo: only the crisis fills the panels of alerts and drift. Beside it a model with
    groups and reviews, for the panels about those."""
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
        with Metrics("decide") as metrics, ExitStack() as stack:
            replay(_loans(), [Start(LOANS)], step_ms=3_600_000, metrics=metrics)
            targets = [f"127.0.0.1:{at}" for at in (port, metrics.start_http(0))]
            server = stack.enter_context(Prometheus(tmp_path, targets=targets, interval_ms=1_000))
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
