"""Report on an organization every night: extend its history, write the page, and post the answers to a chat.

    export CIRCLE_TOKEN=... CHAT_WEBHOOK=https://hooks.slack.com/services/...
    python report.py gh/acme --history s3://ci-archive/insights --into report.html

Without CHAT_WEBHOOK, the answers are printed only. The page compares the window with the one before it, also beyond
the 90 days that CircleCI keeps. The exit code is 1 if something could not be read; the page has the rest.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence

import aiohttp

import circleci_async as ca


async def main(projects: Sequence[str], history: str, window: str, into: str, webhook: str | None) -> int:
    """Collect what is new, report on the history, and return the exit code."""
    retry = ca.RetryPolicy(attempts=8, max_wait=900)  # seconds: a nightly job can wait for a rate limit
    async with ca.CircleCI(retry=retry) as circle:
        collection = await circle.insights.collect(projects, history)
    for failure in collection.failures:
        print(f"{failure.project}: no {failure.kind}: {failure.error}", file=sys.stderr)
    report = await ca.report_from_history(history, window=window)
    await asyncio.to_thread(report.save, into)
    message = "\n".join(f"*{answer.question}* {answer.text}" for answer in report.answers if answer.rows)
    print(message)
    if webhook:
        await post(webhook, message)
    return 0 if collection.is_complete else 1


async def post(webhook: str, message: str) -> None:
    """Post a message to an incoming webhook of Slack, Mattermost or Discord (append /slack to its URL)."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with (
        aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as http,
        http.post(webhook, json={"text": message}),
    ):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", metavar="ORGANIZATION_OR_PROJECT")
    parser.add_argument("--history", default="history", metavar="BUCKET_OR_FOLDER", help="default: history")
    parser.add_argument("--window", default="30d", help="how far back; default: 30d")
    parser.add_argument("--into", default="report.html", metavar="FILE", help="the page; default: report.html")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))  # stop as after Ctrl-C
    try:
        sys.exit(asyncio.run(main(**vars(given), webhook=os.environ.get("CHAT_WEBHOOK"))))
    except (ca.CircleCIError, aiohttp.ClientError, TimeoutError) as error:  # such as an invalid token
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: run it again to continue", file=sys.stderr)
        sys.exit(130)
