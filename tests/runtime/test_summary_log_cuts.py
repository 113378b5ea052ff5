"""A checkpoint's summaries are cut into messages without a difference to DECIDE."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from shards import control_of

from schemas.policy import Policy, Task
from schemas.summaries import Mark, PaneDelta, Part, SummaryBatch, decode
from streams.control import Control
from streams.decide.outputs import Outputs
from streams.decide.pipeline import Decide
from streams.ingest.checkpoint import Checkpoint, ShardState, Tally
from streams.runtime import summary_log
from streams.runtime.local_log import LARGEST_MESSAGE

POLICY = Policy(model="m", task=Task.BINARY, pane="1m", segments=["region"])
MINUTE = 60_000
T0 = 1_000_000 * MINUTE
Delta = tuple[str, str, int, Part]


def pane(start: int, *, model: str = "m", segment: str = "", entries: int = 4) -> PaneDelta:
    return PaneDelta(
        model=model,
        version="v1",
        arm="baseline",
        segment=segment,
        policy=POLICY.hash,
        reference="",
        start_ms=T0 + start * MINUTE,
        part=Part.INPUT,
        index=list(range(entries)),
        values=[1_000 - i if i < 9 else i for i in range(entries)],
    )


def checkpoint_of(panes: list[PaneDelta], *, sequence: int = 1) -> Checkpoint:
    end_ms = max((p.start_ms for p in panes), default=T0) + 5 * MINUTE
    return Checkpoint(
        state=ShardState(epoch=1, sequence=sequence, offsets={"predictions": 5, "feedback": 6}),
        new_routes={},
        join_changes={},
        panes=panes,
        mark=Mark(shard=0, shards=1, predictions_ms=end_ms, labels_ms=end_ms),
        dead=[],
        reviews=[],
        tally=Tally({}, {}, {}, {}),
    )


def target(partitions: int = 1) -> summary_log.Target:
    return summary_log.Target("summaries", partitions, lambda key: len(key) % partitions)


def batches(done: Checkpoint, *, partitions: int = 1) -> dict[int, list[SummaryBatch]]:
    found: dict[int, list[SummaryBatch]] = defaultdict(list)
    for message in summary_log.messages(target(partitions), done):
        assert len(message.value or b"") < LARGEST_MESSAGE
        assert message.partition is not None
        found[message.partition].append(decode(message.value or b""))
    return found


def sums(found: list[SummaryBatch]) -> dict[Delta, dict[int, int]]:
    total: dict[Delta, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for delta in (delta for batch in found for delta in batch.panes):
        key = (delta.model, delta.segment, delta.start_ms, delta.part)
        for place, value in zip(delta.index, delta.values, strict=True):
            total[key][place] += value
    return {key: dict(entries) for key, entries in total.items()}


def test_a_mark_goes_to_every_partition_and_panes_to_their_models() -> None:
    """A partition without panes hears how far time has come."""
    found = batches(checkpoint_of([pane(0), pane(0, model="mm")]), partitions=3)
    assert {p: [d.model for b in found[p] for d in b.panes] for p in range(3)} == {
        0: [],
        1: ["m"],
        2: ["mm"],
    }
    assert all(own[-1].mark.predictions_ms is not None for own in found.values())
    assert all(own[-1].offsets == {"predictions": 5, "feedback": 6} for own in found.values())


WIDE: dict[str, Callable[[], list[PaneDelta]]] = {
    "some wide panes": lambda: [pane(i, entries=9_000) for i in range(20)],
    "very many narrow panes": lambda: [pane(i, entries=1) for i in range(12_000)],
    "long names": lambda: [pane(i, segment="region=" + "é" * 200) for i in range(6_000)],
    "one pane beyond a message": lambda: [pane(0, entries=150_000)],
    "large numbers": lambda: [
        PaneDelta("m", "v1", "baseline", "", "", "", T0, Part.INPUT, [70_000 + i], [-(1 << 60)])
        for i in range(30_000)
    ],
}


@pytest.mark.parametrize("kind", WIDE)
def test_every_message_fits_and_nothing_is_lost(kind: str) -> None:
    """Only the last message tells the time: before it the panes are not all there."""
    panes = WIDE[kind]()
    done = checkpoint_of(panes, sequence=3)
    (found,) = batches(done).values()
    assert len(found) > 1
    assert sums(found) == sums([SummaryBatch(0, 1, 3, panes, done.mark, {})])
    assert [batch.mark.predictions_ms is not None for batch in found] == [False] * (
        len(found) - 1
    ) + [True]
    numbers = [(batch.epoch, batch.sequence) for batch in found]
    assert numbers == sorted(set(numbers))
    (following,) = batches(checkpoint_of([], sequence=4)).values()
    assert (following[0].epoch, following[0].sequence) > numbers[-1]


def run(control: Control, messages: list[SummaryBatch]) -> Outputs:
    decide = Decide(control, partition=0)
    for batch in messages:
        decide.apply(batch)
    return decide.advance()


def test_the_cut_makes_no_difference_to_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same windows from one message and from many, also when each comes twice."""
    control = control_of(POLICY)
    rng = random.Random(5)
    panes = [
        pane(i, segment=segment, entries=rng.randint(1, 9))
        for i in range(40)
        for segment in ("", "region=EU", "region=US")
    ]
    whole = run(control, batches(checkpoint_of(panes))[0])
    monkeypatch.setattr(summary_log, "LIMIT_ENTRIES", 40)
    cut = batches(checkpoint_of(panes))[0]
    assert len(cut) > 50
    twice = [batch for batch in cut for _ in range(2)]
    assert [w.content for w in run(control, twice).windows] == [w.content for w in whole.windows]
    assert len(whole.windows) == 120
    assert whole.windows[0].predictions == 1_000
