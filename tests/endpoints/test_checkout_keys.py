"""Checkout keys: fingerprints in paths, types and spellings."""

from urllib.parse import unquote

import pytest

import circleci_async as ca
from circleci_async.models import CheckoutKeyType, KeyDigest
from circleci_async.testing import FakeCircleCI, World
from tests.raw_server import answer, raw_server

P = "gh/acme/api"
KEY = {"public_key": "ssh-rsa AAAA acme", "type": "deploy-key", "fingerprint": "94:19:ab", "preferred": True}


@pytest.mark.parametrize("digest", KeyDigest)
async def test_a_fingerprint_is_sent_as_one_path_segment(digest: KeyDigest) -> None:
    project = (world := World()).project(P)
    project.checkout_key()
    async with FakeCircleCI(world) as fake, fake.client() as circle:
        made = await circle.checkout_keys.create(P, "user-key")
        listed = await circle.checkout_keys.list(P, digest=digest).collect()
        assert [key.public_key for key in listed] == [key.public_key for key in project.checkout_keys]
        for key in listed:
            assert await circle.checkout_keys.get(P, key.fingerprint) == key
            assert (await circle.checkout_keys.delete(P, key.fingerprint)).message
            path = fake.requests[-1].path
            assert path.startswith("/api/v2/project/gh/acme/api/checkout-key/")
            assert unquote(path.rpartition("/")[2]) == key.fingerprint
    assert project.checkout_keys == []
    assert made.type == CheckoutKeyType.GITHUB_USER_KEY


@pytest.mark.parametrize("separator", ["-", "_"])
async def test_responses_are_decoded_with_hyphens_and_underscores(separator: str) -> None:
    body = {f"public{separator}key": "ssh-rsa AAAA", f"created{separator}at": "2015-09-21T17:29:21.042Z"}
    body |= {"type": "gitlab-user-key", "fingerprint": "c9:0b", "preferred": False}  # type: ignore[dict-item]  # JSON
    async with raw_server(answer(200, body)) as server, ca.CircleCI("t", host=server.url) as circle:
        key = await circle.checkout_keys.get(P, "c9:0b")
    assert (key.public_key, key.type, key.type.is_known) == ("ssh-rsa AAAA", "gitlab-user-key", False)
    assert key.created_at is not None


async def test_created_at_is_optional() -> None:
    async with raw_server(answer(200, KEY)) as server, ca.CircleCI("t", host=server.url) as circle:
        assert (await circle.checkout_keys.get(P, "94:19:ab")).created_at is None
