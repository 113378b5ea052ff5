"""Lines and tables of the terminal, from results as they are published."""

from __future__ import annotations

import pytest
from published import an_alert
from rich.console import Console
from rich.table import Table

from schemas.alerts import Alert, AlertAction, Severity
from schemas.predictions import Arm
from schemas.windows import Coverage, Metric, Verdict, WindowResult
from streams import story
from streams.results import Results

HOUR = 3_600_000
T0 = 1_767_225_600_000


def alert(action: AlertAction, *, severity: Severity = Severity.PAGE, at: int = 1) -> Alert:
    return an_alert(
        id=f"{action}-{at}",
        alert_id="incident-1",
        action=action,
        model="fraud[eu]",
        segment="region=[x]",
        severity=severity,
        opened_at_ms=T0,
        window_start_ms=T0 + (at - 1) * HOUR,
        window_end_ms=T0 + at * HOUR,
        summary="fraud[eu] errs: 50 % [red] of 10",
    )


def window(i: int, *, segment: str = "", verdict: Verdict = Verdict.HEALTHY) -> WindowResult:
    metrics = [
        Metric(name="error_rate", n=1_234, value=0.1234, low=0.1, high=0.15, verdict=verdict),
        Metric(name="brier", n=1_234, value=0.0567),
        Metric(name="tv", feature="amount[0]", n=1_234, value=0.25),
        Metric(name="tv", feature="age", n=1_234, value=0.05),
    ]
    return WindowResult(
        id=f"w{i}{segment}",
        model="fraud[eu]",
        version="v1",
        arm=Arm.CANARY,
        segment=segment,
        start_ms=T0 + i * HOUR,
        end_ms=T0 + (i + 1) * HOUR,
        policy="p",
        reference="r",
        predictions=1_234 + i,
        late=0,
        duplicates=0,
        strays=0,
        coverage=Coverage(
            predictions=1_234, labelled=617, share=0.5, matured=True, median_delay_ms=None
        ),
        verdict=verdict,
        metrics=metrics,
        reliability=[],
        revision=1,
        cut={},
    )


def shown(what: Table | str, *, width: int = 160) -> str:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(what, soft_wrap=isinstance(what, str))
    return capture.get()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (alert(AlertAction.OPENED), "2026-01-01 01:00  PAGE    fraud[eu] errs: 50 % [red] of 10"),
        (
            alert(AlertAction.OPENED, severity=Severity.TICKET),
            "2026-01-01 01:00  TICKET  fraud[eu] errs: 50 % [red] of 10",
        ),
        (
            alert(AlertAction.RESOLVED, at=3),
            "2026-01-01 03:00  resolved  fraud[eu] errs: 50 % [red] of 10",
        ),
    ],
)
def test_an_alert_is_one_line_with_its_words_whole(event: Alert, expected: str) -> None:
    """Brackets in a name are no colours."""
    assert shown(story.alert_line(event)) == expected + "\n"


def test_a_window_is_one_row() -> None:
    """Figures with their intervals, the feature that moved most, and the verdict."""
    results = Results(windows={"a": window(0), "b": window(0, segment="region=EU")})
    text = shown(story.windows_table(results, width=160))
    (row,) = [line for line in text.splitlines() if "fraud[eu]" in line]
    for cell in (
        "2026-01-01 00:00",
        "fraud[eu] v1 canary",
        "1,234",
        "50%",
        "12.3 (10.0–15.0)",
        "0.057",
        "amount[0] 0.25",
        "healthy",
    ):
        assert cell in row


def test_many_windows_are_thinned_and_the_last_one_stays() -> None:
    """In order of time, and never more than asked for."""
    results = Results(windows={str(i): window(i) for i in range(95)})
    text = shown(story.windows_table(results, width=160, most=30))
    counts = [int(x.split("canary")[1].split()[0].replace(",", "")) for x in _rows(text)]
    assert counts == sorted(counts)
    assert 20 < len(counts) <= 30
    assert counts[-1] >= 1_234 + 95 - 4


@pytest.mark.parametrize("width", [76, 100, 130])
def test_a_table_leaves_columns_out_before_it_cuts_a_cell(width: int) -> None:
    """The least important first, and says so; dates and figures stay whole."""
    results = Results(windows={str(i): window(i) for i in range(95)})
    text = shown(story.windows_table(results, width=width, most=30), width=width)
    assert all(len(line) <= width for line in text.splitlines())
    rows = [line for line in text.splitlines() if "2026-01-0" in line]
    assert len(rows) == 23
    for row in rows:
        assert "12.3 (10.0–15.0)" in row
        assert row.split()[-1] == "healthy"
    assert "…" not in text
    words = " ".join(text.split())
    assert "23 of 95 windows; all are in windows.jsonl" in words
    head = text.splitlines()[2].split("  ")
    missing = [name for name in story.LEFT_OUT if name not in map(str.strip, head)]
    assert missing == list(story.LEFT_OUT[: len(missing)])
    assert (f"no room for {', '.join(missing)}" in words) == bool(missing)
    assert len(missing) == {76: 4, 100: 3, 130: 0}[width]


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if "canary" in line]


def test_alerts_are_grouped_and_open_ones_marked() -> None:
    """Opened twice, resolved once: the second is open now."""
    first, again = alert(AlertAction.OPENED), alert(AlertAction.OPENED, at=30)
    again = again.model_copy(update={"alert_id": "incident-2"})
    known = [first, alert(AlertAction.RESOLVED, at=3)]
    closed = shown(story.alerts_table(Results(alerts={a.id: a for a in known}), width=160))
    assert "yes" not in closed
    text = shown(story.alerts_table(Results(alerts={a.id: a for a in (*known, again)}), width=160))
    (row,) = [line for line in text.splitlines() if "fraud[eu]" in line]
    assert row.split() == [
        *("fraud[eu]", "v1", "region=[x]", "error_rate", "page", "2"),
        *("2026-01-01", "2026-01-02", "yes"),
    ]
