"""`Bucket` when S3 or the network fails: what is retried, and the errors, which contain no credentials."""

import io
import ssl
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

import circleci_async as ca
from circleci_async.harvest.destination import stores
from circleci_async.harvest.destination.bucket import PART_SIZE, Bucket
from circleci_async.harvest.destination.stores import open_bucket
from tests.downloads.file_server import random_bytes
from tests.s3.proxy import Fault, FaultProxy, fault_proxy
from tests.s3.server import CREDENTIALS, SECRETS, TestBucket


@pytest.fixture(autouse=True)
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MAX_RETRIES", 0)


@pytest.fixture
def retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MAX_RETRIES", 3)


def error_of(call: Callable[[], object]) -> ca.StoreError:
    """Return the error of a call, after checking that it is one line and shows no secret, in its traceback too."""
    with pytest.raises(ca.StoreError) as caught:
        call()
    error = caught.value
    assert str(error).isprintable()
    assert error.hint is None or error.hint.endswith(".")
    assert error.__cause__ is error.__context__ is None
    lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    for text in (str(error), repr(error), str(vars(error)), lines):
        assert not any(secret in text for secret in SECRETS)
        assert not any(word in text for word in ("AWS4-HMAC", "X-Amz-", "x-amz-", "Debug source"))
    return error


CALLS: dict[str, Callable[[Bucket], object]] = {
    "write": lambda bucket: bucket.put("a", b"x"),
    "put parts": lambda bucket: bucket.put("a", io.BytesIO(bytes(PART_SIZE * 2))),
    "create": lambda bucket: bucket.create("a", b"x"),
    "replace": lambda bucket: bucket.replace("a", b"x", '"e"'),
    "head": lambda bucket: bucket.head("a"),
    "metadata": lambda bucket: bucket.metadata("a"),
    "read": lambda bucket: bucket.read("a", max_bytes=1),
    "pieces": lambda bucket: list(bucket.pieces("a")),
    "list": lambda bucket: list(bucket.list()),
    "delete": lambda bucket: bucket.delete(["a"]),
}
ACTIONS = {
    "put parts": "write",
    "create": "write",
    "replace": "write",
    "head": "read",
    "metadata": "read",
    "pieces": "read",
}


@pytest.mark.parametrize("call", CALLS)
def test_a_refused_call(s3: TestBucket, s3_proxy: FaultProxy, call: str) -> None:
    s3_proxy.add(Fault(status=403, code="AccessDenied", message="Access Denied"))
    error = error_of(lambda: CALLS[call](s3.open("acme")))
    name = f"{s3.url}/acme" if call == "list" else f"{s3.url}/acme/a"
    code = "" if call in {"head", "metadata"} else ": AccessDenied: Access Denied"  # HEAD has no body
    assert str(error) == f"cannot {ACTIONS.get(call, call)} {name}: 403 Forbidden{code}"
    assert (error.status, error.code, error.is_refused) == (403, code.split(": ")[1] if code else None, True)
    assert error.hint == "Check the store's credentials (such as AWS_ACCESS_KEY_ID) and what its policy allows them."
    assert s3.keys() == s3.unfinished_uploads() == []


@pytest.mark.parametrize("call", ["write", "put parts", "create", "read", "pieces", "list", "delete"])
def test_a_bucket_that_does_not_exist(s3: TestBucket, call: str) -> None:
    error = error_of(lambda: CALLS[call](open_bucket("into", "s3://no-such-bucket/acme")))
    assert str(error).endswith(": 404 Not Found: NoSuchBucket: The specified bucket does not exist")
    assert (error.status, error.code, error.is_refused) == (404, "NoSuchBucket", True)
    assert error.hint == "Create the bucket, or check its name and the endpoint."


