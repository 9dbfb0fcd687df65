"""Types that several modules share."""

from typing import Any

Json = dict[str, Any]
"""A JSON object."""
