"""The streams of the cases, read from the data folder beside the project.

``KITTIWAKE_QUALITY_DATA`` names another folder. Every stream is a function of its seed, and equals
what the peers' scripts build with pandas (`peers/common_streams.py`).
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from detectors.arrays import BoolArray, FloatArray
from detectors.summary import Ints

DATA = Path(os.environ.get("KITTIWAKE_QUALITY_DATA", Path(__file__).parents[3] / "shared" / "data"))

EMPLOYMENT = (
    *("AGEP", "SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG"),
    *("MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM", "SEX", "RAC1P"),
)
ELEC2 = ("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
CAR_LOAN = (
    *("car_value", "salary_range", "debt_to_income_ratio", "loan_length"),
    *("repaid_loan_on_prev_car", "size_of_downpayment", "driver_tenure"),
)
REFERENCE_2015 = 68_785

Column = Sequence[bool | float | str | None]


@dataclass(frozen=True)
class Rows:
    """Rows in order: inputs, and where the model has them, scores and truths, all of length n.

    ``classes`` are the scores by class (n, C) of a multiclass model, whose truth is a column.
    ``decided`` is what a binary model decided, where that is not its score against one half.
    """

    features: Mapping[str, Column]
    score: FloatArray | None = None
    truth: Ints | None = None
    classes: FloatArray | None = None
    decided: BoolArray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.features.values()), self.score if self.score is not None else ()))

    def take(self, places: Ints) -> Rows:
        """The rows at some places, in that order."""
        chosen = places.tolist()
        return Rows(
            {name: [column[i] for i in chosen] for name, column in self.features.items()},
            None if self.score is None else self.score[places],
            None if self.truth is None else self.truth[places],
            None if self.classes is None else self.classes[places],
            None if self.decided is None else self.decided[places],
        )

    def __getitem__(self, rows: slice) -> Rows:
        return self.take(np.arange(len(self))[rows])


def present() -> bool:
    """Whether the data folder is there."""
    return (DATA / "employment" / "stream_2016.parquet").exists()


@cache
def employment(*years: str) -> Rows:
    """Employment microdata of some files, one after another."""
    tables = [parquet.read_table(DATA / "employment" / f"{year}.parquet") for year in years]
    return Rows(
        {name: [v for table in tables for v in table[name].to_pylist()] for name in EMPLOYMENT},
        np.concatenate([table["predicted_probability"].to_numpy() for table in tables]),
        np.concatenate([table["employed"].to_numpy() for table in tables]),
    )


def pooled(seed: int, rows: int) -> tuple[Rows, Rows]:
    """2015 and 2016 permuted: 68,785 reference rows, and ``rows`` rows of a stream."""
    both = employment("reference_2015", "stream_2016")
    order = np.random.default_rng(seed).permutation(len(both))
    end = REFERENCE_2015 + rows
    return both.take(order[:REFERENCE_2015]), both.take(order[REFERENCE_2015:end])


def sharpened(score: FloatArray, factor: float) -> FloatArray:
    """Scores with logits times ``factor``; no decision at one half changes.

    Examples
    --------
    >>> sharpened(np.array([0.2, 0.5]), 1.5).round(4).tolist()
    [0.1111, 0.5]
    """
    bounded = np.clip(score, 1e-12, 1 - 1e-12)
    logit = factor * (np.log(bounded) - np.log1p(-bounded))
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), np.float64)


@cache
def skab() -> Rows:
    """Eight sensors of a water loop at 1 Hz, nothing wrong."""
    table = csv.read_csv(
        DATA / "skab" / "anomaly-free.csv", parse_options=csv.ParseOptions(delimiter=";")
    )
    names = [name for name in table.column_names if name != "datetime"]
    return Rows({name: table[name].to_pylist() for name in names})


def autoregressive(seed: int, rows: int, *, coefficient: float = 0.9, columns: int = 8) -> Rows:
    """Gaussian AR(1) with unit variance."""
    values = np.random.default_rng(seed).standard_normal((rows, columns))
    scale = np.sqrt(1 - coefficient**2)
    for row in range(1, rows):
        values[row] = coefficient * values[row - 1] + scale * values[row]
    return Rows({f"x{column}": values[:, column].tolist() for column in range(columns)})


@cache
def elec2() -> Rows:
    """Six inputs of the electricity market of New South Wales, half-hourly."""
    lines = _member(DATA / "elec2" / "Electricity.zip").splitlines()
    header = [line.split()[1] for line in lines if line.startswith("@attribute")]
    cells = [line.split(",") for line in lines[lines.index("@data") + 1 :] if line]
    return Rows({name: [float(row[header.index(name)]) for row in cells] for name in ELEC2})


@cache
def insects() -> tuple[FloatArray, Ints]:
    """33 wing-beat features (n, 33) and the species (n,) of INSECTS, gradual, balanced."""
    text = _member(DATA / "insects" / "gradual_balanced_24150.zip")
    rows = np.array([line.split(",") for line in text.split()], np.float64)
    return rows[:, :-1], rows[:, -1].astype(np.int64)


@cache
def car_loan(part: str) -> Rows:
    """Car loans, ``reference`` or ``analysis``, with the truths of both."""
    table = parquet.read_table(DATA / "car_loan" / f"{part}.parquet")
    known = table if part == "reference" else parquet.read_table(_target())
    return Rows(
        {name: table[name].to_pylist() for name in CAR_LOAN},
        table["y_pred_proba"].to_numpy(),
        known["repaid"].to_numpy().astype(np.int64),
    )


def _target() -> Path:
    return DATA / "car_loan" / "analysis_target.parquet"


@cache
def households() -> tuple[Rows, Ints]:
    """Employment of 2017, and the household of each row.

    Persons of a household follow each other and the first has RELP 0; who lives in group quarters
    (RELP 16, 17) is a household alone.
    """
    rows = employment("stream_2017_households")
    opens = np.isin(np.array(rows.features["RELP"], np.str_), ["0", "16", "17"])
    return rows, np.cumsum(opens)


def in_canary(units: Sequence[int], seed: int) -> BoolArray:
    """Whether each unit is in the canary, by the first byte of a hash of seed and unit."""
    prefix = f"{seed}:"
    first = [blake2b(f"{prefix}{unit}".encode()).digest()[0] for unit in units]
    return np.array(first) < 128


def _member(archive: Path) -> str:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(opened.namelist()[0]).decode()
