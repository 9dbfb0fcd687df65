"""How a call with invalid arguments fails."""

from collections.abc import Callable
from typing import Any

import pytest

from circleci_async import CircleCI, InvalidArgument, Paged


async def refusal(start: Callable[[CircleCI], Any]) -> str:
    """Return the message of the `InvalidArgument` that a call raises, which must happen before a request is sent."""
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument) as caught:
            started = start(circle)
            if isinstance(started, Paged):
                pytest.fail("a paged list must check its arguments when it is called, not when it is iterated")
            await started
        assert circle.stats.requests == 0
    return str(caught.value)
