"""NannyML: univariate drift and realised accuracy by chunk; CBPE where labels are late."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import common_streams as streams
import nannyml
import numpy as np
import pandas as pd
import record

NULL_SEEDS = 200
SEEDS = 20
LOAN_CHUNK = 5_000
LOAN_METRICS = {"roc_auc": "auc", "accuracy": "accuracy"}
"""Metric of CBPE, and its name among the estimates.

An alert on either is stored as one on ``score``: it is made of scores, without a label.
"""


@dataclass(frozen=True)
class Value:
    """A chunk's figure as a share of its distance to the threshold: an alert above 1."""

    at: int
    signal: str
    reached: float


def drift(table: streams.Table, rows: int) -> list[Value]:
    """Jensen-Shannon distance of every column and chunk; thresholds from reference chunks."""
    names = [name for name in table.reference.columns if name not in ("label", "error")]
    coded = sorted(set(names) & set(streams.EMPLOYMENT_FEATURES) - {"AGEP"})
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=names, treat_as_categorical=coded, chunk_size=rows
    )
    calculator.fit(table.reference[names])
    found = calculator.calculate(_full(table, rows)[names]).filter(period="analysis").to_df()
    return [
        Value(at, name, _reached(value, upper))
        for name in names
        for at, value, upper in zip(
            _ends(table, found),
            found[name, "jensen_shannon", "value"],
            found[name, "jensen_shannon", "upper_threshold"],
            strict=True,
        )
    ]


def accuracy(table: streams.Table, rows: int) -> list[Value]:
    """Realised accuracy; the default thresholds are three deviations of reference chunks."""
    calculator = nannyml.PerformanceCalculator(
        metrics=["accuracy"],
        y_true="label",
        y_pred="predicted",
        y_pred_proba="score",
        problem_type="classification_binary",
        chunk_size=rows,
    )
    calculator.fit(_predicted(table.reference))
    live = _predicted(_full(table, rows))
    found = calculator.calculate(live).filter(period="analysis").to_df()["accuracy"]
    lower, upper = found["lower_threshold"], found["upper_threshold"]
    middle = (lower + upper) / 2
    reached = (found["value"] - middle).abs() / (upper - middle)
    ends = range(table.first + rows - 1, table.first + len(live), rows)
    return [Value(at, "error", value) for at, value in zip(ends, reached, strict=True)]


def _reached(value: float, upper: float) -> float:
    """A column that is constant in the reference has threshold 0, and alerts above it."""
    if upper == 0:
        return float("inf") if value > 0 else 0.0
    return float(value / upper)


