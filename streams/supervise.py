"""All processes on one machine as children, started again when they die."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

BACKOFF_S = (0.5, 1, 2, 5, 10)
"""Pause before the first, second … restart in a row; a child that lived a minute starts anew."""

HEALTHY_S = 60


@dataclass
class Child:
    """One process: its name and its arguments after ``kittiwake``."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0


@dataclass
class Supervisor:
    """Keeps children running until it is told to stop.

    Parameters
    ----------
    children
        What to run.
    say
        Takes one line for people.
    """

    children: list[Child]
    say: Callable[[str], None]
    _stopping: bool = field(default=False, init=False)

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            for child in self.children:
                self._tend(child, time.monotonic())
            time.sleep(0.1)
        for child in self.children:
            self._end(child)
        return 0

    def _tend(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.due:
                child.process = subprocess.Popen(command(child.arguments))
                child.started = now
                self.say(f"{child.name} runs as process {child.process.pid}")
            return
        code = child.process.poll()
        if code is None:
            return
        child.process = None
        child.deaths = 1 if now - child.started > HEALTHY_S else child.deaths + 1
        pause = BACKOFF_S[min(child.deaths, len(BACKOFF_S)) - 1]
        child.due = now + pause
        self.say(f"{child.name} ended with {code}; starts again in {pause} s")

    def _end(self, child: Child) -> None:
        if child.process is None:
            return
        child.process.terminate()
        try:
            child.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.say(f"{child.name} does not stop; killed")
            child.process.kill()
            child.process.wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


def command(arguments: Sequence[str]) -> list[str]:
    """The command line of a child."""
    return [sys.executable, "-m", "streams.cli", *arguments]
