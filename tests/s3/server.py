"""moto's server as S3, and a bucket of it for each test."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from circleci_async.harvest.destination.bucket import Bucket
from circleci_async.harvest.destination.stores import open_bucket

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIA5ECRETKEYOFTESTS",
    "AWS_SECRET_ACCESS_KEY": "s3cret/access/key/of/tests",
    "AWS_SESSION_TOKEN": "s3cret-session-token-of-tests",
}
"""Credentials that tests look for in requests, logs and errors."""

SECRETS = tuple(CREDENTIALS.values())


def environment(endpoint: str) -> dict[str, str]:
    """Return the settings with which obstore, boto3 and the AWS CLI use an endpoint."""
    return {
        **CREDENTIALS,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT": endpoint,
        "AWS_ENDPOINT_URL": endpoint,
    }


def boto3_client(endpoint: str) -> Any:
    """Return boto3's client of an endpoint."""
    import boto3  # type: ignore[import-untyped]

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )


class S3Server:
    """A running server. `client`: boto3's client, which reads the buckets directly."""

    def __init__(self, url: str, thread: threading.Thread) -> None:
        self.url = url
        self.client = boto3_client(url)
        self.join = thread.join


@contextmanager
def s3_server(middleware: Callable[[Any], Any] = lambda app: app) -> Iterator[S3Server]:
    """Run moto's server in a thread, on a free port of loopback, while the block runs.

    `middleware` returns the application that is served, given moto's.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    class QuietHandler(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Print nothing."""

    class QuietServer(ThreadedWSGIServer):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Print nothing."""

    app = middleware(DomainDispatcherApplication(create_backend_app))
    server = QuietServer("127.0.0.1", 0, app, handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="moto")
    thread.start()
    running = S3Server(f"http://127.0.0.1:{server.server_port}", thread)
    try:
        yield running
    finally:
        running.client.close()
        server.shutdown()
        server.server_close()
        thread.join()


class TestBucket:
    """A bucket of the server. `env`: the settings for a process that uses it."""

    __test__ = False

    def __init__(self, server: S3Server, name: str) -> None:
        self.server = server
        self.name = name
        self.url = f"s3://{name}"
        self.env: Mapping[str, str] = environment(server.url)
        self._s3 = server.client
        self._s3.create_bucket(Bucket=name)

    def open(self, prefix: str = "") -> Bucket:
        """Return the package's bucket of a prefix."""
        return open_bucket("into", f"{self.url}/{prefix}")

    def keys(self, prefix: str = "") -> list[str]:
        """Return the names of all objects below a prefix, which is removed from them."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [found["Key"].removeprefix(prefix) for page in pages for found in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def files(self, prefix: str = "") -> dict[str, bytes]:
        """Return the content of all objects below a prefix, which is removed from their names."""
        return {key: self.read(prefix + key) for key in self.keys(prefix)}

    def metadata(self, key: str) -> dict[str, str]:
        found: dict[str, str] = self._s3.head_object(Bucket=self.name, Key=key)["Metadata"]
        return found

    def put(self, key: str, content: bytes, metadata: Mapping[str, str] | None = None) -> None:
        self._s3.put_object(Bucket=self.name, Key=key, Body=content, Metadata=dict(metadata or {}))

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._s3.delete_object(Bucket=self.name, Key=key)

    def stored(self, prefix: str = "") -> dict[str, tuple[bytes, dict[str, str]]]:
        """Return what `files` does, and the metadata, from the memory of the server: much faster."""
        items = list(self._objects().items())
        return {
            key.removeprefix(prefix): (
                each.value,
                {name.lower().removeprefix("x-amz-meta-"): value for name, value in each.metadata.items()},
            )
            for key, each in items
            if key.startswith(prefix)
        }

    def age(self, key: str, seconds: float) -> None:
        """Let an object appear as written this many seconds earlier, if it exists."""
        if (found := self._objects().get(key)) is not None:
            found.last_modified -= timedelta(seconds=seconds)

    def _objects(self) -> Any:
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        return s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self.name].keys

    def unfinished_uploads(self) -> list[str]:
        """Return the names of the multipart uploads that were neither completed nor aborted."""
        found = self._s3.list_multipart_uploads(Bucket=self.name)
        return [upload["Key"] for upload in found.get("Uploads", ())]

    def abort_uploads(self) -> None:
        """Abort all multipart uploads, as a rule of the bucket does after some days."""
        for upload in self._s3.list_multipart_uploads(Bucket=self.name).get("Uploads", ()):
            with suppress(self._s3.exceptions.NoSuchUpload):  # a request of a killed process has completed it
                self._s3.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])

    def remove(self) -> None:
        """Delete the bucket and its objects."""
        keys = self.keys()
        for begin in range(0, len(keys), 1000):
            objects = [{"Key": key} for key in keys[begin : begin + 1000]]
            self._s3.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})
        self._s3.delete_bucket(Bucket=self.name)
