"""What the tables of DECIDE are keyed by."""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[str, str, str]
"""A model, a version of it, and its role."""


Name = tuple[str, str, str]
"""Detector, metric and feature of a test."""


class StreamKey(NamedTuple):
    """A stream: one version in one role, whole (segment "") or one segment of it."""

    model: str
    version: str
    arm: str
    segment: str


class WindowKey(NamedTuple):
    """A pane or a window of a stream, under one policy and one reference ("" for none)."""

    model: str
    version: str
    arm: str
    segment: str
    policy: str
    reference: str
    start_ms: int

    @property
    def stream(self) -> StreamKey:
        """The stream that the window is of."""
        return StreamKey(self.model, self.version, self.arm, self.segment)


class MonitorKey(NamedTuple):
    """One sequential test of one stream."""

    model: str
    version: str
    arm: str
    segment: str
    detector: str
    metric: str
    feature: str

    @property
    def stream(self) -> StreamKey:
        """The stream of the test."""
        return StreamKey(*self[:4])

    @property
    def name(self) -> Name:
        """The test among those of its stream."""
        return self[4:]


class BucketKey(NamedTuple):
    """What the tests of a model spent of its false-alarm budget in a span of event time."""

    model: str
    start_ms: int
    length_ms: int


class GroupsKey(NamedTuple):
    """The groups that a key of a model's predictions divides them into."""

    model: str
    key: str


class CommandKey(NamedTuple):
    """A command that was read."""

    model: str
    id: str


def slice_of(segment: str) -> str:
    """The key of a segment ``key=value``, "" of the stream of all.

    Examples
    --------
    >>> slice_of("sex=f"), slice_of("")
    ('sex', '')
    """
    return segment.partition("=")[0]
