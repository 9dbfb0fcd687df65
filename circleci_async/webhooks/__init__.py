"""Webhooks as they arrive: verified, read, and handed on."""
