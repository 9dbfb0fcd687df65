"""A nightly job: archive what an organization builds into a bucket: artifacts, logs, test results and builds.

    export CIRCLE_TOKEN=... AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...
    python archive.py gh/acme s3://ci-archive/acme --since 7d --scrub 'acme-[0-9a-f]{32}'

In logs, tests and builds, tokens in common formats and matches of --scrub are replaced. After an interruption, even a
kill, run it again, on any machine: it continues. The exit code is 0 if all is archived, and 1 if something failed.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence

import circleci_async as ca

LAYOUT = "project={project}/date={created_at:%Y-%m-%d}/{workflow}/{job}-{number}/{node}/{path}"


async def main(projects: Sequence[str], into: str, since: str, scrub: Sequence[str]) -> int:
    """Harvest, print what was done, and return the exit code."""
    retry = ca.RetryPolicy(attempts=8, max_wait=900)  # seconds: a nightly job can wait for a rate limit
    async with ca.CircleCI(retry=retry) as circle:
        report = await circle.harvest(
            projects,
            into,
            what=("artifacts", "logs", "tests", "builds"),
            select=ca.Selection(since=since),
            layout=LAYOUT,
            scrub=scrub,
        )
    print(f"{len(report.files):,} new files, {report.bytes:,} bytes, {report.requests:,} requests")
    for pattern, count in report.scrubbed.items():
        print(f"{pattern}: {count:,} replaced")
    problems = [*map(str, report.failed), *([f"stopped: {report.stopped}"] if report.stopped else [])]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 0 if report.is_complete else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="ORGANIZATION_OR_PROJECT")
    parser.add_argument("into", metavar="BUCKET_OR_FOLDER")
    parser.add_argument("--since", default="7d", help="only pipelines since then: '7d', '2026-11-24'; default: 7d")
    parser.add_argument(
        "--scrub", action="append", default=[], metavar="REGEX", help="replace matches in logs, tests and builds"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        sys.exit(asyncio.run(main(given.projects, given.into, given.since, given.scrub)))
    except ca.CircleCIError as error:  # such as a bucket that another harvest uses
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: run it again to continue", file=sys.stderr)
        sys.exit(130)
