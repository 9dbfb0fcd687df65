"""Errors of storage services that serve signed URLs."""

from ..errors import AuthenticationError, BadRequest, Gone, NotFound, PermissionDenied

REFUSALS = (BadRequest, AuthenticationError, PermissionDenied, NotFound, Gone)
"""Errors that can mean an expired signature or a deleted file, so that a new URL can help."""
