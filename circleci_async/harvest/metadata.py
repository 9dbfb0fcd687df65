"""The metadata of an object: what it was downloaded from, so that a later run recognizes it. No I/O."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from .ledger.records import QueuedArtifact

MAX_VALUE: Final = 900
"""Characters of a value; S3 allows 2 KB for all of an object. A longer value is cut, and its checksum is appended."""

_SAFE: Final = "/:=+@,()!&$'*;?#[]\""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def describe(artifact: QueuedArtifact, *, sha256: str, etag: str | None) -> dict[str, str]:
    """Return the metadata of the object of a file.

    Names are one word, since Azure allows no hyphens; values are percent-encoded, since headers are ASCII.
    """
    return {"sha256": sha256, **({"sourceetag": _value(etag)} if etag else {}), **_identity(artifact)}


def known_sha256(metadata: Mapping[str, str], artifact: QueuedArtifact) -> str | None:
    """Return the SHA-256 of an object's content; None unless it is this file."""
    sha256 = metadata.get("sha256", "")
    is_same = all(metadata.get(name) == value for name, value in _identity(artifact).items())
    return sha256 if is_same and _SHA256.fullmatch(sha256) else None


def _identity(artifact: QueuedArtifact) -> dict[str, str]:
    return {
        "project": _value(artifact.project),
        "job": str(artifact.job),
        "kind": artifact.kind,
        "node": str(artifact.node),
        "path": _value(artifact.path),
    }


def _value(text: str) -> str:
    encoded = quote(text, safe=_SAFE)
    if len(encoded) <= MAX_VALUE:
        return encoded
    return f"{encoded[:MAX_VALUE]}~{hashlib.sha256(text.encode()).hexdigest()}"
