"""The streams of the quality cases, built with numpy and pandas alone.

Every peer runs in an environment of its own, so nothing of the project is imported here. Each
function is a pure function of the data folder and a seed, and every row has one number: the row of
the file where the truth of a case is a row of the file (G3, G4, G5), else the row after the
reference (G1, G2, G7, errors) or of the stream (G6).
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Flags = NDArray[np.int8]

ROWS_PER_WINDOW = 2_000
WINDOWS_PER_DAY = 24
"""A monitor-day: 24 windows of 2,000 events."""

EMPLOYMENT_FEATURES = (
    *("AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG"),
    *("MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P"),
)
EMPLOYMENT_NUMERIC = ("AGEP",)
EMPLOYMENT_REFERENCE = 68_785
ELEC2_FEATURES = ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
ELEC2_REFERENCE = 8_000
INSECTS_TRAINING = 4_000
SKAB_REFERENCE = 2_000
ERRORS_SHIFT = 8_000
ERRORS_LENGTH = 16_000
CALIBRATION_SHIFT = 24_000
CANARY_BASELINE = 0.50
CANARY_THRESHOLDS = (0.475, 0.375, 0.35, 0.325, 0.30, 0.275)


@dataclass(frozen=True)
class Errors:
    """Errors (0 or 1) of a frozen model on reference rows and on the rows that follow."""

    reference: Flags
    live: Flags
    first: int = 0


@dataclass(frozen=True)
class Table:
    """Reference rows and the rows that follow; ``first`` is the number of the first of these."""

    reference: pd.DataFrame
    live: pd.DataFrame
    first: int = 0

    def windows(self, rows: int = ROWS_PER_WINDOW) -> Iterator[tuple[int, pd.DataFrame]]:
        """Full windows, each with the number of its last row."""
        for start in range(0, len(self.live) - rows + 1, rows):
            yield self.first + start + rows - 1, self.live.iloc[start : start + rows]

    def errors(self) -> Errors:
        """The column ``error`` alone."""
        return Errors(self.reference["error"].to_numpy(), self.live["error"].to_numpy(), self.first)


def employment(data: Path, seed: int) -> Table:
    """G1: 2015 and 2016 pooled and permuted; columns: 16 features (codes), score, error, label.

    ``default_rng(seed).permutation`` over 2015 followed by 2016. The first 68,785 rows are the
    reference, the next 48,000 the stream: 24 windows of 2,000. The rest is not used.
    """
    pooled = _pooled(data)
    order = np.random.default_rng(seed).permutation(len(pooled))
    live_end = EMPLOYMENT_REFERENCE + WINDOWS_PER_DAY * ROWS_PER_WINDOW
    return Table(
        reference=pooled.iloc[order[:EMPLOYMENT_REFERENCE]].reset_index(drop=True),
        live=pooled.iloc[order[EMPLOYMENT_REFERENCE:live_end]].reset_index(drop=True),
    )


def reference_days(reference: pd.DataFrame, seed: int, days: int = 10) -> Iterator[Table]:
    """Monitor-days cut from reference rows alone, to set a threshold without a scored row.

    Each permutes the reference anew; its last 48,000 rows are the stream. Only for exchangeable
    rows, as in G1: an order in time would be lost.
    """
    random = np.random.default_rng((seed, days))
    split = len(reference) - WINDOWS_PER_DAY * ROWS_PER_WINDOW
    for _ in range(days):
        order = random.permutation(len(reference))
        yield Table(reference.iloc[order[:split]], reference.iloc[order[split:]])


def reference_windows(reference: pd.DataFrame, rows: int) -> Iterator[Table]:
    """Each window of the reference in order of time, beside all other reference rows."""
    for start in range(0, len(reference) - rows + 1, rows):
        window = reference.iloc[start : start + rows]
        yield Table(reference.drop(window.index), window)


@cache
def _pooled(data: Path) -> pd.DataFrame:
    files = ("reference_2015", "stream_2016")
    years = [_employed(data / f"employment/{file}.parquet") for file in files]
    return pd.concat(years, ignore_index=True)


def _employed(path: Path) -> pd.DataFrame:
    rows = pd.read_parquet(path)
    features = {name: rows[name].astype(float).astype(int) for name in EMPLOYMENT_FEATURES}
    features |= {name: rows[name].astype(float) for name in EMPLOYMENT_NUMERIC}
    score = rows["predicted_probability"].astype(float)
    label = rows["employed"].astype(np.int8)
    error = ((score >= 0.5) != label.astype(bool)).astype(np.int8)
    return pd.DataFrame({**features, "score": score, "error": error, "label": label})


def sharpened(score: Floats, factor: float) -> Floats:
    """G7: scores with their logits times ``factor``; no decision at one half changes."""
    bounded = np.clip(score, 1e-12, 1 - 1e-12)
    logit = factor * (np.log(bounded) - np.log1p(-bounded))
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)


def calibration(data: Path, seed: int, factor: float) -> Table:
    """G7: the rows of G1 with sharpened scores from row 24,000 of the stream on."""
    table = employment(data, seed)
    score = table.live["score"].to_numpy(copy=True)
    score[CALIBRATION_SHIFT:] = sharpened(score[CALIBRATION_SHIFT:], factor)
    return Table(table.reference, table.live.assign(score=score))


def skab(data: Path) -> Table:
    """G2: eight sensors at 1 Hz; the first 2,000 rows are the reference."""
    rows = pd.read_csv(data / "skab/anomaly-free.csv", sep=";").drop(columns="datetime")
    return Table(
        rows.iloc[:SKAB_REFERENCE],
        rows.iloc[SKAB_REFERENCE:].reset_index(drop=True),
    )


def autoregressive(seed: int, coefficient: float = 0.9, columns: int = 8) -> Table:
    """G2: Gaussian AR(1) with unit variance; 2,000 reference rows, then 24 windows of 2,000.

    ``default_rng(seed).standard_normal((50_000, 8))`` are the innovations; the first row is one.
    """
    length = SKAB_REFERENCE + WINDOWS_PER_DAY * ROWS_PER_WINDOW
    values = np.random.default_rng(seed).standard_normal((length, columns))
    scale = np.sqrt(1 - coefficient**2)
    for row in range(1, length):
        values[row] = coefficient * values[row - 1] + scale * values[row]
    rows = pd.DataFrame(values, columns=[f"x{column}" for column in range(columns)])
    return Table(
        rows.iloc[:SKAB_REFERENCE],
        rows.iloc[SKAB_REFERENCE:].reset_index(drop=True),
    )


def elec2(data: Path) -> Table:
    """G4: six inputs of the electricity market (date and day left out), 8,000 reference rows."""
    lines = _member(data / "elec2/Electricity.zip").splitlines()
    header = [line.split()[1] for line in lines if line.startswith("@attribute")]
    body = lines[lines.index("@data") + 1 :]
    rows = pd.DataFrame([line.split(",") for line in body if line], columns=header)
    rows = rows[list(ELEC2_FEATURES)].astype(float)
    return Table(
        rows.iloc[:ELEC2_REFERENCE],
        rows.iloc[ELEC2_REFERENCE:].reset_index(drop=True),
        first=ELEC2_REFERENCE,
    )


def insects(data: Path) -> Errors:
    """G3: errors of Gaussian naive Bayes frozen on the first 4,000 rows of INSECTS, gradual."""
    text = _member(data / "insects/gradual_balanced_24150.zip")
    rows = np.array([line.split(",") for line in text.split()], dtype=np.float64)
    inputs, classes = rows[:, :-1], rows[:, -1].astype(int)
    predicted = _naive_bayes(inputs[:INSECTS_TRAINING], classes[:INSECTS_TRAINING], inputs)
    wrong = (predicted != classes).astype(np.int8)
    return Errors(wrong[:INSECTS_TRAINING], wrong[INSECTS_TRAINING:], first=INSECTS_TRAINING)


def _naive_bayes(inputs: Floats, classes: NDArray[np.int_], unseen: Floats) -> NDArray[np.int_]:
    """Gaussian naive Bayes; variances get 1e-9 of the largest variance of an input."""
    smoothing = 1e-9 * inputs.var(axis=0).max()
    labels = np.unique(classes)
    scores = []
    for label in labels:
        own = inputs[classes == label]
        variance = own.var(axis=0) + smoothing
        distance = ((unseen - own.mean(axis=0)) ** 2 / variance).sum(axis=1)
        scores.append(
            np.log(len(own) / len(inputs)) - 0.5 * (np.log(2 * np.pi * variance).sum() + distance)
        )
    return np.asarray(labels[np.argmax(scores, axis=0)])


def shifted_errors(seed: int, rate: float, level: float = 0.10) -> Errors:
    """Errors at ``level`` that go to ``rate`` at row 8,000 of 16,000; 8,000 reference errors.

    ``default_rng(seed).random(24_000)`` in order: reference, then stream; below the rate is 1.
    """
    uniform = np.random.default_rng(seed).random(ERRORS_SHIFT + ERRORS_LENGTH)
    live = uniform[ERRORS_SHIFT:]
    rates = np.where(np.arange(ERRORS_LENGTH) < ERRORS_SHIFT, level, rate)
    return Errors(
        (uniform[:ERRORS_SHIFT] < level).astype(np.int8),
        (live < rates).astype(np.int8),
    )


def car_loan(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """G5: reference and analysis rows, both with ``repaid``; the shift is at analysis row 25,000.

    A peer may see ``repaid`` of an analysis row only 10,000 rows later.
    """
    analysis = pd.read_parquet(data / "car_loan/analysis.parquet")
    target = pd.read_parquet(data / "car_loan/analysis_target.parquet")
    return (
        pd.read_parquet(data / "car_loan/reference.parquet"),
        analysis.merge(target, on="id", how="left", validate="one_to_one"),
    )


def households(data: Path) -> pd.DataFrame:
    """G6: rows of 2017 in order: ``id``, ``household``, ``score``, ``label``.

    Persons of a household follow each other and the first has RELP 0; who lives in group quarters
    (RELP 16, 17) is a household alone.
    """
    rows = pd.read_parquet(data / "employment/stream_2017_households.parquet")
    opens = rows["RELP"].astype(str).isin(("0", "16", "17"))
    return pd.DataFrame(
        {
            "id": rows["id"],
            "household": opens.cumsum(),
            "score": rows["predicted_probability"],
            "label": rows["employed"].astype(np.int8),
        }
    )


def arms(units: NDArray[np.int_], seed: int) -> Bools:
    """G6: True for the canary, by the first byte of ``blake2b(f"{seed}:{unit}")`` below 128."""
    unique, places = np.unique(units, return_inverse=True)
    first = [hashlib.blake2b(f"{seed}:{unit}".encode()).digest()[0] for unit in unique.tolist()]
    return np.asarray(np.array(first)[places] < 128)


def _member(archive: Path) -> str:
    """The one text file in a zip archive."""
    with zipfile.ZipFile(archive) as opened:
        return opened.read(opened.namelist()[0]).decode()
