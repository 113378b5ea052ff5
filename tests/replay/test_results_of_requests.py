"""Requests to retrain, advice and audit among the results: once each, and in files of their own."""

from __future__ import annotations

from rich.text import Text

from schemas.fallback import Advice, FallbackKind
from schemas.retraining import RetrainReason, RetrainRequest
from streams import story
from streams.audit.link import linked
from streams.results import Results

REQUEST = RetrainRequest(
    id="r1",
    model="m",
    version="v1",
    reasons=[RetrainReason.PERSON],
    summary="Train m v1 again: a person asked for it",
    from_ms=0,
    to_ms=1,
    labels=7,
    features=[],
    evidence=[],
    decided_at_ms=60_000,
    policy="p",
    cut={},
)
ADVICE = Advice(
    id="a1",
    model="m",
    degraded=True,
    use=FallbackKind.HUMAN,
    version=None,
    since_ms=120_000,
    evidence=["x"],
    summary="Do not rely on m v1",
    policy="p",
    cut={},
)
RECORD = linked(
    model="m",
    sequence=0,
    previous="",
    peaks=(),
    kind="retrain",
    event_id="r1",
    at_ms=60_000,
    subject=REQUEST.model_dump(mode="json"),
)
EVENTS = (("retraining", REQUEST), ("advice", ADVICE), ("audit", RECORD))


def test_what_is_published_twice_counts_once_and_is_no_dead_letter():
    """News has it the first time only."""
    results = Results()
    first = [results.add(topic, event.model_dump_json().encode()) for topic, event in EVENTS]
    again = [results.add(topic, event.model_dump_json().encode()) for topic, event in EVENTS]
    assert [(news.retraining, news.advice) for news in first] == [
        ([REQUEST], []),
        ([], [ADVICE]),
        ([], []),
    ]
    assert not any(news.retraining or news.advice for news in again)
    assert list(results.audit.values()) == [RECORD]
    assert results.dead_letters == 0


def test_there_is_a_file_for_what_there_is(tmp_path):
    """Without requests and advice, neither has a file."""
    empty = [path.name for path in Results().write(tmp_path / "empty")]
    assert empty == ["windows.jsonl", "alerts.jsonl", "rollouts.jsonl", "ledger.json"]
    results = Results(retraining={"r1": REQUEST}, advice={"a1": ADVICE})
    files = {path.name: path for path in results.write(tmp_path / "full")}
    assert set(files) == {*empty, "retraining.jsonl", "advice.jsonl"}
    assert RetrainRequest.model_validate_json(files["retraining.jsonl"].read_text()) == REQUEST
    assert Advice.model_validate_json(files["advice.jsonl"].read_text()) == ADVICE


def test_lines_for_people_say_when_what_and_why():
    """In one line each."""
    request = Text.from_markup(story.retrain_line(REQUEST)).plain
    assert request == "1970-01-01 00:01  RETRAIN  Train m v1 again: a person asked for it"
    advice = Text.from_markup(story.advice_line(ADVICE)).plain
    assert advice == "1970-01-01 00:02  ADVICE  Do not rely on m v1"
