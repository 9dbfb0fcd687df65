"""How a call with wrong arguments ends."""

from collections.abc import Callable
from typing import Any

import pytest

from circleci_async import CircleCI, InvalidArgument, Paged


async def refusal(do: Callable[[CircleCI], Any]) -> str:
    """Return why a call is refused, as it must be before anything is sent."""
    async with CircleCI("t", host="http://localhost:1") as circle:
        with pytest.raises(InvalidArgument) as caught:
            began = do(circle)
            if isinstance(began, Paged):
                pytest.fail("a list must refuse its arguments at once, not when it is iterated")
            await began
        assert circle.stats.requests == 0, "something was sent"
    return str(caught.value)
