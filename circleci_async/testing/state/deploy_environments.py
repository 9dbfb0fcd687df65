"""Environments that components are deployed to."""

from collections.abc import Mapping
from datetime import datetime

from attrs import define


@define(eq=False)
class DeployEnvironment:
    """An environment of an organization."""

    id: str
    name: str
    description: str
    labels: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
