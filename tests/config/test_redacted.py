"""Objects that contain a secret show it in no repr, pickle or copy."""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from circleci_async import CircleCI, webhooks
from circleci_async.config.redacted import Redacted, redacted, reveal
from circleci_async.config.settings import Settings

SECRET = "s3cr3ts3cr3t"

HOLDERS: dict[str, Callable[[], object]] = {
    "CircleCI": lambda: CircleCI(SECRET, host="http://localhost:1"),
    "CircleCI with options": lambda: CircleCI(SECRET, host="http://localhost:1").with_options(timeout=1),
    "a resource": lambda: CircleCI(SECRET, host="http://localhost:1").contexts,
    "Settings": lambda: Settings("https://circleci.com", SECRET, "here", ()),
    "Receiver": lambda: webhooks.Receiver(SECRET, print),
    "Redacted": lambda: Redacted(SECRET),
}
COPIES: dict[str, Callable[[object], object]] = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"protocol {number}": partial(pickle.dumps, protocol=number) for number in range(6)},
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_holder_of_a_secret_cannot_be_pickled(holder: str) -> None:
    it = HOLDERS[holder]()
    assert SECRET not in repr(it)
    for name in COPIES.keys() - {"copy"}:
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)) as caught:
            COPIES[name](it)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("holder", ["CircleCI", "Settings", "Receiver", "Redacted"])
def test_the_error_says_what_to_do(holder: str, copied: str) -> None:
    message = f"{holder} cannot be pickled or copied, since it contains a secret: create another one where it is needed"
    with pytest.raises(TypeError, match=f"^{message}$"):
        COPIES[copied](HOLDERS[holder]())


def test_a_redacted_value_shows_nothing() -> None:
    assert repr(Redacted(SECRET)) == str(Redacted(SECRET)) == f"{Redacted(SECRET)}" == "Redacted()"
    assert not hasattr(Redacted(SECRET), "__dict__")


def test_a_value_is_redacted_once() -> None:
    once: Any = redacted(SECRET)
    assert redacted(once) is once
    assert reveal(once) == reveal(SECRET) == SECRET
