"""Which operation of the API a path belongs to: its template, in the words of the API's reference."""

from functools import cache
from typing import Final

_SEGMENTS: Final = {"{project-slug}": 3, "{org-slug}": 2}

_PREFIX: Final = "/api/v2"

_TEMPLATES: Final = """
/context
/context/{context_id}
/context/{context_id}/environment-variable
/context/{context_id}/environment-variable/{env_var_name}
/context/{context_id}/restrictions
/context/{context_id}/restrictions/{restriction_id}
/deploy/components
/deploy/components/{component_id}
/deploy/components/{component_id}/versions
/deploy/environments
/deploy/environments/{environment_id}
/insights/pages/{project-slug}/summary
/insights/time-series/{project-slug}/workflows/{workflow-name}/jobs
/insights/{org-slug}/summary
/insights/{project-slug}/branches
/insights/{project-slug}/flaky-tests
/insights/{project-slug}/workflows
/insights/{project-slug}/workflows/{workflow-name}
/insights/{project-slug}/workflows/{workflow-name}/jobs
/insights/{project-slug}/workflows/{workflow-name}/summary
/insights/{project-slug}/workflows/{workflow-name}/test-metrics
/jobs/{job-id}/cancel
/me
/me/collaborations
/org/{orgID}/oidc-custom-claims
/org/{orgID}/project/{projectID}/oidc-custom-claims
/organization
/organization/{org-slug-or-id}
/organization/{org-slug-or-id}/project
/organization/{org-slug-or-id}/url-orb-allow-list
/organization/{org-slug-or-id}/url-orb-allow-list/{allow-list-entry-id}
/organizations/{org_id}/groups
/organizations/{org_id}/groups/{group_id}
/organizations/{org_id}/usage_export_job
/organizations/{org_id}/usage_export_job/{usage_export_job_id}
/otel/exporters
/otel/exporters/{otel_exporter_id}
/owner/{ownerID}/context/{context}/decision
/owner/{ownerID}/context/{context}/decision/settings
/owner/{ownerID}/context/{context}/decision/{decisionID}
/owner/{ownerID}/context/{context}/decision/{decisionID}/policy-bundle
/owner/{ownerID}/context/{context}/policy-bundle
/owner/{ownerID}/context/{context}/policy-bundle/{policyName}
/pipeline
/pipeline/continue
/pipeline/{pipeline-id}
/pipeline/{pipeline-id}/config
/pipeline/{pipeline-id}/values
/pipeline/{pipeline-id}/workflow
/project/{project-slug}
/project/{project-slug}/checkout-key
/project/{project-slug}/checkout-key/{fingerprint}
/project/{project-slug}/envvar
/project/{project-slug}/envvar/{name}
/project/{project-slug}/job/{job-number}
/project/{project-slug}/job/{job-number}/cancel
/project/{project-slug}/pipeline
/project/{project-slug}/pipeline/mine
/project/{project-slug}/pipeline/run
/project/{project-slug}/pipeline/{pipeline-number}
/project/{project-slug}/schedule
/project/{project-slug}/settings
/project/{project-slug}/{job-number}/artifacts
/project/{project-slug}/{job-number}/tests
/projects/{project_id}/pipeline-definitions
/projects/{project_id}/pipeline-definitions/{pipeline_definition_id}
/projects/{project_id}/pipeline-definitions/{pipeline_definition_id}/triggers
/projects/{project_id}/rollback
/projects/{project_id}/triggers/{trigger_id}
/schedule/{schedule-id}
/user/{id}
/webhook
/webhook/{webhook-id}
/workflow/{id}
/workflow/{id}/approve/{approval_request_id}
/workflow/{id}/cancel
/workflow/{id}/job
/workflow/{id}/rerun
/api/v1.1/project/{project-slug}/{job-number}
/api/v1.1/project/{project-slug}/{job-number}/output/{step}/{index}
"""


def route_of(path: str) -> str | None:
    """Return the template of an operation's path (`/api/v2/me`), or None for what the API does not document.

    It is as in `GET /project/{project-slug}/job/{job-number}`: below `/api/v2`, or whole for other versions.
    """
    segments = path.removeprefix(f"{_PREFIX}/" if path.startswith(f"{_PREFIX}/") else "/").split("/")
    for pattern, template in _by_length().get(len(segments), ()):
        if all(word is None or word == segment for word, segment in zip(pattern, segments, strict=True)):
            return template
    return None


@cache
def _by_length() -> dict[int, list[tuple[list[str | None], str]]]:
    """Group the templates by their number of segments, those first that say most about where a word stands."""
    grouped: dict[int, list[tuple[list[str | None], str]]] = {}
    for template in _TEMPLATES.split():
        pattern: list[str | None] = []
        for part in template[1:].split("/"):
            pattern += [None] * _SEGMENTS.get(part, 1) if part.startswith("{") else [part]
        grouped.setdefault(len(pattern), []).append((pattern, template))
    for same_length in grouped.values():
        same_length.sort(key=lambda entry: [word is None for word in entry[0]])
    return grouped
