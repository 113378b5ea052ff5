"""How long DECIDE takes for a window: many tests, many streams, and a storm of late labels.

``python -m benchmarks.decide`` drives `streams.decide.pipeline.Decide` with summaries, without a
log, and writes ``benchmarks/results/decide.json``. In each window every stream closes one window,
matures one and forgets one. Time is CPU time; the floor are the same tests in a bank, alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import ParamSpec, TypeVar

import msgspec
import numpy as np

from benchmarks import output
from benchmarks.figures import Spread
from benchmarks.summaries import MATURITY, Fleet, Shape
from detectors.bets import BinaryBet, BinarySums
from detectors.sequential import BettingBank
from schemas.summaries import PaneDelta, Part
from schemas.windows import WindowResult
from streams.decide.detect import asked_of
from streams.decide.keys import WindowKey
from streams.decide.outputs import Outputs
from streams.decide.pipeline import Decide
from streams.runtime import collector, outbox
from streams.runtime.settings import Settings

TARGET_MS = 50.0
FLOOR = "tests alone"
STAGES = ("apply", "judge", "results", "state", "messages")

SHAPES = (
    Shape("many tests", models=100, features=31),
    Shape("many streams", models=476, segments=20),
)
STORM = Shape("storm", models=25, features=8, horizon=200)
CORRECTIONS = 1_000_000
TURNED = 20
"""Labels of each window that its corrections turn for good."""

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """CPU milliseconds by stage."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    def run(self, stage: str, do: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Do something on the clock."""
        begun = process_time()
        done = do(*args, **named)
        self.ms[stage] += 1_000 * (process_time() - begun)
        return done


class Watched(Decide):
    """DECIDE that tells the time of its results apart."""

    watch = Stopwatch()

    def _publish(
        self, lapsing: Sequence[WindowKey], cut: dict[str, int], *, judged: bool
    ) -> list[WindowResult]:
        return self.watch.run("results", super()._publish, lapsing, cut, judged=judged)


def window(
    fleet: Fleet, decide: Watched, number: int, late: Sequence[PaneDelta] = ()
) -> dict[str, float]:
    """Milliseconds for what has come of a window, until its alerts are out."""
    panes = [*late, *fleet.window(number, Part.INPUT)]
    if number >= MATURITY - 1:
        panes += fleet.window(number - MATURITY + 1, Part.LABEL)
    batch = fleet.batch(number + 1, panes)
    return step(decide, decide.advance, lambda: decide.apply(batch))


