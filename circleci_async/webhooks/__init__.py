"""Receiving webhooks: verify and parse deliveries, and handle their events."""

from .answer import Answer
from .delivery import unwrap, verify
from .reading import parse
from .receiver import Receiver, ReceiverStats

__all__ = ["Answer", "Receiver", "ReceiverStats", "parse", "unwrap", "verify"]
