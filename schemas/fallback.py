"""Advice: whether a service should use its model or its fallback, the last word for each model."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Message, Name


class FallbackKind(StrEnum):
    """What answers instead of the model."""

    RULE = "rule"
    PREVIOUS_VERSION = "previous_version"
    HUMAN = "human"


class Fallback(Message):
    """While one of ``metrics`` has an open page, services are told to ``use`` their fallback."""

    use: FallbackKind
    metrics: Annotated[list[Name], Field(min_length=1)] = ["error_rate", "service_errors"]


class Advice(Message):
    """What a service should do: the newest advice of a model holds.

    ``degraded`` is whether the fallback is to be used; ``use`` says which, and ``version`` names
    the previous version where that is known. ``since_ms`` is when it was decided, ``evidence``
    names the alerts that it follows from, or that are over.
    """

    id: str
    model: str
    degraded: bool
    use: FallbackKind
    version: str | None
    since_ms: int
    evidence: list[str]
    summary: str
    policy: str
    cut: dict[str, int]
