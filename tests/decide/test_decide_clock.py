"""When a window is complete: every shard counts, an idle one does not, time never goes back."""

from __future__ import annotations

import pytest

from schemas.errors import Retriable


def closed(decide):
    """Starts of the windows said, in minutes."""
    return [window.start_ms // 60_000 for window in decide.advance().windows]


def test_a_shard_never_heard_of_holds_everything(world):
    """One of two shards is silent since the start: nothing may close."""
    there = world(shards=2)
    decide = there.decide()
    decide.apply(there.batch(there.deltas(0, n=10), predictions=50, labels=50, shard=0))
    assert closed(decide) == []
    decide.apply(there.batch(predictions=2, labels=0, shard=1))
    assert closed(decide) == [0]


def test_a_busy_shard_without_a_row_holds_everything(world):
    """It may have rows on the way."""
    there = world(shards=2)
    decide = there.decide()
    decide.apply(there.batch(there.deltas(0, n=10), predictions=50, labels=50, shard=0))
    decide.apply(there.batch(shard=1))
    assert closed(decide) == []
    decide.apply(there.batch(shard=1, idle=True))
    assert closed(decide) == [0]


def test_idle_shards_are_left_out_and_if_all_are_the_furthest_tells_the_time(world):
    """Traffic stops everywhere; the windows still close."""
    there = world(shards=2)
    decide = there.decide()
    decide.apply(there.batch(there.deltas(0, n=10), predictions=1, labels=1, shard=0))
    decide.apply(there.batch(predictions=1.5, labels=1, shard=1, idle=True))
    assert closed(decide) == []
    decide.apply(there.batch(predictions=2, labels=1, shard=0, idle=True))
    assert closed(decide) == [0]


def test_time_does_not_go_back(world):
    """A shard that wakes up behind holds what is open, and reopens nothing."""
    there = world(shards=2)
    decide = there.decide()
    decide.apply(there.batch(there.deltas(0, n=10), predictions=5, labels=5, shard=0))
    decide.apply(there.batch(shard=1, idle=True))
    assert closed(decide) == [0]
    decide.apply(there.batch(there.deltas(3, n=10), predictions=1, labels=1, shard=1))
    assert closed(decide) == [3]
    decide.apply(there.batch(there.deltas(4, n=10), predictions=1, labels=1, shard=1))
    assert closed(decide) == []


def test_a_batch_seen_before_is_dropped(world):
    """A redelivery, and a batch of an older epoch, add nothing."""
    there = world()
    decide = there.decide()
    batch = there.batch(there.deltas(0, n=10), predictions=1, labels=1)
    for _ in range(3):
        decide.apply(batch)
    decide.apply(there.batch(predictions=3, labels=3))
    [window] = decide.advance().windows
    assert window.predictions == 10


def test_a_pane_of_an_unknown_policy_is_refused_and_changes_nothing(world):
    """The caller reads on in the control topics and applies the batch again."""
    there, other = world(), world(lateness="2m")
    decide = there.decide()
    foreign = there.batch(other.deltas(0, n=10), predictions=9, labels=9)
    with pytest.raises(Retriable, match=f"policy {other.policy.hash}"):
        decide.apply(foreign)
    assert decide.changed() == {}
    record = f'{{"hash":"{other.policy.hash}","policy":{other.policy.model_dump_json()}}}'
    there.control.apply("policies", record.encode())
    decide.apply(foreign)
    assert closed(decide) == [0]
