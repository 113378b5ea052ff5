"""The cases drive the real pipeline, and find what they should on few seeds."""

from __future__ import annotations

import numpy as np
import pytest
from shards import DAY, Bench

from benchmarks.quality import arms, monitor, streams
from benchmarks.quality.cases import CASES
from benchmarks.quality.naive_bayes import NaiveBayes, across_folds
from detectors.canary.three_way import Guardrail as Processes
from schemas.alerts import Alert
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.policy import Policy, Task
from schemas.predictions import Arm
from schemas.reference import ReferenceProfile
from schemas.rollouts import RolloutAction
from schemas.summaries import SummaryBatch
from schemas.windows import WindowResult
from streams.decide.pipeline import Decide
from streams.decide.rollout.shadow import Pairs, add_pairs, shadow_guardrails

WINDOW, LATE = 100, 250

needs_data = pytest.mark.skipif(
    not streams.present(),
    reason=f"the data of the quality cases are not in {streams.DATA}",
)


def rows(count: int, seed: int, *, moved_from: int | None = None) -> streams.Rows:
    """Two features, a score and a truth, which all move from some row on."""
    rng = np.random.default_rng(seed)
    moved = np.zeros(count, np.bool_) if moved_from is None else np.arange(count) >= moved_from
    score = rng.beta(2, 2, count)
    return streams.Rows(
        {
            "amount": (rng.normal(0, 1, count) + 0.8 * moved).tolist(),
            "country": [str(c) for c in rng.choice(["DE", "FR", "PT"], count)],
        },
        score,
        (rng.random(count) < np.clip(score + 0.35 * moved, 0, 1)).astype(np.int64),
    )


def setting(group: str) -> tuple[Policy, ReferenceProfile]:
    """A policy with groups, and its reference."""
    rules = monitor.policy(
        Task.BINARY,
        window_rows=WINDOW,
        label_rows=LATE,
        budgets={"error_rate": 0.38},
        fairness={"groups": [group]},
        false_alarms={"pages": 1.0, "per": "1d"},
    )
    return rules, monitor.profile(rules, rows(4_000, 1))


def through_the_pipeline(
    rules: Policy, profile: ReferenceProfile, live: streams.Rows, group: str
) -> tuple[list[WindowResult], list[Alert]]:
    """The same rows as JSON through a shard of INGEST, a checkpoint for each window, and DECIDE."""
    assert live.score is not None and live.truth is not None
    bench = Bench(rules, profile)
    decide = Decide(bench.control, 0)
    windows: dict[str, WindowResult] = {}
    alerts: list[Alert] = []
    names = list(live.features)
    predictions, feedback = [], []
    for row, values in enumerate(zip(*live.features.values(), strict=True)):
        features = dict(zip(names, values, strict=True))
        told = {"prediction_id": str(row), "model": monitor.MODEL}
        predictions.append(
            {
                **told,
                "version": "v1",
                "time": row * monitor.ROW_MS,
                "output": {"score": float(live.score[row])},
                "features": features,
                "groups": {group: features[group]},
            }
        )
        late_ms = (row + LATE) * monitor.ROW_MS
        feedback.append({**told, "label": int(live.truth[row]), "time": late_ms})
    for end in range(WINDOW, len(live) + 1, WINDOW):
        last = end == len(live)
        known = slice(max(end - WINDOW - LATE, 0), None if last else max(end - LATE, 0))
        bench.apply(
            *(bench.predict(**event) for event in predictions[end - WINDOW : end]),
            *(bench.tell(**event) for event in feedback[known]),
        )
        if last:
            bench.shard.idle(DAY)
        done = bench.checkpoint()
        state = done.state
        decide.apply(SummaryBatch(0, state.epoch, state.sequence, done.panes, done.mark, {}))
        said = decide.advance()
        windows |= {window.id: window for window in said.windows}
        alerts += said.alerts
    assert not bench.dead
    return sorted(windows.values(), key=_place), alerts


def _place(window: WindowResult) -> tuple[int, str]:
    return window.start_ms, window.segment