def step(
    decide: Watched, say: Callable[[], Outputs], take: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Milliseconds by stage for what a worker does with records it has read, but for the log."""
    watch = decide.watch = Stopwatch()
    watch.run("apply", take)
    outputs = watch.run("judge", say)
    watch.ms["judge"] -= watch.ms["results"]
    watch.run("state", decide.changed)
    watch.run("messages", lambda: outbox.pack(outbox.messages(outputs, Settings())))
    return watch.ms


def drained(decide: Watched) -> list[dict[str, float]]:
    """The same for each step until all results are out."""
    steps = []
    while decide.behind:
        steps.append(step(decide, decide.more))
    return steps


def steady(shape: Shape, windows: int) -> Iterator[dict[str, float]]:
    """Milliseconds of windows by stage, once every window matures one and forgets one."""
    fleet = Fleet(shape)
    decide = Watched(fleet.control, partition=0)
    count = tests(fleet)
    first = shape.horizon + 3
    collector.relax()
    for number in range(first + windows):
        alerts = window(fleet, decide, number)
        steps = [alerts, *drained(decide)]
        if number >= first:
            stages = {name: sum(ms[name] for ms in steps) for name in STAGES}
            told = sum(alerts.values())
            yield {FLOOR: floor(count), **stages, "until alerts": told, "window": total(steps)}


def total(steps: Sequence[Mapping[str, float]]) -> float:
    """Milliseconds of all stages."""
    return sum(sum(ms.values()) for ms in steps)


def tests(fleet: Fleet) -> int:
    """Tests that are asked in a window, of inputs and of labels."""
    whole, part = (len(asked_of(subject)) for subject in fleet.subjects)
    return fleet.shape.models * (whole + fleet.shape.segments * part)


def floor(count: int) -> float:
    """Milliseconds for one window of so many tests in a bank, and its memory as bytes."""
    bank = BettingBank(BinaryBet(np.full(count, 0.2)), count)
    sums = BinarySums(n=np.full(count, 200), s=np.full(count, 20))
    begun = process_time()
    bank.reset(bank.update(sums, share=1e-6))
    bank.state()
    return 1_000 * (process_time() - begun)


def storm() -> dict[str, float]:
    """What new windows cost while a million corrections of old ones come, and until all is told."""
    fleet = Fleet(STORM)
    decide = Watched(fleet.control, partition=0)
    held = STORM.horizon - 10
    calm = []
    for number in range(held):
        calm.append(total([window(fleet, decide, number)]))
        drained(decide)
    late = [
        fleet.delta(model, 0, number, Part.LABEL)
        for number in range(held - MATURITY)
        for model in range(STORM.models)
    ]
    each = CORRECTIONS // len(late)
    # Labels are turned back and forth; some stay turned, where the answer was 0.
    change = {"err": TURNED, "fn": TURNED, "tn": -TURNED, "n_flip": TURNED}
    index = [fleet.subjects[0].labels.start(name) for name in change]
    values = list(change.values())
    corrections = [
        msgspec.structs.replace(delta, part=Part.LATE_LABEL, index=index, values=values)
        for delta in late
    ]
    busy, number = [total([window(fleet, decide, held, corrections)])], held + 1
    while decide.behind and number < held + 10:
        busy.append(total([window(fleet, decide, number)]))
        number += 1
    rest = drained(decide)
    return {
        "corrections": float(each * len(late)),
        "windows corrected": float(len(late)),
        "calm window, until alerts": float(np.median(calm[-20:])),
        "window in which the storm comes": busy[0],
        "longest window after it": max(busy[1:], default=0.0),
        "steps until all is told": float(len(busy) + len(rest)),
        "until all is told": sum(busy) + total(rest),
    }


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide", description=__doc__)
    parser.add_argument("--windows", type=int, default=5, help="windows measured of each shape")
    parser.add_argument("--only", choices=[*(shape.name for shape in SHAPES), STORM.name])
    options = output.parsed(parser, "decide")
    found: dict[str, list[dict[str, float]]] = {}
    for shape in SHAPES:
        if options.only in (None, shape.name):
            found[shape.name] = list(steady(shape, options.windows))
            count = tests(Fleet(shape))
            print(f"{shape.name}: {count:,} tests, {shape.streams:,} streams")
            print(*lines(found[shape.name]), sep="\n  ", flush=True)
    late = storm() if options.only in (None, STORM.name) else {}
    for name, value in late.items():
        print(f"  {name:30} {value:12,.0f}")
    write(options.output, found, late)


def lines(runs: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Times over all windows."""
    yield f"  {'CPU milliseconds':24} {'minimum':>8} {'median':>8} {'maximum':>8}"
    for name in runs[0]:
        each = Spread.of(ms[name] for ms in runs)
        yield f"{name:24} {each.minimum:8.1f} {each.median:8.1f} {each.maximum:8.1f}"


def write(
    path: Path, found: Mapping[str, Sequence[Mapping[str, float]]], late: Mapping[str, float]
) -> None:
    """Write every window, the spreads and the machine."""
    result = {
        "target_ms": TARGET_MS,
        "windows": {
            name: {key: Spread.of(ms[key] for ms in runs).rounded() for key in runs[0]}
            for name, runs in found.items()
        },
        "storm": {name: round(value, 1) for name, value in late.items()},
    }
    output.write(path, result)


if __name__ == "__main__":
    main()
