"""Notice: something people should know that is neither an alert nor a decision."""

from __future__ import annotations

from schemas.alerts import Severity
from schemas.base import Message


class Notice(Message):
    """A word to people, said by ACT itself.

    ``id`` is the same however often it is told. ``reason`` names why (``silences``,
    ``hyper_care`` …), ``subject`` what it is about: notices of one subject reach a target in
    order. ``model`` is that of every line, "*" where they are of several. ``summary`` is one
    sentence, ``lines`` its details.
    """

    id: str
    reason: str
    subject: str
    model: str
    severity: Severity
    summary: str
    at_ms: int
    lines: list[str] = []
    owner: str = ""
