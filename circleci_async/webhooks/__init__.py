"""Webhooks as they arrive: verified, read, and handed on."""

from .reading import parse, unwrap
from .receiver import Answer, Receiver, ReceiverStats
from .signature import verify

__all__ = ["Answer", "Receiver", "ReceiverStats", "parse", "unwrap", "verify"]
