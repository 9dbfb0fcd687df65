"""moto's server as S3, in its own process: `python -m benchmarks.s3`. It counts the requests."""

import json
import sys
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from attrs import frozen

from tests.s3.server import boto3_client, environment, s3_server

from .measure import environ, server_process

BUCKET = "benchmark"
_COUNTS = "/benchmark-counts"


@frozen
class S3:
    """A running server with an empty bucket. obstore, boto3 and the AWS CLI find it in the environment."""

    url: str
    client: Any
    """boto3's client."""

    def sizes(self, prefix: str) -> list[int]:
        """Return the sizes of all objects below a prefix, hidden ones apart."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        objects = (each for page in pages for each in page.get("Contents", ()))
        return [each["Size"] for each in objects if not each["Key"].startswith(f"{prefix}/.")]

    def counts(self) -> "Counter[str]":
        """Return the requests so far by method."""
        return Counter(json.loads(_open(f"{self.url}{_COUNTS}")))

    def reset(self) -> None:
        """Delete all objects."""
        _open(Request(f"{self.url}/moto-api/reset", method="POST"))
        self.client.create_bucket(Bucket=BUCKET)


def missing() -> list[str]:
    """Return which of the packages that the server and its clients need are not installed."""
    return [name for name in ("boto3", "moto", "obstore") if find_spec(name) is None]


@contextmanager
def serving() -> Generator[S3]:
    """Run the server, and set the environment meanwhile."""
    with server_process([sys.executable, "-m", "benchmarks.s3"]) as url, environ(environment(url)):
        server = S3(url, boto3_client(url))
        server.reset()
        yield server
        server.client.close()


def _open(request: str | Request) -> bytes:
    with build_opener(ProxyHandler({})).open(request) as response:
        body: bytes = response.read()
        return body


def _counting(app: Any) -> Any:
    """Return an application of WSGI that counts the requests of another one."""
    counts: Counter[str] = Counter()

    def counted(request: dict[str, Any], start: Any) -> Iterable[bytes]:
        if request["PATH_INFO"] == _COUNTS:
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(counts).encode()]
        counts[request["REQUEST_METHOD"]] += 1
        answer: Iterable[bytes] = app(request, start)
        return answer

    return counted


def main() -> None:
    """Print the URL, then serve until killed."""
    with s3_server(_counting) as server:
        print(server.url, flush=True)
        server.join()


if __name__ == "__main__":
    main()
