"""Publish predictions and feedback to Kittiwake, and act on its alerts and rollbacks."""

from kittiwake_client.consumer import AlertConsumer
from kittiwake_client.delivery import Stats
from kittiwake_client.events import InvalidEvent
from kittiwake_client.publisher import Publisher
from kittiwake_client.received import Received, RollbackRequest
from kittiwake_client.signature import InvalidSignature, verify

__all__ = [
    "AlertConsumer",
    "InvalidEvent",
    "InvalidSignature",
    "Publisher",
    "Received",
    "RollbackRequest",
    "Stats",
    "verify",
]