def _full(table: streams.Table, rows: int) -> pd.DataFrame:
    """Full windows only: an incomplete chunk would be judged by the same threshold."""
    return table.live.iloc[: len(table.live) // rows * rows].reset_index(drop=True)


def _predicted(rows: pd.DataFrame) -> pd.DataFrame:
    decided = (rows["score"] >= 0.5).astype(int)
    return rows[["label", "score"]].assign(predicted=decided)


def _ends(table: streams.Table, found: pd.DataFrame) -> list[int]:
    return [table.first + int(end) for end in found["chunk", "chunk", "end_index"]]


def alarms(values: Iterable[Value], factor: float = 1.0) -> list[record.Alarm]:
    """Alerts with all thresholds times a factor."""
    return record.alarms((v.at, v.signal) for v in values if v.reached > factor)


def worst_by_window(values: Iterable[Value]) -> list[float]:
    """The largest share of any signal in each window."""
    worst: dict[int, float] = {}
    for value in values:
        worst[value.at] = max(worst.get(value.at, 0.0), value.reached)
    return list(worst.values())


def exchangeable(data: Path) -> None:
    """G1: drift of inputs and score, and realised accuracy; 200 seeds, 20 of them matched."""
    rows = streams.ROWS_PER_WINDOW
    started, runs, matched, factors = time.perf_counter(), [], [], []
    for seed in range(NULL_SEEDS):
        table = streams.employment(data, seed)
        values = drift(table, rows) + accuracy(table, rows)
        runs.append(record.Run(seed=seed, alarms=alarms(values)))
        if seed >= SEEDS:
            continue
        worst: list[float] = []
        for day in streams.reference_days(table.reference, seed):
            worst += worst_by_window(drift(day, rows) + accuracy(day, rows))
        factors.append(record.second_worst(worst))
        matched.append(record.Run(seed=seed, alarms=alarms(values, factors[-1])))
    _write("G1", runs, {}, started)
    settings = {"thresholds_times": factors, "set_on": "ten days of each reference"}
    _write("G1", matched, settings, started, point="matched")


def ordered(case: str, variant: str, tables: Sequence[streams.Table], rows: int) -> None:
    """G2 and G4: rows in time; the matched factor is the best that the reference allows."""
    started, runs, matched, factors = time.perf_counter(), [], [], []
    for seed, table in enumerate(tables):
        values = drift(table, rows)
        runs.append(record.Run(seed=seed, alarms=alarms(values)))
        blocks = list(streams.reference_windows(table.reference, rows))
        factors.append(max(max(worst_by_window(drift(part, rows))) for part in blocks))
        matched.append(record.Run(seed=seed, alarms=alarms(values, factors[-1])))
    _write(case, runs, {}, started, variant=variant, rows=rows)
    settings = {"thresholds_times": factors, **record.few_windows(len(blocks))}
    _write(case, matched, settings, started, variant=variant, rows=rows, point="matched")


def late_labels(data: Path) -> None:
    """G5: CBPE by chunks of 5,000, without one label of the analysis rows."""
    started = time.perf_counter()
    reference, analysis = streams.car_loan(data)
    estimator = nannyml.CBPE(
        metrics=list(LOAN_METRICS),
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        problem_type="classification_binary",
        chunk_size=LOAN_CHUNK,
    )
    estimator.fit(reference)
    estimated = estimator.estimate(analysis.drop(columns="repaid"))
    realised = nannyml.PerformanceCalculator(
        metrics=list(LOAN_METRICS),
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        problem_type="classification_binary",
        chunk_size=LOAN_CHUNK,
    ).fit(reference)
    true = realised.calculate(analysis).filter(period="analysis").to_df()
    found = estimated.filter(period="analysis").to_df()
    ends = found["chunk", "end_index"].astype(int)
    estimates: dict[str, list[float]] = {}
    errors: dict[str, object] = {}
    alerts: set[tuple[int, str]] = set()
    for metric, name in LOAN_METRICS.items():
        estimates[name] = found[metric, "value"].astype(float).round(6).tolist()
        estimates[f"{name}_realised"] = true[metric, "value"].astype(float).round(6).tolist()
        gap = np.subtract(estimates[name], estimates[f"{name}_realised"])
        errors[f"mae_{name}"] = round(float(np.abs(gap).mean()), 6)
        alerts |= {(end, "score") for end in ends[found[metric, "alert"].astype(bool)]}
    run = record.Run(seed=0, alarms=record.alarms(alerts))
    settings = {"estimator": "CBPE", **errors}
    _write("G5", [run], settings, started, rows=LOAN_CHUNK, estimates=estimates)


def _write(
    case: str,
    runs: Sequence[record.Run],
    settings: Mapping[str, object],
    started: float,
    *,
    variant: str = "",
    rows: int = streams.ROWS_PER_WINDOW,
    point: record.Point = "default",
    estimates: dict[str, list[float]] | None = None,
) -> None:
    record.write(
        peer="nannyml",
        package="nannyml",
        case=case,
        variant=variant,
        point=point,
        settings=settings,
        runs=runs,
        rows_per_window=rows,
        started=started,
        estimates=estimates,
    )


def main() -> None:
    """Run the cases asked for."""
    options = record.arguments()
    if options.only in ("", "G2"):
        ordered("G2", "SKAB", [streams.skab(options.data)], 500)
        ordered("G2", "AR(.9)", [streams.autoregressive(seed) for seed in range(SEEDS)], 500)
    if options.only in ("", "G4"):
        ordered("G4", "", [streams.elec2(options.data)], streams.ROWS_PER_WINDOW)
    if options.only in ("", "G5"):
        late_labels(options.data)
    if options.only in ("", "G1"):
        exchangeable(options.data)


if __name__ == "__main__":
    main()
