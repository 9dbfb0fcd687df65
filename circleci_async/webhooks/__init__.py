"""Receiving webhooks: verify and parse deliveries, and handle their events."""

from .answer import Answer
from .reading import parse, unwrap
from .receiver import Receiver, ReceiverStats
from .signature import verify

__all__ = ["Answer", "Receiver", "ReceiverStats", "parse", "unwrap", "verify"]