def test_regrouped_rows_equal_the_whole_pipeline_bit_for_bit() -> None:
    """The same windows, with every figure, and the same alerts in the same order of due time."""
    live = rows(1_500, 2, moved_from=600)
    rules, known = setting("country")
    sheet = monitor.sheet_of(monitor.plan_of(rules, known), live, delay_rows=LATE, group="country")
    told = monitor.watch(monitor.control_of(rules, known), [monitor.in_order(sheet)])
    windows, alerts = through_the_pipeline(rules, known, live, "country")
    ours = sorted(told.windows(), key=_place)
    assert [window.content for window in ours] == [window.content for window in windows]
    said = [alert for output in told.outputs for alert in output.alerts]
    assert {alert.metric for alert in said} >= {"tv", "calibration"}
    assert sorted(map(_told, said)) == sorted(map(_told, alerts))


def _told(alert: Alert) -> str:
    return alert.model_copy(update={"cut": {}}).model_dump_json()


def test_a_permutation_only_regroups_what_rows_add() -> None:
    """Panes of rows in another order are those of a sheet made in that order."""
    live = rows(600, 3)
    rules, known = setting("country")
    plan = monitor.plan_of(rules, known)
    order = np.random.default_rng(4).permutation(600)
    placed = monitor.Placed(
        monitor.sheet_of(plan, live, group="country"),
        at=np.argsort(order),
        used=np.ones(600, np.bool_),
    )
    again = monitor.in_order(monitor.sheet_of(plan, live.take(order), group="country"))
    assert monitor.panes_of([placed]) == monitor.panes_of([again])


def decided_by_decide(
    canary: np.ndarray, units: arms.Units, live: streams.Rows, worse: np.ndarray, rules: Policy
) -> tuple[float | None, float | None]:
    """Rows of the canary when DECIDE asks for a rollback, or advises promotion."""
    known = monitor.profile(rules, rows(4_000, 1))
    plan = monitor.plan_of(rules, known)
    deployments = [
        DeploymentEvent(
            model=monitor.MODEL, version="v1", time=0, action=DeploymentAction.DEPLOYED
        ),
        DeploymentEvent(
            model=monitor.MODEL,
            version="v2",
            time=0,
            action=DeploymentAction.CANARY_STARTED,
            role=Arm.CANARY,
            share=0.5,
            generation=1,
        ),
    ]
    arm = canary[units.of_row]
    at = np.arange(len(live))
    other = streams.Rows(live.features, live.score, live.truth, decided=worse)
    told = monitor.watch(
        monitor.control_of(rules, known, deployments),
        [
            monitor.Placed(monitor.sheet_of(plan, live), at, ~arm),
            monitor.Placed(monitor.sheet_of(plan, other, version="v2", arm=Arm.CANARY), at, arm),
        ],
    )
    rows_at = {
        event.action: float(event.guardrails[0].n_canary)
        for said in told.outputs
        for event in said.rollouts
    }
    requested = rows_at.get(RolloutAction.ROLLBACK_REQUESTED)
    return requested, rows_at.get(RolloutAction.PROMOTION_ADVISED)