@pytest.mark.parametrize(
    ("status", "code", "is_refused", "hint"),
    [
        (401, "AccessDenied", True, "credentials"),
        (403, "SignatureDoesNotMatch", True, "credentials"),
        (403, "InvalidAccessKeyId", True, "credentials"),
        (403, "RequestTimeTooSkewed", True, "clock"),
        (400, "ExpiredToken", True, "credentials"),
        (400, "AuthorizationHeaderMalformed", True, "AWS_REGION"),
        (400, "KeyTooLongError", False, None),
        (404, "NoSuchUpload", False, None),
        (500, "InternalError", False, "incident"),
        (503, "SlowDown", False, "rate of requests"),
    ],
)
def test_the_errors_of_the_store(
    s3: TestBucket, s3_proxy: FaultProxy, status: int, code: str, is_refused: bool, hint: str | None
) -> None:
    quoted = " ".join(SECRETS)
    more = f"<AWSAccessKeyId>{SECRETS[0]}</AWSAccessKeyId><StringToSign>{quoted} AWS4-HMAC-SHA256</StringToSign>"
    s3_proxy.add(Fault(status=status, code=code, message=f"refused: {quoted}\x1b[2J", more=more))
    error = error_of(lambda: s3.open("acme").put("a", b"x"))
    assert str(error).startswith(f"cannot write {s3.url}/acme/a: {status} ")
    assert f": {code}" in str(error)
    assert (error.status, error.code, error.is_refused) == (status, code, is_refused)
    assert hint in (error.hint or "") if hint else error.hint is None


def test_a_redirect_to_another_region(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    s3_proxy.add(Fault(status=301, code="PermanentRedirect"))
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: the store redirects to another region"
    assert (error.is_refused, error.hint) == (True, "Set the region of the bucket (AWS_REGION).")


def test_no_credentials(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: no credentials found"
    assert error.is_refused
    assert error.hint == "Set the store's credentials, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."


@pytest.mark.parametrize(
    ("endpoint", "reason", "hint"),
    [
        ("http://127.0.0.1:1", "connection failed: Connection refused", "AWS_ENDPOINT"),
        ("http://no-such-host.invalid", "the name of the server is unknown", "AWS_ENDPOINT"),
        ("https://{host}", "the server does not use TLS", "http://"),
    ],
)
def test_an_endpoint_that_is_not_reached(
    s3: TestBucket, monkeypatch: pytest.MonkeyPatch, endpoint: str, reason: str, hint: str
) -> None:
    host = s3.server.url.partition("://")[2]
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, endpoint.format(host=host))
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: {reason}"
    assert hint in (error.hint or "")
    assert not error.is_refused


def test_an_http_endpoint_must_be_allowed(s3: TestBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: the endpoint uses http://"
    assert (error.is_refused, error.hint) == (True, "Set AWS_ALLOW_HTTP=true, or use an https:// endpoint.")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(drop="close"), "the connection was lost"),
        (Fault(drop="reset"), "connection failed: Connection reset by peer"),
        (Fault(cut_response=10), "the connection was lost"),
    ],
)
def test_a_lost_connection(s3: TestBucket, s3_proxy: FaultProxy, fault: Fault, reason: str) -> None:
    fault = s3_proxy.add(replace(fault))
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: {reason}"
    assert (error.status, error.is_refused) == (None, False)


@pytest.mark.usefixtures("retries")
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, times=1),
        Fault(status=503, code="SlowDown", times=2),
        Fault(drop="reset", times=1),
        Fault(cut_response=10, times=1),
    ],
)
def test_a_fault_that_ends_is_retried(s3: TestBucket, s3_proxy: FaultProxy, fault: Fault) -> None:
    fault = s3_proxy.add(replace(fault))
    bucket = s3.open("acme")
    bucket.put("a", b"x", {"sha256": "ab"})
    assert fault.happened == fault.times
    assert s3_proxy.count("PUT") == fault.happened + 1
    assert s3.files() == {"acme/a": b"x"}
    assert s3.metadata("acme/a") == {"sha256": "ab"}


