"""A webhook is believed only if it was signed with the secret, as it is, and just now."""

from __future__ import annotations

import hmac

import pytest
from kittiwake_client import InvalidSignature, verify
from kittiwake_client import signature as client

from streams.act.notify import webhook

NOW_S = 1_700_000_000
SECRET = "s3cret"
BODY = '{"id":"s1","summary":"3,4 % € ü"}'.encode()


def _signed(body: bytes = BODY, at_s: int = NOW_S, secret: str = SECRET) -> dict[str, str]:
    stamp = str(at_s)
    return {"timestamp": stamp, "signature": webhook.signature(body, stamp, secret)}


def test_both_ends_name_the_same_headers() -> None:
    """What Kittiwake sends is what the client tells its users to read."""
    assert (client.TIMESTAMP, client.SIGNATURE) == (webhook.TIMESTAMP, webhook.SIGNATURE)


def test_the_signature_is_the_documented_one() -> None:
    """HMAC-SHA-256 of the timestamp, a dot and the body, in hexadecimal: anybody can compute it."""
    expected = hmac.new(SECRET.encode(), f"{NOW_S}.".encode() + BODY, "sha256").hexdigest()
    assert _signed()["signature"] == f"v1={expected}"


@pytest.mark.parametrize("late_s", [-300, 0, 300])
def test_a_request_of_now_is_believed(late_s: int) -> None:
    """Within the tolerance, on either side."""
    verify(BODY, **_signed(), secret=SECRET, now_s=NOW_S + late_s)


@pytest.mark.parametrize("late_s", [-301, 301, 86_400])
def test_a_request_of_another_time_is_a_replay(late_s: int) -> None:
    """Although it is signed well."""
    with pytest.raises(InvalidSignature, match="apart"):
        verify(BODY, **_signed(), secret=SECRET, now_s=NOW_S + late_s)


@pytest.mark.parametrize(
    "changed",
    [
        {"body": BODY.replace(b"s1", b"s2")},
        {"secret": "other"},
        {"timestamp": str(NOW_S + 1)},
        {"signature": ""},
        {"signature": "v1="},
        {"signature": "v1=é"},
        {"signature": _signed()["signature"].replace("v1", "v2")},
        {"timestamp": ""},
        {"timestamp": "-1"},
        {"timestamp": "١٧"},
        {"timestamp": "1.7e9"},
        {"timestamp": "9" * 400},
        {"timestamp": "9" * 5_000},
        {"signature": "v1=\udce9"},
    ],
)
def test_anything_changed_is_refused(changed: dict[str, object]) -> None:
    """The body, the secret, the time, or the signature itself."""
    given: dict[str, object] = {"body": BODY, **_signed(), "secret": SECRET, "now_s": NOW_S}
    given |= changed
    with pytest.raises(InvalidSignature):
        verify(given.pop("body"), **given)


def test_an_empty_secret_is_a_mistake() -> None:
    """Anybody could sign with it."""
    with pytest.raises(ValueError, match="empty"):
        verify(BODY, **_signed(secret=""), secret="", now_s=NOW_S)
