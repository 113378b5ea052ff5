"""Times keep their millisecond, and records say in their headers what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas import cloudevents
from schemas.base import MAX_TIME_MS, EventTime, iso, milliseconds

times = st.integers(0, MAX_TIME_MS)


@given(time_ms=times)
def test_iso_keeps_the_millisecond(time_ms: int) -> None:
    """Text and back is exact for every time an event may carry."""
    assert milliseconds(iso(time_ms)) == time_ms
    assert milliseconds(time_ms) == time_ms


@given(time_ms=times, offset=st.integers(-14 * 60, 14 * 60))
def test_offsets_name_the_same_moment(time_ms: int, offset: int) -> None:
    """The offset is part of the text, not of the time."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    text = moment.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    assert milliseconds(text) == time_ms


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01T00:00:00.0019999Z", 1),
        ("1970-01-01T01:00:00.123456789+01:00", 123),
        ("1969-12-31T23:59:59.9995Z", -1),
    ],
)
def test_finer_fractions_are_cut(text: str, time_ms: int) -> None:
    """A time is in the millisecond that has begun."""
    assert TypeAdapter(EventTime).validate_python(text) == text
    assert milliseconds(text) == time_ms


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_days_that_do_not_exist(text: str) -> None:
    """The form is right, the day or hour is not."""
    assert TypeAdapter(EventTime).validate_python(text) == text
    with pytest.raises(ValueError, match=r"."):
        milliseconds(text)


def test_headers_are_read_back() -> None:
    """What is written is found, as bytes or as text, the first of its name."""
    written = cloudevents.headers(type=cloudevents.FEEDBACK, source="/desk", id="1", time_ms=0)
    assert written[0] == ("ce_specversion", b"1.0")
    assert cloudevents.event_type(written) == cloudevents.FEEDBACK
    assert cloudevents.content_type(written) == "application/json"
    assert cloudevents.event_type([("ce_type", None), ("ce_type", "a"), ("ce_type", "b")]) == "a"


def test_bare_records_have_no_type() -> None:
    """No headers, other headers or bytes that are no text: no type, and no exception."""
    assert cloudevents.event_type(None) is None
    assert cloudevents.event_type([]) is None
    assert cloudevents.content_type([("CE_TYPE", b"x")]) is None
    assert cloudevents.event_type([("ce_type", b"\xff")]) not in cloudevents.TYPES


def test_event_types_are_distinct_and_versioned() -> None:
    """A type names one kind of event and its version."""
    assert len(set(cloudevents.TYPES)) == len(cloudevents.TYPES)
    for name in cloudevents.TYPES:
        assert name.startswith("io.kittiwake.")
        assert name.endswith(".v1")