@pytest.mark.parametrize(("seed", "harm"), [(0, 0.25), (1, 0.12), (2, -0.6), (3, 0.0)])
def test_courses_of_rollouts_equal_decide(seed: int, harm: float) -> None:
    """The same decision in the same window: rollback, promotion or none."""
    live = rows(3_000, 10 + seed)
    assert live.score is not None and live.truth is not None
    rng = np.random.default_rng(20 + seed)
    usual = live.score >= 0.5
    flipped = rng.random(3_000) < abs(harm)
    towards = live.truth == 0 if harm > 0 else live.truth == 1
    other = np.where(flipped, towards, usual)
    units = arms.Units.of(np.arange(3_000) // 3)
    canary = streams.in_canary(units.names, seed)
    rules = monitor.policy(
        Task.BINARY,
        window_rows=WINDOW,
        canary={"guardrails": [{"metric": "error_rate", "margin": 0.0}]},
    )
    truth = live.truth == 1
    course = arms.concurrent(canary, units, other != truth, usual != truth, rules, WINDOW)
    expected = decided_by_decide(canary, units, live, other, rules)
    assert (course.rollback_rows, course.promote_rows) == expected
    assert (harm >= 0.2) <= (course.rollback_rows is not None)
    assert (harm <= -0.2) <= (course.promote_rows is not None)


@pytest.mark.parametrize(("seed", "harm"), [(0, 0.05), (1, -0.1), (2, 0.0)])
def test_courses_of_shadows_equal_decide(seed: int, harm: float) -> None:
    """Window by window, the guardrail of DECIDE crosses at the same number of pairs."""
    rng = np.random.default_rng(30 + seed)
    usual = rng.random(3_000) < 0.2
    flipped = rng.random(3_000) < abs(harm)
    wrong = np.where(flipped, harm > 0, usual)
    units = arms.Units.of(np.arange(3_000) // 3)
    order = np.arange(len(units.names))
    rules = monitor.policy(
        Task.BINARY,
        window_rows=WINDOW,
        canary={"guardrails": [{"metric": "error_rate", "margin": 0.0}]},
    )
    course = arms.shadow(order, units, wrong, usual, rules, WINDOW)
    (guardrail,) = shadow_guardrails(rules)
    rail, decided = None, (None, None)
    for start in range(0, 3_000, WINDOW):
        new, old = wrong[start : start + WINDOW], usual[start : start + WINDOW]
        worse, better, both = (int(x.sum()) for x in (new & ~old, old & ~new, new & old))
        rail = add_pairs(rail, guardrail, Pairs(WINDOW, worse, better, both))
        processes = Processes.restore(guardrail.metric, rail.processes)
        if processes.harm.crossed(0.05):
            decided = (rail.n_canary, None)
        elif processes.benefit.crossed(0.05):
            decided = (None, rail.n_canary)
        if decided != (None, None):
            break
    assert (course.rollback_rows, course.promote_rows) == decided
    assert (decided != (None, None)) == (harm != 0.0)


def test_naive_bayes_errs_more_on_rows_it_has_not_seen() -> None:
    """Errors across folds lie above those of the rows it was fitted to."""
    rng = np.random.default_rng(6)
    inputs, classes = rng.normal(size=(300, 20)), rng.integers(0, 2, 300)
    model = NaiveBayes.fit(inputs, classes)
    seen = (model.probabilities(inputs).argmax(axis=1) != classes).mean()
    unseen = (across_folds(inputs, classes).argmax(axis=1) != classes).mean()
    assert unseen > seen + 0.05


def test_every_case_has_its_own_name_and_seeds_as_stated() -> None:
    """20 seeds, 200 for nulls, 1,000 for the canary."""
    seeds = {case.name: case.seeds for case in CASES}
    assert len(seeds) == len(CASES)
    assert (seeds["G1"], seeds["G2"], seeds["G6"]) == (200, 200, 1_000)
    assert all(count >= 20 for count in seeds.values())


@needs_data
@pytest.mark.parametrize("name", ["G4", "G6", "errors"])
def test_a_case_runs_and_tells_on_two_seeds(name: str) -> None:
    """Every stream has its runs, and every target is measured."""
    (case,) = [case for case in CASES if case.name == name]
    runs = [run for seed in range(2) for run in case.run(seed)]
    told = case.tell(runs, [])
    assert {stream.name for stream in case.streams} <= {run.stream for run in runs}
    assert all(target.measured is not None for target in told.targets)
    assert all(alarm.at >= 0 for run in runs for alarm in run.alarms)


@needs_data
def test_households_are_split_whole() -> None:
    """All rows of a household are in one arm, and about half of the rows in each."""
    data, names = streams.households()
    units = arms.Units.of(names)
    arm = streams.in_canary(units.names, 0)[units.of_row]
    assert len(data) == 64_493
    assert all(len(set(arm[names == name].tolist())) == 1 for name in range(1, 200))
    assert abs(arm.mean() - 0.5) < 0.02
