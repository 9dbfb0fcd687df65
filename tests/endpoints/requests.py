"""Calls of every operation, and the requests that they must send, derived from signatures and the OpenAPI description.

Each operation is called with its required arguments, and once more for each optional argument. All arguments have
different values, so that a request shows where each argument went: to the parameter or field of the same
name. The tables below list the exceptions.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

import attrs

from circleci_async import OrgSlug, ProjectSlug
from circleci_async.models import AdvancedSettingsUpdate
from tests.endpoints.contract import Operation

START = datetime(2099, 3, 1, 12, tzinfo=UTC)  # usage older than a year is refused
END = datetime(2099, 3, 31, 14, tzinfo=timezone(timedelta(hours=2)))
REPOSITORY = {"provider": "github_app", "repo": {"external_id": "123456789"}}

VALUES: dict[str, Any] = {
    "project": "gh/acme/api",
    "organization": "gh/acme",
    "owner_slug": "gh/acme",
    "start": START,
    "start_date": START,
    "after": START,
    "end": END,
    "end_date": END,
    "before": END,
    "checkout_keys.create.type": "deploy-key",
    "checkout": {"tag": "v1/\u00e9"},
    "checkout_source": REPOSITORY,
    "claims": ("audience", "ttl"),
    "config": {"branch": "main"},
    "config_source": {**REPOSITORY, "file_path": ".circleci/config.yml"},
    "event_source": REPOSITORY,
    "events": ["job-completed"],
    "if_lost": "raise",
    "if_truncated": "raise",
    "headers": {"x-api-key": "s3cret \u00e9", "x_y": "1"},
    "jobs": [str(uuid5(NAMESPACE_URL, "job"))],
    "metadata": {"build_number": 7, "ssh_rerun": False},
    "parameters": {"branch": "main", "a_b": 1, "c-d": True},
    "policies": {"image-rules.rego": "package org\n", "a_b/c": ""},
    "pr_only_branch_overrides": ["main", "release/\u00e9"],
    "scope_type": "project",
    "shared_org_ids": [str(uuid5(NAMESPACE_URL, "another"))],
    "timetable": {"per-hour": 2, "hours-of-day": [1], "days-of-week": ["TUE"]},
    "ttl": "1h30m",
    "url": "https://hooks.acme.dev/circleci?team=a+b",
}
"""Values of arguments whose name or operation wants a certain one."""

REQUIRED_TOGETHER: dict[str, tuple[str, ...]] = {
    "contexts.create": ("owner_id",),
    "contexts.list": ("owner_id",),
    "end_date": ("start_date",),
    "enable_ssh": ("jobs",),
    "sparse_tree": ("jobs",),
}
"""Optional arguments that an operation, or another argument, cannot do without."""

EXCLUDES = {"owner_slug": "owner_id", "owner_id": "owner_slug"}

WIRE_NAMES: dict[str, tuple[str, ...]] = {
    "contexts.add_restriction.type": ("restriction_type",),
    "contexts.add_restriction.value": ("restriction_value",),
    "contexts.create.owner_id": ("owner.id",),
    "contexts.create.owner_slug": ("owner.slug",),
    "contexts.create.owner_type": ("owner.type",),
    "deploys.components.name": ("component-name",),
    "deploys.components.organization_id": ("org-id",),
    "deploys.environments.organization_id": ("org-id",),
    "insights.branches.workflow": ("workflow-name",),
    "otel.create_exporter.organization_id": ("org_id",),
    "otel.exporters.organization_id": ("org-id",),
    "pipelines.list_for_org.organization": ("org-slug",),
    "webhooks.create.scope_id": ("scope.id",),
    "webhooks.create.scope_type": ("scope.type",),
    "webhooks.create.signing_secret": ("signing_secret", "signing-secret"),
    "webhooks.create.verify_tls": ("verify_tls", "verify-tls"),
    "webhooks.update.signing_secret": ("signing_secret", "signing-secret"),
    "webhooks.update.verify_tls": ("verify_tls", "verify-tls"),
    **{f"projects.update_settings.{name}": (f"advanced.{name}",) for name in AdvancedSettingsUpdate.__optional_keys__},
}
"""Parameters and fields that an argument goes to, where they have another name. `owner.id` is a field of a field."""

NOT_SENT = {"if_lost", "if_truncated"}
"""Arguments that the API does not have."""

SENT_BY_DEFAULT: dict[str, dict[str, Any]] = {
    "contexts.create": {"owner.type": "organization"},
    "deploys.components": {"page-size": "20"},
    "deploys.environments": {"page-size": "20"},
    "webhooks.create": {
        "scope.type": "project",
        **dict.fromkeys(("signing_secret", "signing-secret"), ""),
        **dict.fromkeys(("verify_tls", "verify-tls"), True),
    },
    "webhooks.list": {"scope-type": "project"},
}
"""What is sent although the argument was not given."""


@attrs.frozen
class Call:
    """A call of an operation."""

    operation: Operation
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.operation.name}({', '.join(self.arguments)})"

    def start(self, client: Any) -> Any:
        """Call the method of a client. Returns what it returns, to be awaited or iterated."""
        group, _, verb = self.operation.name.partition(".")
        return getattr(getattr(client, group), verb)(**self.arguments)

    def request(self) -> "Request":
        """Return the request that the call must send."""
        request = Request(self.operation.method, f"/api/v2{self._path()}")
        properties = self.operation.body.get("properties", {})
        if properties:
            request.body = {}
        sent = dict(SENT_BY_DEFAULT.get(self.operation.name, {}))
        for argument, value in self.arguments.items():
            sent |= dict.fromkeys(self.wire_names(argument), value)
        for name, value in sent.items():
            if name in self.operation.query:
                request.query += [(name, item) for item in _query(name, value)]
            else:
                _put(request.body, name, _json(value))
        return request

    def wire_names(self, argument: str) -> tuple[str, ...]:
        """Return the query parameters and fields that an argument goes to; () if it goes into the path or nowhere."""
        if argument in self.path_arguments or argument in NOT_SENT:
            return ()
        names = {_normal(name): name for name in (*self.operation.query, *self.operation.body.get("properties", {}))}
        return WIRE_NAMES.get(f"{self.operation.name}.{argument}") or (names[argument],)

    @property
    def path_arguments(self) -> dict[str, str]:
        """The arguments in the path, each with its placeholder: the one of the same name, else the next in order."""
        placeholders = re.findall(r"\{([^}]+)\}", self._template)
        left = [name for name in self.arguments if name not in placeholders]
        return {name if name in self.arguments else left.pop(0): name for name in placeholders if name != "context"} | (
            {"context": "context"} if "context" in self.arguments and "context" in placeholders else {}
        )

    @property
    def _template(self) -> str:
        return self.operation.path.replace("{provider}/{organization}/{project}", "{project-slug}")

    def _path(self) -> str:
        path = self._template
        for argument, placeholder in self.path_arguments.items():
            value = str(self.arguments[argument])
            is_slug = placeholder in ("project-slug", "org-slug")
            path = path.replace(f"{{{placeholder}}}", value if is_slug else quote(value, safe=""))
        return path.replace("{context}", "config")


@attrs.define
class Request:
    """What a server receives."""

    method: str
    path: str
    query: list[tuple[str, str]] = attrs.field(factory=list)
    body: Any = None


def calls(operation: Operation) -> Iterator[Call]:
    """Yield the calls of an operation: with the required arguments, then with each optional argument as well."""
    required, optional = arguments(operation)
    needed = dict(required)
    for name in REQUIRED_TOGETHER.get(operation.name, ()):
        needed[name] = optional[name]
    yield Call(operation, needed)
    for name in [name for name in optional if name not in needed]:
        others = {other: optional[other] for other in REQUIRED_TOGETHER.get(name, ())}
        left_out = EXCLUDES.get(name)
        given = {other: value for other, value in needed.items() if other != left_out}
        yield Call(operation, given | others | {name: optional[name]})


def minimal(operation: Operation) -> Call:
    """Return the call with the required arguments only."""
    return next(calls(operation))


def arguments(operation: Operation) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a value for each required and each optional argument of an operation."""
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    hints = get_type_hints(operation.function)
    for parameter in inspect.signature(operation.function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            settings = get_type_hints(AdvancedSettingsUpdate)
            optional |= {name: _value(operation, name, hint) for name, hint in settings.items()}
        else:
            group = required if parameter.default is parameter.empty else optional
            group[parameter.name] = _value(operation, parameter.name, hints[parameter.name])
    return required, optional


def _value(operation: Operation, name: str, hint: Any) -> Any:
    """Return a value for an argument, which no other argument of the operation has."""
    for key in (f"{operation.name}.{name}", name):
        if key in VALUES:
            return VALUES[key]
    kinds = get_args(hint) or (hint,)
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            return next(iter(kind))
    if UUID in kinds:
        return uuid5(NAMESPACE_URL, name)
    if bool in kinds:
        return True
    if int in kinds:
        return 42
    if str in kinds:
        return f"{name} & a/b%2F+\u00e9"
    if any(get_origin(kind) is Sequence for kind in (hint, *kinds)):
        return [f"{name}/1", f"{name} 2"]
    raise AssertionError(f"VALUES has no value for {name}: {hint} of {operation.name}")


def _normal(name: str) -> str:
    return name.replace("-", "_")


def _query(name: str, value: Any) -> list[str]:
    if name == "claims":
        return [",".join(value)]
    values = value if isinstance(value, list) else [value]
    return [{True: "true", False: "false"}.get(each, str(_json(each))) for each in values]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID | OrgSlug | ProjectSlug) else value


def _put(body: Any, name: str, value: Any) -> None:
    *outer, last = name.split(".")
    for key in outer:
        body = body.setdefault(key, {})
    body[last] = value
