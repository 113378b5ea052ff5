"""Heartbeat: a record without rows that moves the watermark of its partition on."""

from __future__ import annotations

from schemas.base import Event, Milliseconds


class Heartbeat(Event):
    """No row of this partition that comes later is older than ``time`` (epoch ms)."""

    time: Milliseconds
