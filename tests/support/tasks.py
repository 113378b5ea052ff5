"""Live traffic of every task as events, healthy or in trouble, drawn with a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

HOUR_MS = 3_600_000
LABEL_MS = 60_000
"""A label comes a minute after its prediction."""

Answer = tuple[dict[str, Any], dict[str, Any]]
"""An output and the feedback on it."""

Draw = Callable[[np.random.Generator, bool], Answer]


def binary(rng: np.random.Generator, bad: bool) -> Answer:
    """Calibrated scores; in trouble a third of the labels is turned round."""
    score = float(rng.beta(1, 3))
    label = bool(rng.random() < score) ^ bool(bad and rng.random() < 0.33)
    return {"score": score}, {"label": label}


def multiclass(rng: np.random.Generator, bad: bool) -> Answer:
    """Calibrated scores of three classes; in trouble every class is taken for another."""
    scores = rng.dirichlet([4, 2, 1])
    label = int(rng.choice(3, p=scores))
    names = ("cow", "cat", "dog") if bad else ("cat", "dog", "cow")
    output = {"scores": dict(zip(names, scores.tolist(), strict=True))}
    return output, {"label": ("cat", "dog", "cow")[label]}


def regression(rng: np.random.Generator, bad: bool) -> Answer:
    """Normal errors and their true quantiles; in trouble all forecasts are too low."""
    mean = float(rng.normal(10, 2))
    ends = {"0.1": -1.2816, "0.5": 0.0, "0.9": 1.2816}
    quantiles = {level: mean + z for level, z in ends.items()}
    truth = mean + float(rng.normal(1.5 if bad else 0.0, 1.0))
    interval = [quantiles["0.1"], quantiles["0.9"]]
    return {"value": mean, "interval": interval, "quantiles": quantiles}, {"value": truth}


def ranking(rng: np.random.Generator, bad: bool) -> Answer:
    """Popular items first, and a click on one of them; in trouble stale items and empty lists."""
    if bad and rng.random() < 0.2:
        return {"items": []}, {"signals": {"clicked": 0.0}}
    popular = 1 / np.arange(1, 61)
    chosen = rng.choice(60, 10, replace=False, p=popular / popular.sum())
    items = [f"{'old' if bad else 'item'}-{k}" for k in chosen]
    if rng.random() < (0.85 if bad else 0.6):
        return {"items": items}, {"signals": {"clicked": 0.0}}
    return {"items": items}, {"signals": {"clicked": items[min(int(rng.geometric(0.4)), 10) - 1]}}


def chat(rng: np.random.Generator, bad: bool) -> Answer:
    """Long answers that most like; in trouble they are short and disliked, and asked for again."""
    signals = {
        "tokens": float(rng.gamma(2, 20 if bad else 100)),
        "toxicity": float(rng.beta(1, 30)),
    }
    thumbs = 1.0 if rng.random() < (0.5 if bad else 0.85) else -1.0
    again = float(rng.random() < (0.3 if bad else 0.05))
    return {"signals": signals}, {"signals": {"thumbs": thumbs, "regenerated": again}}


DRAWS: dict[str, Draw] = {
    draw.__name__: draw for draw in (binary, multiclass, regression, ranking, chat)
}


def events(
    task: str, *, hour: int, n: int, seed: int, bad: bool = False
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """``n`` predictions of one hour and the feedback on each, in order of time."""
    rng = np.random.default_rng([seed, hour])
    predictions, feedback = [], []
    for i in range(n):
        time_ms = hour * HOUR_MS + math.floor(i * HOUR_MS / n)
        output, told = DRAWS[task](rng, bad)
        common = {"prediction_id": f"{hour}-{i}", "model": "m"}
        features = {} if task == "chat" else {"x": float(rng.normal())}
        predictions.append(
            {**common, "version": "v1", "time": time_ms, "output": output, "features": features}
        )
        feedback.append({**common, "time": time_ms + LABEL_MS, **told})
    return predictions, feedback
