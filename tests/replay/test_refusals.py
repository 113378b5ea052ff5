"""Dead letters are told by reason, whatever bytes they hold."""

from __future__ import annotations

import pytest

from schemas.dead_letters import Reason
from streams.dead_letters import dead_letter
from streams.records import Record
from streams.refusals import by_reason, dead_letter_lines


def letter(value: bytes, reason: Reason, *, offset: int = 0, message: str = "bad") -> bytes:
    record = Record("predictions", 0, offset, 5, None, value, ())
    return dead_letter(record, reason, message, field="model").model_dump_json().encode()


def test_the_most_frequent_reason_comes_first_with_its_first_letter() -> None:
    """By file where that is known, else by offset and id; a bracket is no colour."""
    known = b'{"prediction_id": "p1", "model": "[red]"}'
    letters = [
        letter(known, Reason.NO_POLICY),
        *(letter(b'{"prediction_id": "p%d"}' % i, Reason.STRAY, offset=i) for i in (7, 8)),
    ]
    lines = dead_letter_lines(by_reason(letters), {known: "e.jsonl:3"})
    assert [line.split(maxsplit=2) for line in lines] == [
        ["2", "stray", "predictions offset 7 (prediction_id 'p7'): model: bad"],
        ["1", "no_policy", "of models \\[red] 1; e.jsonl:3: model: bad"],
    ]


@pytest.mark.parametrize(
    "value",
    [b"", b"\xff", b'{"model": "\xff"}', b"[1]", b'{"x": ' + b"[" * 100_000, b"A" * 700_000],
)
def test_bytes_without_a_name_are_told_by_offset(value: bytes) -> None:
    """A model that cannot be read is no reason to tell nothing."""
    for reason in (Reason.NOT_JSON, Reason.NO_POLICY):
        (line,) = dead_letter_lines(by_reason([letter(value, reason, message="x" * 1_000)]))
        assert "predictions offset 0: model: xxx" in line
        assert len(line) < 400
