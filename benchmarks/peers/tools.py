"""The other tools: what each is asked, and how its script is run."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import python_of, quiet
from benchmarks.peers.question import HOME, REQUIREMENTS, SCRIPTS

TIMEOUT_S = 180


@dataclass(frozen=True)
class Tool:
    """One question to one tool.

    ``share`` of the events is enough for a slow tool: its rate is what counts. ``by_partition``
    is set where windows are by message key, so that each partition has one key.
    """

    name: str
    environment: str
    question: str
    share: float = 1.0
    by_partition: bool = False


STREAMS = (
    Tool("faust trivial agent", "faust", "trivial", share=0.2),
    Tool("faust windowed mean", "faust", "mean", share=0.2),
    Tool("quix windowed mean", "quix", "mean", share=0.5, by_partition=True),
    Tool("quix regrouped mean", "quix", "regrouped", share=0.5),
    Tool("quix drift", "quix", "drift", share=0.5, by_partition=True),
    Tool("bytewax windowed mean", "bytewax", "mean"),
)
"""Over Kafka."""

BATCHES = (
    Tool("evidently", "evidently", "drift", share=0.1),
    Tool("nannyml", "nannyml", "drift"),
    Tool("whylogs", "whylogs", "drift"),
    Tool("river", "river", "drift", share=0.2),
)
"""Over rows in memory."""


@dataclass(frozen=True)
class Said:
    """What a script answered, about how many events, and the CPU-seconds that it took."""

    answer: Any
    events: int
    seconds: float

    @property
    def rate(self) -> float:
        """Events per CPU-second."""
        return self.events / self.seconds


def ask(tool: Tool, job: Mapping[str, object]) -> Said:
    """Run a tool's script in its environment.

    Raises
    ------
    RuntimeError
        If the script ends with an error; what it wrote last is in the message.
    subprocess.TimeoutExpired
        If it takes more than three minutes.
    """
    python = python_of(tool.environment, REQUIREMENTS / f"{tool.environment}.lock", HOME)
    with tempfile.TemporaryDirectory(prefix="kittiwake-peer-") as scratch:
        folder = Path(scratch)
        asked, out, state = folder / "job.json", folder / "out.json", folder / "state"
        state.mkdir()
        told = {**job, "question": tool.question, "out": str(out), "folder": str(state)}
        asked.write_text(json.dumps(told))
        done = subprocess.run(
            [python, SCRIPTS / f"run_{tool.environment}.py", asked],
            cwd=folder,
            env=quiet(),
            timeout=TIMEOUT_S,
            capture_output=True,
            text=True,
        )
        if done.returncode or not out.exists():
            words = (done.stderr or done.stdout).strip()[-2_000:]
            raise RuntimeError(f"{tool.name} ended with code {done.returncode}: {words}")
        return Said(**json.loads(out.read_text()))