@pytest.mark.usefixtures("retries")
def test_a_part_that_fails_is_sent_again(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    content = random_bytes(PART_SIZE + 1)
    s3_proxy.add(Fault(method="PUT", query="partNumber", status=500, times=1))
    s3.open().put("a", io.BytesIO(content))
    assert s3.files() == {"a": content}
    assert s3_proxy.count("PUT") == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="PUT", query="partNumber", status=403, code="AccessDenied", times=1),
        Fault(method="PUT", query="partNumber", cut_request=PART_SIZE // 2, times=1),
        Fault(method="POST", query="uploadId", status=403, code="AccessDenied", times=1),
    ],
)
def test_a_failed_upload_leaves_nothing(s3: TestBucket, s3_proxy: FaultProxy, fault: Fault) -> None:
    fault = s3_proxy.add(replace(fault))
    error_of(lambda: s3.open().put("a", io.BytesIO(bytes(PART_SIZE + 1))))
    assert fault.happened == 1
    assert s3.keys() == s3.unfinished_uploads() == []


@pytest.mark.usefixtures("retries")
def test_a_lost_response_is_not_mistaken_for_another_writer(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    bucket = s3.open()
    lost = s3_proxy.add(Fault(method="PUT", cut_response=10, times=1))
    etag = bucket.create("lease", b"holder 1")
    assert etag is not None
    assert s3_proxy.count("PUT") == 2
    assert bucket.create("lease", b"holder 2") is None
    lost.happened = 0
    assert bucket.replace("lease", b"renewed", etag) is not None
    assert bucket.replace("lease", b"by another", etag) is None
    assert s3.files() == {"lease": b"renewed"}


@pytest.mark.usefixtures("retries")
def test_a_cut_body_is_read_from_where_it_was_cut(s3: TestBucket, s3_proxy: FaultProxy) -> None:
    content = random_bytes(200_000)
    s3.put("a", content)
    s3_proxy.add(Fault(method="GET", cut_response=100_000, times=1))
    assert b"".join(s3.open().pieces("a")) == content
    assert s3_proxy.count("GET") == 2


def test_a_timeout_of_the_environment(s3: TestBucket, s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_TIMEOUT", "100ms")
    s3_proxy.add(Fault(method="PUT", delay=30))
    error = error_of(lambda: s3.open().put("a", b"x"))
    assert str(error) == f"cannot write {s3.url}/a: no response within the timeout"
    assert (error.is_refused, error.hint) == (False, "Set a longer one, such as AWS_TIMEOUT=600s.")


def test_the_timeout_is_long_enough_for_slow_links(
    s3: TestBucket, s3_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's timeout replaces obstore's, and the other settings of the environment stay."""
    monkeypatch.setattr(stores, "REQUEST_TIMEOUT", "100ms")
    monkeypatch.setenv("AWS_USER_AGENT", "from the environment")
    s3_proxy.add(Fault(method="PUT", rate=1_000_000))
    bucket = s3.open()
    assert str(error_of(lambda: bucket.put("a", bytes(500_000)))).endswith(": no response within the timeout")
    assert {request.headers["user-agent"] for request in s3_proxy.requests} == {"from the environment"}
    monkeypatch.setattr(stores, "REQUEST_TIMEOUT", "30s")
    s3.open().put("a", bytes(200_000))
    assert s3.files() == {"a": bytes(200_000)}


def test_a_certificate_that_is_not_trusted(s3: TestBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with fault_proxy(s3.server.url, tls) as proxy:
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
            monkeypatch.setenv(name, proxy.url)
        error = error_of(lambda: s3.open().put("a", b"x"))
        assert str(error) == f"cannot write {s3.url}/a: the certificate of the server is invalid: UnknownIssuer"
        assert error.hint == "Check the endpoint, or set SSL_CERT_FILE to the certificates of its authority."
        assert proxy.requests == []

        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        s3.open().put("a", b"x")
    assert s3.files() == {"a": b"x"}
