"""How long harvests of organizations take, what bounds them, and what they cost: `python -m benchmarks scale`.

With numbers of your own, such as `--projects 300 --quota 50 --workers 10`, it answers for one organization.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import Attribute, asdict, evolve, fields, frozen

from .scale_measure import QUICK, TRIALS, Amounts, measured, run_trial
from .scale_model import Organization, Setup, checked_kinds, cost, estimate, first, nightly, with_values

PROJECTS = (10, 300, 3000)
QUOTAS = (10.0, 20.0, 50.0, 100.0, 200.0)
WORKERS = (1, 4, 10, 40, 100)


@frozen
class Profile:
    """A kind of organization."""

    name: str
    organization: Organization


LETTERS = {
    "API quota": "q",
    "API latency": "l",
    "connections": "c",
    "worker network": "n",
    "worker CPU": "w",
    "caller CPU": "p",
    "S3 rate": "s",
    "largest file": "f",
}
"""Bounds, as the tables of times abbreviate them."""

PROFILES = (
    Profile("4 artifacts of 1 MB a job", Organization()),
    Profile("20 artifacts of 100 kB a job", Organization(artifacts=20, size=100e3)),
    Profile("50 artifacts of 50 kB a job", Organization(artifacts=50, size=50e3)),
    Profile("2 artifacts of 50 MB a job", Organization(artifacts=2, size=50e6, spread=1)),
    Profile("2 artifacts of 50 MB a job, some of GB", Organization(artifacts=2, size=50e6, spread=2)),
)


def main(arguments: Sequence[str]) -> None:
    """Print the tables, or the answer for one organization."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    is_json, is_quick, is_measured = (options.pop(name) for name in ("json", "quick", "measure"))
    options = {name: value for name, value in options.items() if value is not None}
    if not options and not is_json:
        run(is_quick=is_quick)
        return
    machine = measured(QUICK if is_quick else Amounts()) if is_measured else {}
    organization = with_values(Organization(), options)
    setup = with_values(Setup(), machine | options)
    if problem := _problem(organization, setup):
        parser.error(problem)
    answer = result(organization, setup)
    print(json.dumps(answer, indent=2) if is_json else "\n".join(_described(organization, setup, answer)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    parser.add_argument("--quick", action="store_true", help="measure little, to check that all works")
    parser.add_argument("--measure", action="store_true", help="measure this machine first, for the CPU and the ledger")
    for kind in (Organization, Setup):
        group = parser.add_argument_group(kind.__name__.lower())
        for each in fields(kind):
            group.add_argument(_option(each.name), **_option_of(each))
    return parser


def _option_of(each: "Attribute[Any]") -> dict[str, Any]:
    """Return the arguments of `add_argument` for a field."""
    if isinstance(each.default, bool):
        return {"action": argparse.BooleanOptionalAction, "help": each.metadata["help"]}
    kind: Callable[[str], object] = each.default.__class__
    return {"type": kind, "help": f"{each.metadata['help']} (default: {each.default})"}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _problem(organization: Organization, setup: Setup) -> str | None:
    """Return what is wrong with the numbers."""
    positive = {
        "days",
        "interval",
        "quota",
        "efficiency",
        "page_size",
        "workers",
        "concurrency",
        "bandwidth",
        "network",
    }
    positive |= {"put_bandwidth", "prefixes", "commits"}
    for name, value in (asdict(organization) | asdict(setup)).items():
        if isinstance(value, str):
            continue
        if not (math.isfinite(value) and (value > 0 if name in positive else value >= 0)):
            needed = "greater than 0" if name in positive else "0 or more"
            return f"{_option(name)} must be {needed}, got {value:g}"
    try:
        checked_kinds(setup.what)
    except ValueError as error:
        return f"--{error}"
    return None


def result(organization: Organization, setup: Setup) -> dict[str, Any]:
    """Return the answer for one organization, as `--json` prints it."""
    answer: dict[str, Any] = {"organization": asdict(organization), "setup": asdict(setup)}
    for name, work in (("first", first(organization, setup)), ("nightly", nightly(organization, setup))):
        found = estimate(organization, setup, work)
        answer[name] = {
            "seconds": found.seconds,
            "bound": found.bound,
            "loads": found.loads,
            "requests": {**asdict(work.requests), "api": work.requests.api},
            "files": work.files,
            "bytes": work.bytes,
            "s3": asdict(cost(organization, setup, work, found.seconds)),
        }
    answer["ledger_bytes"] = answer["first"]["files"] * setup.row
    return answer


def _described(organization: Organization, setup: Setup, answer: dict[str, Any]) -> Iterator[str]:
    yield f"{organization.projects:,} projects, quota {setup.quota:g}/s, {setup.workers} workers"
    for name in ("first", "nightly"):
        found = answer[name]
        yield (
            f"{name}: {duration(found['seconds'])}, bound by {found['bound']}; {found['requests']['api']:,.0f} requests"
            f" to the API, {found['files']:,.0f} files, {found['bytes'] / 1e9:,.1f} GB;"
            f" S3: ${found['s3']['dollars']:,.2f} for requests, ${found['s3']['month']:,.2f} a month"
        )
    yield f"ledger after the first: {answer['ledger_bytes'] / 1e6:,.1f} MB"


def duration(seconds: float) -> str:
    """Format a time with two digits or more."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


# Tables


def run(*, is_quick: bool) -> None:
    """Print all tables."""
    machine = print_machine(QUICK if is_quick else Amounts())
    print_times(PROFILES[0].organization)
    print_needed_workers()
    print_costs()
    print_trials(machine)


def print_machine(amounts: Amounts) -> dict[str, float]:
    """Print what is measured on this machine, and what the model uses, which is from another one."""
    machine = measured(amounts)
    print("| measured on this machine | option | value | in the tables |")
    print("|---|---|--:|--:|")
    for name, text, factor in (
        ("cpu_file", "CPU of a small file, ms", 1000.0),
        ("cpu_gigabyte", "CPU of 10^9 bytes (receive, hash, write), s", 1.0),
        ("cpu_list", "CPU of a request to the API, ms", 1000.0),
        ("commits", "files recorded as finished, for each second of CPU", 1.0),
        ("row", "ledger, bytes for each file", 1.0),
    ):
        values = (machine[name] * factor, getattr(Setup(), name) * factor)
        shown = " | ".join(f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in values)
        print(f"| {text} | `{_option(name)}` | {shown} |")
    print(flush=True)
    return machine


def print_times(organization: Organization) -> None:
    """Print the times and bounds of the first and of each nightly harvest by quota and workers."""
    print("Bounds:", ", ".join(f"{letter}: {bound}" for bound, letter in LETTERS.items()), end="\n\n")
    for name, plan in (("first", first), ("nightly", nightly)):
        print(f"| {name} harvest | workers |" + "".join(f" {quota:g}/s |" for quota in QUOTAS))
        print("|---|--:|" + "--:|" * len(QUOTAS))
        for projects in PROJECTS:
            rows: dict[str, list[int]] = {}
            for workers in WORKERS:
                build = evolve(organization, projects=projects)
                cells: list[str] = []
                for quota in QUOTAS:
                    setup = Setup(quota=quota, workers=workers)
                    found = estimate(build, setup, plan(build, setup))
                    cells.append(f"{duration(found.seconds)} {LETTERS[found.bound]}")
                rows.setdefault(" | ".join(cells), []).append(workers)
            for cells_of_row, same in rows.items():
                print(f"| {projects:,} projects | {', '.join(map(str, same))} | {cells_of_row} |")
        print()


def print_needed_workers() -> None:
    """Print for each profile what 300 projects need at a quota of 50 requests per second."""
    print("| 300 projects, 50/s | workers | first | bound | nightly | bound |")
    print("|---|--:|--:|---|--:|---|")
    for profile in PROFILES:
        for workers in WORKERS:
            setup = Setup(workers=workers)
            build = profile.organization
            times = (estimate(build, setup, plan(build, setup)) for plan in (first, nightly))
            cells = " | ".join(f"{duration(found.seconds)} | {found.bound}" for found in times)
            print(f"| {profile.name} | {workers} | {cells} |")
    print()


def print_costs() -> None:
    """Print requests to S3 and dollars for a million files."""
    print("| 1 million files into S3 | PUT | multipart | parts | ledger | $ | $ to list | $ to verify | $ a month |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for profile in PROFILES:
        build, setup = profile.organization, Setup(workers=10)
        million = evolve(build, projects=1, pipelines=1e6 / build.workflows / build.jobs / build.artifacts)
        work = first(million, setup)
        found = cost(million, setup, work, estimate(million, setup, work).seconds)
        put = found.uploads
        name = profile.name.removesuffix(" a job").partition(" ")[2]
        counts = (put.puts, 2 * put.multiparts, put.parts, found.segments + found.snapshot)
        cells = [f"{count:,.0f}" for count in counts]
        cells += [f"{found.dollars:,.2f}", f"{found.listing:,.3f}", f"{found.verifying:,.2f}", f"{found.month:,.0f}"]
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def print_trials(machine: dict[str, float]) -> None:
    """Compare small real harvests with the model."""
    print("| a real harvest against the model | real, s | model, s | ratio |")
    print("|---|--:|--:|--:|")
    for trial in TRIALS:
        real, estimated = run_trial(trial, machine)
        print(f"| {trial.name} | {real:.1f} | {estimated:.1f} | {real / estimated:.2f} |", flush=True)
    print()
