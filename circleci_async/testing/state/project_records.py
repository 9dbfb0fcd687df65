"""Records that belong to a project."""

import hashlib
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any

from attrs import define, field, frozen

from .builds import Job, Pipeline
from .organizations import DeployEnvironment, Repository
from .registry import Registry, User

_ALGORITHM = b"ssh-ed25519"


@frozen(eq=False)
class CheckoutKey:
    """A checkout key of a project: `type` is `deploy-key`, or `github-user-key` and the like."""

    type: str
    blob: bytes
    """The public key that the fingerprints are computed from."""
    created_at: datetime

    @property
    def public_key(self) -> str:
        """The public key as a line of an `authorized_keys` file."""
        return f"{_ALGORITHM.decode()} {b64encode(self.blob).decode()}"

    @property
    def md5(self) -> str:
        """The MD5 fingerprint."""
        return hashlib.md5(self.blob, usedforsecurity=False).digest().hex(":")

    @property
    def sha256(self) -> str:
        """The SHA256 fingerprint."""
        return f"SHA256:{b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip('=')}"


def make_key(type: str, created_at: datetime, random: Random) -> CheckoutKey:
    """Create a key whose SHA256 fingerprint contains `/` and `+`, so that a client that does not escape them fails."""
    while True:
        parts = (_ALGORITHM, random.randbytes(32))
        key = CheckoutKey(type, b"".join(len(part).to_bytes(4) + part for part in parts), created_at)
        if "/" in key.sha256 and "+" in key.sha256:
            return key


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The syntax of a variable's name."""


@define(eq=False)
class EnvironmentVariable:
    """A variable of a project."""

    name: str
    value: str = field(repr=False)
    created_at: datetime


def ending(value: str) -> str:
    """Return the part of a value that the API shows: at most the last four characters, and never the whole value."""
    return value[max(1, len(value) - 4) :]


@define(eq=False)
class Trigger:
    """A trigger of a pipeline definition. It never triggers a pipeline.

    Fields of another kind of source are None. `secret` is part of the URL of a webhook.
    """

    id: str
    provider: str
    created_at: datetime
    external_id: str | None = None
    sender: str | None = None
    secret: str = field(default="", repr=False)
    cron_expression: str | None = None
    actor: User | None = None
    event_preset: str | None = None
    event_name: str | None = None
    checkout_ref: str | None = None
    config_ref: str | None = None
    disabled: bool = False
    parameters: Mapping[str, Any] | None = None


@define(eq=False)
class PipelineDefinition:
    """A pipeline definition of a project. The external ids are those of repositories; `created_at` may be None."""

    id: str
    project: Repository = field(repr=False)
    name: str
    description: str | None
    config_provider: str
    config_external_id: str | None
    file_path: str
    checkout_provider: str
    checkout_external_id: str
    created_at: datetime | None
    triggers: dict[str, Trigger] = field(factory=dict[str, Trigger], repr=False)


ATTRIBUTION_ACTORS = ("current", "system")
_SYSTEM_ID = "d9b3fcaa-6032-405a-8c75-40079ce33c3e"  # the same everywhere


@define(eq=False)
class Schedule:
    """A schedule; `timetable` has the keys of the API. It never triggers a pipeline."""

    id: str
    project: Repository = field(repr=False)
    name: str
    timetable: Mapping[str, Any]
    parameters: Mapping[str, str | int | bool]
    actor: User
    description: str | None
    created_at: datetime
    updated_at: datetime


def attribution_actor(world: Registry, word: str, caller: User) -> User:
    """Return the user that `current` or `system` denotes."""
    if word == "current":
        return caller
    return world.users.setdefault(_SYSTEM_ID, User(_SYSTEM_ID, "system-actor", "Scheduled"))


@define(eq=False)
class DeployVersion:
    """A version of a component in an environment; `job` is the job that deployed it, if known."""

    name: str
    environment: DeployEnvironment
    namespace: str
    is_live: bool
    deployed_at: datetime
    job: Job | None = None


@define(eq=False)
class DeployComponent:
    """A component of a project."""

    project: Repository = field(repr=False)
    id: str
    name: str
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None
    versions: list[DeployVersion] = field(factory=list[DeployVersion], repr=False)

    def version(
        self,
        name: str,
        environment: DeployEnvironment,
        *,
        namespace: str = "default",
        is_live: bool = True,
        deployed_at: datetime | None = None,
        job: Job | None = None,
    ) -> DeployVersion:
        """Deploy a version. It replaces the live version of this environment, unless `is_live=False`.

        `deployed_at` defaults to now. Without a `job`, the API answers with ids of zeros for the deploying job.
        """
        at = deployed_at or self.project.world.clock()
        if is_live:
            for each in self.versions:
                each.is_live = each.is_live and each.environment is not environment
        version = DeployVersion(name, environment, namespace, is_live, at, job)
        self.versions.append(version)
        self.updated_at = at
        return version


class PipelineIndex:
    """Pipelines in order of creation, and the same by branch and by actor.

    Pipelines are only appended, so that a page token can be a position in a list, until a project is deleted.
    """

    def __init__(self) -> None:
        self.all: list[Pipeline] = []
        self._by_branch: defaultdict[str | None, list[Pipeline]] = defaultdict(list)
        self._by_actor: defaultdict[str, list[Pipeline]] = defaultdict(list)

    def add(self, pipeline: Pipeline) -> None:
        """Append the newest pipeline."""
        self.all.append(pipeline)
        self._by_branch[pipeline.branch].append(pipeline)
        self._by_actor[pipeline.actor.id].append(pipeline)

    def remove(self, project: Repository) -> None:
        """Remove the pipelines of a project."""
        for pipelines in (self.all, *self._by_branch.values(), *self._by_actor.values()):
            pipelines[:] = [pipeline for pipeline in pipelines if pipeline.project is not project]

    def of_branch(self, branch: str) -> Sequence[Pipeline]:
        """Return the pipelines of one branch, oldest first."""
        return self._by_branch.get(branch, ())

    def of_actor(self, user: User) -> Sequence[Pipeline]:
        """Return the pipelines that one user triggered, oldest first."""
        return self._by_actor.get(user.id, ())
