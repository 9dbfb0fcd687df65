"""Config policies: bundles, decisions and settings."""

from collections.abc import Mapping
from typing import Any, cast

from ..server.calls import Call, HttpError, found, is_strings, one_of, parse_number
from ..server.exchange import Response, json_response
from ..server.routing import Routes
from ..state.organizations import DecisionRecord, PolicyBook, PolicyDocument, Verdict
from ..state.registry import Json, timestamp

ROUTES = Routes()

_CONTEXT = "/owner/{owner}/context/{context}"
_FILTERS = ("status", "branch", "project_id", "build_number")


@ROUTES.get(f"{_CONTEXT}/policy-bundle", public=False)
def bundle(call: Call) -> Json:
    return _bundle(_book(call).bundle)


@ROUTES.post(f"{_CONTEXT}/policy-bundle", status=201)
def push(call: Call) -> Json | Response:
    """Answer POST /owner/{ownerID}/context/{context}/policy-bundle; a dry run with 200."""
    book = _book(call)
    dry = call.flag("dry")
    policies = cast(dict[str, Any], call.body({"policies": dict}, required=("policies",))["policies"])
    if not is_strings(policies.values()):
        raise HttpError(400, "policies: expected the source of each policy by its name.")
    now, by = call.world.clock(), call.caller().id
    kept = {name: old for name, old in book.bundle.items() if policies.get(name) == old.content}
    new = {name: kept.get(name) or PolicyDocument(name, content, now, by) for name, content in policies.items()}
    changes = {
        "created": [name for name in new if name not in book.bundle],
        "deleted": [name for name in book.bundle if name not in new],
        "modified": [name for name in new if name in book.bundle and name not in kept],
    }
    diff = {change: sorted(names) for change, names in changes.items() if names}
    if dry:
        return json_response(200, diff)
    book.bundle = new
    return diff


@ROUTES.get(f"{_CONTEXT}/policy-bundle/{{name}}", public=False)
def document(call: Call) -> Json:
    return _document(found(_book(call).bundle.get(call.values["name"]), "Policy"))


@ROUTES.get(f"{_CONTEXT}/decision", public=False)
def decisions(call: Call) -> list[Json]:
    """Answer GET /owner/{ownerID}/context/{context}/decision, newest first."""
    book = _book(call)
    offset = parse_number("offset", call.query.get("offset", "0"))
    after, before = call.query_time("after"), call.query_time("before")
    filters = {name: value for name, value in call.query.items() if name in _FILTERS}
    records = [
        record
        for record in sorted(book.decisions, key=lambda each: each.created_at, reverse=True)
        if (after is None or record.created_at > after)
        and (before is None or record.created_at < before)
        and filters.items() <= _filterable(record).items()
    ]
    return [_log(record) for record in records[offset:][: call.pages.size]]


@ROUTES.post(f"{_CONTEXT}/decision", status=200)
def decide(call: Call) -> Json:
    """Answer POST /owner/{ownerID}/context/{context}/decision; it is not logged, since no pipeline runs."""
    book = _book(call)
    call.body({"input": str, "metadata": dict}, required=("input",))
    return _verdict(book.decide())


@ROUTES.get(f"{_CONTEXT}/decision/settings", public=False)
def settings(call: Call) -> Json:
    return {"enabled": _book(call).enabled}


@ROUTES.patch(f"{_CONTEXT}/decision/settings")
def update_settings(call: Call) -> Json:
    book = _book(call)
    book.enabled = call.body({"enabled": bool}, required=("enabled",))["enabled"]
    return {"enabled": book.enabled}


@ROUTES.get(f"{_CONTEXT}/decision/{{decision}}", public=False)
def decision(call: Call) -> Json:
    return _log(_record(call))


@ROUTES.get(f"{_CONTEXT}/decision/{{decision}}/policy-bundle", public=False)
def decision_bundle(call: Call) -> Json:
    return _bundle(_record(call).bundle)


def _book(call: Call) -> PolicyBook:
    organization = call.organization_by_id("owner")
    one_of("context", call.values["context"], ("config",))
    return organization.policies


def _record(call: Call) -> DecisionRecord:
    book, id = _book(call), call.uuid("decision")
    return found(next((record for record in book.decisions if record.id == id), None), "Decision log")


def _filterable(record: DecisionRecord) -> Mapping[str, str]:
    """Return the values that the list of decisions can be filtered by."""
    metadata = record.metadata
    return {
        "status": record.verdict.status,
        "branch": metadata["vcs"]["branch"],
        "project_id": metadata["project_id"],
        "build_number": str(metadata["build_number"]),
    }


def _bundle(documents: Mapping[str, PolicyDocument]) -> Json:
    return {name: _document(document) for name, document in documents.items()}


def _document(document: PolicyDocument) -> Json:
    return {
        "name": document.name,
        "content": document.content,
        "created_at": timestamp(document.created_at),
        "created_by": document.created_by,
    }


def _log(record: DecisionRecord) -> Json:
    return {
        "id": record.id,
        "created_at": timestamp(record.created_at),
        "decision": _verdict(record.verdict),
        "metadata": record.metadata,
        "policies": {name: document.hash for name, document in record.bundle.items()},
        "time_taken_ms": record.time_taken_ms,
    }


def _verdict(verdict: Verdict) -> Json:
    def failures(reasons: Mapping[str, str]) -> list[Json]:
        return [{"rule": rule, "reason": reason} for rule, reason in reasons.items()]

    return {
        "status": verdict.status,
        "enabled_rules": list(verdict.enabled_rules),
        "hard_failures": failures(verdict.hard_failures),
        "soft_failures": failures(verdict.soft_failures),
        "reason": verdict.reason,
    }
