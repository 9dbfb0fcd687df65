"""Opens the buckets of URLs and of stores of obstore."""

import os
import re
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ...config import extras
from ...errors import ConfigurationError, InvalidArgument
from .bucket import Bucket
from .store_errors import failure_text, is_of_store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

REQUEST_TIMEOUT: Final = "180s"
"""How long one request can take, with its body: a part needs 47 kB/s. obstore's default of 30 s is too short for slow
links. The environment can change it: `AWS_TIMEOUT`, `GOOGLE_TIMEOUT`, `AZURE_TIMEOUT`."""

MAX_RETRIES: int = 6
"""How often obstore repeats a request after a connection failure, a timeout or a 5xx: for about 6 s, since its calls
cannot be cancelled. Read for each bucket."""

RETRY_TIMEOUT: Final = timedelta(minutes=5)
"""How long after its start a request is repeated. Repeated requests are not signed again, and S3 accepts a signature
for 15 minutes."""

SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "memory")
"""The schemes of URLs that lead to a bucket."""

CLIENT_OPTIONS: Final = (
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "default_content_type",
    "http1_only",
    "http2_keep_alive_interval",
    "http2_keep_alive_timeout",
    "http2_keep_alive_while_idle",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "randomize_addresses",
    "read_timeout",
    "timeout",
    "user_agent",
)
"""Options of obstore's HTTP client that the environment can set, such as `AWS_ALLOW_HTTP`."""

_CREDENTIAL = re.compile(r"[!-~](?:[ -~]*[!-~])?")

_memory: dict[str, "ObjectStore"] = {}
"""The stores behind `memory:` URLs, by URL: they last as long as the process."""
_memory_lock = Lock()


def is_installed() -> bool:
    """Return whether the extra `store` is installed, without importing it."""
    return extras.is_installed("obstore")


def check_installed(name: str, given: object) -> None:
    """Raise a `ConfigurationError` that names the extra, if it is missing."""
    if not is_installed():
        raise ConfigurationError(
            f"{name} {str(given)!r} needs the extra 'store': install it with `pip install 'circleci-async[store]'`"
        )


def open_bucket(name: str, url: str) -> Bucket:
    """Open the bucket of a URL, such as `s3://ci-archive/acme`, with the credentials that obstore finds.

    Sends no request. Raises `InvalidArgument` that names the argument, and `ConfigurationError` without the extra.
    """
    parts = urlsplit(url)
    if parts.password is not None or parts.query or parts.fragment:
        raise InvalidArgument(
            f"{name} must be the URL of a bucket without a password, '?' and '#': set credentials in the environment,"
            " such as AWS_ACCESS_KEY_ID"
        )
    check_installed(name, url)
    from obstore.store import MemoryStore, from_url

    scheme = "s3" if parts.scheme == "s3a" else parts.scheme
    location = scheme + url[len(parts.scheme) :].rstrip("/")  # one working folder, however the URL is written
    if url.startswith("memory:"):
        with _memory_lock:
            return Bucket(_memory.setdefault(location, MemoryStore()), location)
    _check_credentials()
    retry: RetryConfig = {"max_retries": MAX_RETRIES, "retry_timeout": RETRY_TIMEOUT}
    try:
        return Bucket(from_url(location, client_options=_client_options(parts.scheme), retry_config=retry), location)
    except BaseException as error:
        if not is_of_store(error):
            raise
        reason = failure_text(error)
    if "URL" in reason:
        raise InvalidArgument(f"{name} must be the URL of a bucket, such as 's3://bucket/prefix', got {url!r}")
    raise ConfigurationError(f"{name} {url!r} cannot be opened: {reason}: set it in the environment")


def _check_credentials() -> None:
    """Raise `ConfigurationError` for credentials that make obstore panic, such as ones with a line break."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        if not _CREDENTIAL.fullmatch(os.environ.get(name) or "-"):
            raise ConfigurationError(f"{name} contains a space, a line break or another invalid character")


def _client_options(scheme: str) -> "ClientConfig":
    """Return the options that the environment sets, and the timeout: given options replace those of the environment."""
    prefix = {"s3": "AWS_", "s3a": "AWS_", "gs": "GOOGLE_"}.get(scheme, "AZURE_")
    options: Any = {"timeout": REQUEST_TIMEOUT}
    for option in CLIENT_OPTIONS:
        value = os.environ.get(f"{prefix}{option.upper()}")
        if value is not None:
            options[option] = value
    return options  # type: ignore[no-any-return]


def bucket_of(name: str, store: Any) -> tuple[Path | None, Bucket | None]:
    """Return the bucket of a store of obstore, or the folder of a `LocalStore`.

    Raises `InvalidArgument` that names the argument for anything else.
    """
    if type(store).__module__.partition(".")[0] == "obstore":
        from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

        if isinstance(store, LocalStore) and store.prefix is not None:
            return Path(store.prefix), None
        if isinstance(store, MemoryStore):
            return None, Bucket(store, "memory:")
        for kind, scheme in ((S3Store, "s3"), (GCSStore, "gs"), (AzureStore, "az")):
            if isinstance(store, kind):
                config: dict[str, str] = {str(key): str(value) for key, value in store.config.items()}
                container = config.get("bucket") or config.get("container_name") or ""
                return None, Bucket(store, f"{scheme}://{'/'.join(filter(None, (container, store.prefix)))}")
    raise InvalidArgument(
        f"{name} must be a folder, the URL of a bucket, or a store of obstore (S3, GCS, Azure, local with a prefix,"
        f" memory), got {store!r}"
    )
