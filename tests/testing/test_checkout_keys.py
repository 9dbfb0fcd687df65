"""Checkout keys of projects, with fingerprints that must be escaped."""

import hashlib
from base64 import b64decode
from typing import Any
from urllib.parse import quote

import pytest

from circleci_async.testing import FakeCircleCI, Project, World

from .caller import Caller

PATH = "/project/gh/acme/api/checkout-key"


@pytest.fixture
def project(world: World) -> Project:
    return world.project("gh/acme/api", public=True)


async def test_a_key_is_created_listed_read_and_deleted(api: Caller, project: Project) -> None:
    deploy = await api.post(PATH, {"type": "deploy-key"}, status=201)
    user = await api.post(PATH, {"type": "user-key"}, status=201)
    assert (deploy["type"], user["type"]) == ("deploy-key", "github-user-key")
    assert (deploy["preferred"], user["preferred"]) == (True, True)

    by_md5 = (await api.get(f"{PATH}?digest=md5"))["items"]
    by_sha256 = (await api.get(f"{PATH}?digest=sha256"))["items"]
    assert by_md5 == (await api.get(PATH))["items"] == [{**deploy, "preferred": False}, user]
    assert [{**key, "fingerprint": ""} for key in by_sha256] == [{**key, "fingerprint": ""} for key in by_md5]
    for key in (*by_md5, *by_sha256):
        assert await api.get(f"{PATH}/{quote(key['fingerprint'], safe='')}") == key

    assert (await api.delete(f"{PATH}/{quote(by_sha256[1]['fingerprint'], safe='')}"))["message"]
    await api.get(f"{PATH}/{user['fingerprint']}", status=404)
    assert (await api.get(PATH))["items"] == [deploy]
    assert (await api.delete(f"{PATH}/{deploy['fingerprint']}"))["message"]
    await api.delete(f"{PATH}/{deploy['fingerprint']}", status=404)
    assert (await api.get(PATH))["items"] == []


async def test_fingerprints_match_the_public_key(api: Caller, project: Project) -> None:
    project.checkout_key()
    [by_md5] = (await api.get(PATH))["items"]
    [by_sha256] = (await api.get(f"{PATH}?digest=sha256"))["items"]

    algorithm, blob = by_md5["public_key"].split()
    assert algorithm == "ssh-ed25519"
    raw = b64decode(blob)
    assert raw[:19] == b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
    assert len(raw) == 51
    assert by_md5["fingerprint"].replace(":", "") == hashlib.md5(raw).hexdigest()
    kind, _, digest = by_sha256["fingerprint"].partition(":")
    assert kind == "SHA256"
    assert b64decode(f"{digest}=") == hashlib.sha256(raw).digest()


@pytest.mark.parametrize("seed", range(20))
async def test_an_unescaped_fingerprint_is_not_found(http: Any, seed: int) -> None:
    key = World(seed=seed).project("gh/acme/api").checkout_key()
    assert {"/", "+"} <= set(key.sha256)
    world = World(seed=seed)
    world.project("gh/acme/api").checkout_keys.append(key)
    async with FakeCircleCI(world) as fake:
        api = Caller(fake, http)
        await api.get(f"{PATH}/{key.sha256}", status=404)
        await api.get(f"{PATH}/{quote(key.sha256, safe='')}")


@pytest.mark.parametrize("body", [{}, {"type": "github-user-key"}, {"type": ""}, {"type": 1}], ids=repr)
async def test_an_invalid_key_type_is_rejected(api: Caller, project: Project, body: Any) -> None:
    await api.post(PATH, body, status=400)
    assert project.checkout_keys == []


async def test_an_invalid_digest_is_rejected(api: Caller, project: Project) -> None:
    await api.get(f"{PATH}?digest=sha1", status=400)


async def test_the_type_of_a_user_key_contains_its_host(world: World) -> None:
    assert world.project("bb/acme/api").checkout_key("user-key").type == "bitbucket-user-key"


async def test_a_circleci_project_has_no_keys(api: Caller, world: World) -> None:
    slug = world.project(f"circleci/{world.new_opaque()}/{world.new_opaque()}").slug
    for type in ("user-key", "deploy-key"):
        await api.post(f"/project/{slug}/checkout-key", {"type": type}, status=400)
    assert (await api.get(f"/project/{slug}/checkout-key"))["items"] == []


async def test_keys_are_paged_separately_for_each_digest(http: Any, world: World, project: Project) -> None:
    keys = [project.checkout_key() for _ in range(5)]
    async with FakeCircleCI(world, page_size=2) as fake:
        api = Caller(fake, http)
        pages = await api.walk(f"{PATH}?digest=sha256")
        token = (await api.get(PATH))["next_page_token"]
        await api.get(f"{PATH}?digest=sha256&page-token={token}", status=400)
    assert [[key["fingerprint"] for key in page] for page in pages] == [
        [key.sha256 for key in part] for part in (keys[:2], keys[2:4], keys[4:])
    ]


async def test_the_keys_of_a_public_project_are_not_public(api: Caller, project: Project) -> None:
    await api.get(PATH, status=401, headers={})
    await api.get(f"{PATH}/{project.checkout_key().md5}", status=401, headers={})


def test_keys_depend_on_the_seed_only() -> None:
    first, second = (World(seed=7).project("gh/acme/api").checkout_key() for _ in range(2))
    assert first.public_key == second.public_key
