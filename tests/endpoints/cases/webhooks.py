"""What the calls of `circle.webhooks` send."""

from circleci_async import WebhookEventType
from tests.endpoints.case import ID, ID_2, Case

URL = "https://hooks.acme.dev/circleci?team=a+b"

CASES = [
    Case("webhooks.list", lambda c: c.webhooks.list(ID), f"/api/v2/webhook?scope-id={ID}&scope-type=project"),
    Case(
        "webhooks.list",
        lambda c: c.webhooks.list(str(ID_2), scope_type="project"),
        f"/api/v2/webhook?scope-id={ID_2}&scope-type=project",
    ),
    Case(
        "webhooks.list",
        lambda c: c.webhooks.list("a b/c+%2F\u00e9", scope_type="org&team"),
        "/api/v2/webhook?scope-id=a%20b%2Fc%2B%252F%C3%A9&scope-type=org%26team",
        odd=True,
    ),
    Case(
        "webhooks.create",  # without a secret, and with the certificate checked: the specification wants both said
        lambda c: c.webhooks.create(name="deploys", url=URL, events=["workflow-completed"], scope_id=ID),
        "/api/v2/webhook",
        {
            "name": "deploys",
            "url": URL,
            "events": ["workflow-completed"],
            "scope": {"id": str(ID), "type": "project"},
            "signing_secret": "",
            "signing-secret": "",
            "verify_tls": True,
            "verify-tls": True,
        },
    ),
    Case(
        "webhooks.create",
        lambda c: c.webhooks.create(
            name="l'\u00e9t\u00e9",
            url="HTTPS://hooks.acme.dev",
            events=(WebhookEventType.JOB_COMPLETED, WebhookEventType.WORKFLOW_COMPLETED),
            scope_id=str(ID_2),
            scope_type="project",
            signing_secret="s3cr\u00eft-_%",
            verify_tls=False,
        ),
        "/api/v2/webhook",
        {
            "name": "l'\u00e9t\u00e9",
            "url": "HTTPS://hooks.acme.dev",
            "events": ["job-completed", "workflow-completed"],
            "scope": {"id": str(ID_2), "type": "project"},
            "signing_secret": "s3cr\u00eft-_%",
            "signing-secret": "s3cr\u00eft-_%",
            "verify_tls": False,
            "verify-tls": False,
        },
    ),
    Case("webhooks.get", lambda c: c.webhooks.get(ID), f"/api/v2/webhook/{ID}"),
    Case("webhooks.update", lambda c: c.webhooks.update(ID), f"/api/v2/webhook/{ID}", {}),
    Case(
        "webhooks.update",
        lambda c: c.webhooks.update(
            ID,
            name="builds",
            url=URL,
            events=[WebhookEventType.JOB_COMPLETED],
            signing_secret="new",
            verify_tls=True,
        ),
        f"/api/v2/webhook/{ID}",
        {
            "name": "builds",
            "url": URL,
            "events": ["job-completed"],
            "signing_secret": "new",
            "signing-secret": "new",
            "verify_tls": True,
            "verify-tls": True,
        },
    ),
    Case(
        "webhooks.update",
        lambda c: c.webhooks.update(ID, signing_secret="", verify_tls=False),
        f"/api/v2/webhook/{ID}",
        {"signing_secret": "", "signing-secret": "", "verify_tls": False, "verify-tls": False},
    ),
    Case("webhooks.delete", lambda c: c.webhooks.delete(ID), f"/api/v2/webhook/{ID}"),
]
