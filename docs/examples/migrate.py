"""Copy the settings of an organization's projects, and its contexts, to another organization.

    export CIRCLE_TOKEN=...
    python migrate.py gh/acme gh/acme-inc secrets.json --dry-run

Schedules, webhooks and variables of each project are copied to the project of the same name, which must exist; then the
contexts, with restrictions and variables. The API masks secrets, so `secrets.json` contains them:

    {"api: variable NPM_TOKEN": "...", "api: webhook deploys": "...", "context aws: variable AWS_KEY": "..."}

Only what is missing is added: after Ctrl-C or a failure, run it again. The exit code is 1 if there was a failure.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import circleci_async as ca
from circleci_async.models import Context

T = TypeVar("T")
Steps: TypeAlias = AsyncGenerator[tuple[str, Coroutine[Any, Any, object]]]  # what is missing, and the calls that add it


class Secrets(dict[str, str]):  # the content of `secrets.json`
    def __missing__(self, name: str) -> str:
        raise ca.InvalidArgument(f"the file of secrets lacks {name!r}")


async def project_steps(circle: ca.CircleCI, name: str, old_org: str, new_org: str, secrets: Secrets) -> Steps:
    """Compare the projects of this name."""
    schedules, webhooks, variables = circle.schedules, circle.webhooks, circle.environment_variables
    old, new = [await circle.projects.get(f"{organization}/{name}") for organization in (old_org, new_org)]
    for each in await missing(schedules.list(old), schedules.list(new), lambda each: each.name):
        create = partial(schedules.create, new, attribution_actor=each.attribution_actor, parameters=each.parameters)
        yield f"schedule {each.name}", create(name=each.name, timetable=each.timetable, description=each.description)
    for hook in await missing(webhooks.list(old.id), webhooks.list(new.id), lambda hook: hook.name):
        secret = secrets[f"{name}: webhook {hook.name}"] if hook.signing_secret else None
        add = partial(webhooks.create, scope_id=new.id, signing_secret=secret, verify_tls=hook.verify_tls)
        yield f"webhook {hook.name}", add(name=hook.name, url=hook.url, events=hook.events)
    for it in await missing(variables.list(old), variables.list(new), lambda it: it.name):
        yield f"variable {it.name}", variables.set(new, it.name, secrets[f"{name}: variable {it.name}"])


async def context_steps(circle: ca.CircleCI, old: Context, new_org: str, secrets: Secrets) -> Steps:
    """Compare the contexts of this name. Restrictions come first: without them, variables would be open to all."""
    contexts = circle.contexts
    targets = contexts.list(owner_slug=new_org)
    if old.name not in {each.name async for each in targets}:
        yield "itself", contexts.create(old.name, owner_slug=new_org)
    for new in [each async for each in targets if each.name == old.name]:  # none in a dry run
        existing = {(each.restriction_type, each.restriction_value) async for each in contexts.restrictions(new.id)}
        async for each in contexts.restrictions(old.id):
            type, value = each.restriction_type, each.restriction_value
            if type == "project":
                value = (await circle.projects.get(f"{new_org}/{f'{each.name}'.rpartition('/')[2]}")).id
            elif each.name == "All members":
                value = (await circle.organizations.get(new_org)).id
            if (type, value) not in existing:
                yield f"restriction to {each.name or value}", contexts.add_restriction(new.id, type=type, value=value)
        variables = contexts.variables(old.id, if_truncated="raise"), contexts.variables(new.id)
        for name in [it.variable for it in await missing(*variables, lambda it: it.variable)]:
            secret = secrets[f"context {old.name}: variable {name}"]
            yield f"variable {name}", contexts.set_variable(new.id, name, secret)


async def missing(old: ca.Paged[T], new: ca.Paged[T], name: Callable[[T], str]) -> list[T]:
    """Return the items of a list that another one lacks."""
    items = await old.collect()
    existing = {name(item) async for item in new} if items else set[str]()
    return [item for item in items if name(item) not in existing]


async def run(to: str, steps: Steps, dry_run: bool) -> tuple[str, ca.CircleCIError | None]:
    """Add what is missing, and print it. Return `to`, and the error that ended it."""
    try:
        async for what, call in steps:
            if dry_run:
                call.close()
            else:
                await call
            print(f"{to}: {what}", flush=True)
    except ca.CircleCIError as error:
        return to, error
    return to, None


async def main(old: str, new: str, secrets: Path, dry_run: bool) -> list[str]:
    """Copy the projects, then the contexts, whose restrictions refer to projects. Return the failures."""
    known, failures = Secrets(json.loads(secrets.read_text("utf-8"))), list[str]()
    async with ca.CircleCI() as circle:
        projects, contexts = circle.projects.list(old), circle.contexts.list(owner_slug=old)
        for copies in (
            {each.name: project_steps(circle, each.name, old, new, known) for each in await projects.collect()},
            {f"context {each.name}": context_steps(circle, each, new, known) for each in await contexts.collect()},
        ):
            for done, copy in enumerate(asyncio.as_completed([run(*each, dry_run) for each in copies.items()]), 1):
                to, error = await copy
                print(f"{done}/{len(copies)} {to}: {error or 'done'}", file=sys.stderr)
                failures += [f"{to}: {error}"] if error else []
    return failures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", metavar="FROM")
    parser.add_argument("new", metavar="TO")
    parser.add_argument("secrets", type=Path, metavar="FILE")
    parser.add_argument("--dry-run", action="store_true", help="print what would be added; of a new context, the name")
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        sys.exit("\n".join(asyncio.run(main(**vars(parser.parse_args())))) or 0)
    except ca.CircleCIError as error:  # such as an invalid token
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: run it again to continue", file=sys.stderr)
        sys.exit(130)
