"""What the calls of `circle.environment_variables` send."""

from tests.endpoints.case import Case, P

VARIABLES = f"/api/v2/project/{P}/envvar"

CASES = [
    Case("environment_variables.list", lambda c: c.environment_variables.list(P), VARIABLES),
    Case(
        "environment_variables.set",
        lambda c: c.environment_variables.set(P, "AWS_REGION", "eu-west-1"),
        VARIABLES,
        {"name": "AWS_REGION", "value": "eu-west-1"},
    ),
    Case(
        "environment_variables.set",
        lambda c: c.environment_variables.set(P, "KEY", 'a\n"b" \u00e9\U0001f511'),
        VARIABLES,
        {"name": "KEY", "value": 'a\n"b" \u00e9\U0001f511'},
    ),
    Case(
        "environment_variables.get",
        lambda c: c.environment_variables.get(P, "a b/c%2F+\u00e9"),
        f"{VARIABLES}/a%20b%2Fc%252F%2B%C3%A9",
    ),
    Case(
        "environment_variables.delete",
        lambda c: c.environment_variables.delete(P, "a b/c%2F+\u00e9"),
        f"{VARIABLES}/a%20b%2Fc%252F%2B%C3%A9",
    ),
]
