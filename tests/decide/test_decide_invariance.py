"""What is decided does not depend on how the log was cut, interleaved, repeated or restarted."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.alerts import STORY, AlertAction
from schemas.deployments import DeploymentAction
from schemas.rollouts import RolloutAction
from schemas.summaries import PaneDelta, SummaryBatch
from streams.decide import pipeline

MINUTES = 45
SHARDS = 3
PASSING = {AlertAction.UPDATED, AlertAction.AMENDED}
FAILING = {"errors": 2, "requests": 12}
"""Failed requests a minute of a canary that is wrong, and of one that is wrong and fails."""


def prepared(world):
    """Two busy shards and an idle one; a canary from minute five; drift and errors at 25."""
    there = world(
        profile=True,
        shards=SHARDS,
        segments=["k"],
        labels={"horizon": "20m", "maturity": "6m", "coverage": 0.8, "lateness": "1m"},
        budgets={"error_rate": 0.1, "brier": 0.2, "service_errors": 0.05},
        canary={
            "guardrails": [
                {"metric": "error_rate", "margin": 0.01},
                {"metric": "service_errors", "margin": 0.01},
            ],
            "watch_for": "30m",
        },
        rollback={"expiry": "1d"},
    )
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(5, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    return there


def minute_of(there, kind, shard, minute) -> list[PaneDelta]:
    """What a shard says in a minute: new predictions, labels of older ones, late rows."""
    rng = np.random.default_rng([shard, minute])
    bad = minute >= 25
    values = rng.uniform(0.4 if bad else 0.0, 1.0, 120).tolist()
    said = there.deltas(minute, n=120, failed=2, labelled=0, values=values)
    said += there.deltas(minute, n=40, failed=FAILING[kind], labelled=0, version="v2", arm="canary")
    said += there.deltas(minute, n=30, labelled=0, segment="k=v")
    if minute >= 3:
        old = minute - 3
        wrong = 8 if old < 25 else 40 if old < 32 else 1
        said += there.deltas(old, labelled=110, errors=wrong)
        said += there.deltas(old, labelled=36, errors=6, version="v2", arm="canary")
        said += there.deltas(old, labelled=28, errors=2, segment="k=v")
    if minute >= 8 and minute % 3 == 0:
        said += there.deltas(minute - 8, n=3, errors=2, late=True)
    return said


def script(there, kind, shard, cuts: tuple[int, ...] = ()) -> list[SummaryBatch]:
    """The batches of a shard in order; ``cuts`` says after how many deltas a batch may end."""
    batches: list[SummaryBatch] = []
    clock: dict[str, float] = {}
    for minute in range(MINUTES):
        said = minute_of(there, kind, shard, minute)
        parts = [said]
        for cut in cuts:
            place = cut % len(said)
            parts = [said[:place], said[place:]] if (cut + minute) % 2 else parts
        clock_after = {"predictions": minute + 1.0, "labels": minute + 0.5}
        for part in parts:
            clock = clock_after if part is parts[-1] else clock
            batches.append(there.batch(part, shard=shard, sequence=len(batches) + 1, **clock))
    end = {"predictions": MINUTES + 40.0, "labels": MINUTES + 40.0}
    return [*batches, there.batch(shard=shard, sequence=len(batches) + 1, **end)]


def run(there, order, advance, scripts, *, repeat=False, told=0):
    """Windows by id (last said), alerts and rollouts by id, without what depends on the cut."""
    decide = there.decide()
    decide.apply(there.batch(shard=2, sequence=1, idle=True))
    places = [0] * len(scripts)
    windows, alerts, rollouts = {}, {}, {}
    left = [shard for shard, batches in enumerate(scripts) for _ in batches]
    sequence = [shard for shard in order if shard in left]
    for shard in sequence + left:
        if places[shard] >= len(scripts[shard]):
            continue
        batch = scripts[shard][places[shard]]
        places[shard] += 1
        decide.apply(batch)
        if repeat:
            decide.apply(batch)
        if not advance or places[shard] % advance:
            continue
        collect(decide.advance(), windows, alerts, rollouts)
        for _ in range(told):
            collect(decide.more(), windows, alerts, rollouts)
    collect(decide.advance(), windows, alerts, rollouts)
    while decide.behind:
        collect(decide.more(), windows, alerts, rollouts)
    assert places == [len(batches) for batches in scripts]
    return windows, alerts, rollouts


def collect(out, windows, alerts, rollouts):
    """Add what was said; nothing but windows may be said twice.

    Deadlines begin when something is said. Stories, and what labels that came late change of an
    open alert, are told as far as they are known by then.
    """
    for window in out.windows:
        windows[window.id] = window.content
    for said, known in ((out.alerts, alerts), (out.rollouts, rollouts)):
        for event in said:
            assert event.id not in known
            if event.action not in PASSING:
                known[event.id] = event.model_dump(exclude=STORY | {"expires_at_ms"})


@cache
def expected(build, kind):
    """The one answer: shard after shard, and one look at the end."""
    there = prepared(build)
    return there, run(there, [], 0, [script(there, kind, 0), script(there, kind, 1)])


def test_the_example_is_not_empty(world):
    """Alerts of several kinds open and resolve; the canary is rolled back."""
    _, (windows, alerts, rollouts) = expected(world, "errors")
    assert len(windows) == 3 * MINUTES
    kinds = {(alert["metric"], alert["action"]) for alert in alerts.values()}
    assert {("error_rate", "opened"), ("tv", "opened"), ("error_rate", "resolved")} <= kinds
    actions = [event["action"] for event in rollouts.values()]
    assert actions.count(RolloutAction.ROLLBACK_REQUESTED) == 1
    assert actions.count(RolloutAction.HOLD) >= 2
    _, (_, _, failing) = expected(world, "requests")
    [early] = [e for e in failing.values() if e["action"] is RolloutAction.ROLLBACK_REQUESTED]
    assert early["reason"] == "harm: service_errors"


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    order=st.lists(st.sampled_from([0, 1]), min_size=40, max_size=180),
    advance=st.integers(0, 7),
    cuts=st.lists(st.integers(1, 9), max_size=2).map(tuple),
    repeat=st.booleans(),
    told=st.integers(0, 2),
    most=st.sampled_from([1, 1 << 40]),
    kind=st.sampled_from(sorted(FAILING)),
)
def test_any_interleaving_cut_and_repetition_gives_the_same(
    world, order, advance, cuts, repeat, told, most, kind
):
    """Window contents, alerts and rollout events are equal, evidence included."""
    there, answer = expected(world, kind)
    scripts = [script(there, kind, 0, cuts), script(there, kind, 1, cuts[::-1])]
    with pytest.MonkeyPatch.context() as patch:
        # Results are put off, and told later, or all are told at once.
        patch.setattr(pipeline, "WORK_AT_ONCE", most)
        found = run(there, order, advance, scripts, repeat=repeat, told=told)
    assert found == answer


def test_a_restart_after_every_step_changes_nothing(world):
    """Outputs are equal to the byte when each step runs on a freshly loaded state."""
    there = prepared(world)
    steady, checkpoint = there.decide(), {}
    scripts = [script(there, "errors", 0), script(there, "errors", 1)]
    batches = [there.batch(shard=2, sequence=1, idle=True)]
    batches += [batch for pair in zip(*scripts, strict=True) for batch in pair]
    for batch in batches:
        resumed = there.decide()
        resumed.load(checkpoint)
        for decide in (steady, resumed):
            decide.apply(batch)
        assert resumed.advance() == steady.advance()
        for key, value in resumed.changed().items():
            if value is None:
                checkpoint.pop(key, None)
            else:
                checkpoint[key] = value
    assert checkpoint
    assert {k: v for k, v in steady.changed().items() if v is not None}.keys() == checkpoint.keys()


def test_nothing_changes_where_nothing_was_applied(world):
    """A checkpoint of an idle step is empty."""
    there = prepared(world)
    decide = there.decide()
    decide.apply(there.batch(minute_of(there, "errors", 0, 0), predictions=1, labels=1))
    decide.advance()
    assert decide.changed()
    decide.advance()
    assert decide.changed() == {}
