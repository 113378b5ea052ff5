"""Pages say what the stored results say."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import banks, ingest, pages

NAMES = ("read and decode", "INGEST of predictions")


def log(*runs: tuple[int, int]) -> dict[str, Any]:
    return {
        "events_per_cpu_second": [dict(zip(NAMES, run, strict=True)) for run in runs],
        "ratios": [
            {
                "of": NAMES[1],
                "to": NAMES[0],
                "target": 0.6,
                "minimum": 0.5,
                "median": 0.8 - len(runs) / 10,
                "maximum": 0.9,
            }
        ],
    }


def test_pages_are_those_of_the_stored_results() -> None:
    """Else run ``python -m benchmarks --report``, which writes them."""
    assert [path.name for path, text in pages().items() if path.read_text() != text] == []


def test_a_ratio_is_met_by_its_median() -> None:
    """Each log has a column; figures are those of all its runs."""
    machine = dict.fromkeys(("date", "processor", "cores", "python", "kafka", "librdkafka"), "some")
    logs = {"kafka": log((10_000, 5_000), (20_000, 9_000), (30_000, 27_000)), "memory": log((8, 4))}
    text = ingest({"machine": machine, "logs": logs})
    assert "; 3 runs, " in text
    assert "| INGEST of predictions | 4 / 4 / 4 | 5,000 / 9,000 / 27,000 |\n" in text
    assert (
        "| INGEST of predictions / read and decode | ≥ 0.6"
        " | 0.70 (0.50 to 0.90), met | 0.50 (0.50 to 0.90), **missed** |\n"
    ) in text


def test_a_bank_stands_beside_its_tests_alone() -> None:
    stored = {
        "kinds": {
            "B9": {
                "cpu_milliseconds": [
                    {"bank": 2.0, "one by one": 100.4},
                    {"bank": 1.0, "one by one": 90.0},
                ],
                "times_as_fast": {"median": 70.4},
            }
        }
    }
    assert banks(stored).splitlines()[2:] == ["| B9 | 1.0 / 1.5 / 2.0 | 90 / 95 / 100 | 70 |"]
