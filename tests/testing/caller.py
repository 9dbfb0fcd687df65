"""A plain HTTP client that validates every response against the OpenAPI description."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from yarl import URL

from circleci_async.testing import FakeCircleCI

SPEC: dict[str, Any] = json.loads((Path(__file__).parent.parent / "contract" / "circleci-v2.openapi.json").read_text())
_SEGMENT = {
    "{project-slug}": "(?:[^/]+/[^/]+/[^/]+|[^/]+%2F[^/]+%2F[^/]+)",
    "{org-slug}": "(?:[^/]+/[^/]+|[^/]+%2F[^/]+)",
}


def _pattern(template: str) -> re.Pattern[str]:
    parts = (re.sub(r"\{.*\}", "[^/]+", _SEGMENT.get(part, part)) for part in template.split("/"))
    return re.compile("/".join(parts))


_PATHS = [(_pattern(template), template) for template in sorted(SPEC["paths"], key=lambda path: path.count("{"))]


@functools.cache
def _template(method: str, path: str) -> str | None:
    """Return the path template of an operation, or None."""
    matching = (template for pattern, template in _PATHS if pattern.fullmatch(path))
    return next((template for template in matching if method.lower() in SPEC["paths"][template]), None)


@functools.cache
def _response(method: str, template: str, status: int) -> tuple[bool, OAS30Validator | None]:
    """Return whether an operation has this success status, and the validator of its body; None for no body."""
    answers = SPEC["paths"][template][method.lower()]["responses"]
    if status < 300 and str(status) not in answers:
        return False, None
    answer = answers.get(str(status)) or answers["default"]
    if "$ref" in answer:
        answer = SPEC["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if "content" not in answer:
        return True, None
    schema = {**answer["content"]["application/json"]["schema"], "components": SPEC["components"]}
    return True, OAS30Validator(schema, format_checker=oas30_format_checker)


def faults_of(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return the violations of the OpenAPI description in a response; none for unknown paths."""
    template = _template(method, path)
    if template is None:
        return []
    key = "error" if path.startswith(("/org/", "/owner/")) else "message"
    if status >= 400 and not isinstance(body.get(key), str):
        return [f"$.{key}: every error has a message"]
    is_described, validator = _response(method, template, status)
    if not is_described:
        return [f"{method} {template} never answers {status}"]
    if validator is None:
        return [] if body is None else [f"$: {body!r} is not of type 'nothing'"]
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


class Caller:
    """Sends requests to a `FakeCircleCI`, checks the status and schema of each response, and returns its JSON."""

    def __init__(self, fake: FakeCircleCI, http: aiohttp.ClientSession) -> None:
        self.fake = fake
        self.http = http
        self.headers: dict[str, str] = {"Circle-Token": fake.token}
        self.answer: aiohttp.ClientResponse

    async def get(self, path: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        """Send GET; the path is not escaped."""
        return await self.send("GET", path, status=status, headers=headers)

    async def post(self, path: str, body: Any = None, *, status: int) -> Any:
        """Send POST, with an optional JSON body."""
        return await self.send("POST", path, status=status, json=body)

    async def put(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Send PUT, with an optional JSON body."""
        return await self.send("PUT", path, status=status, json=body)

    async def patch(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Send PATCH, with an optional JSON body."""
        return await self.send("PATCH", path, status=status, json=body)

    async def delete(self, path: str, *, status: int = 200) -> Any:
        """Send DELETE."""
        return await self.send("DELETE", path, status=status)

    async def send(
        self, method: str, path: str, *, status: int, headers: dict[str, str] | None = None, **options: Any
    ) -> Any:
        """Send a request."""
        url = URL(f"{self.fake.url}/api/v2{path}", encoded=True)
        headers = self.headers if headers is None else headers
        async with self.http.request(method, url, headers=headers, **options) as self.answer:
            body = await self._body()
        assert self.answer.status == status, body
        assert faults_of(method, path.partition("?")[0], status, body) == []
        return body

    async def _body(self) -> Any:
        if self.answer.status != 204:
            return await self.answer.json()
        assert await self.answer.read() == b""
        assert "Content-Type" not in self.answer.headers, "a response without a body has no Content-Type"
        return None

    async def walk(self, path: str) -> list[list[Any]]:
        """Return the items of every page of a list."""
        pages: list[list[Any]] = []
        token: str | None = ""
        while token is not None:
            query = f"{'&' if '?' in path else '?'}page-token={token}" if token else ""
            page = await self.get(f"{path}{query}")
            pages.append(page["items"])
            token = page["next_page_token"]
        return pages

    async def fetch(self, url: str, *, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        """Fetch a URL unchanged, without a token and without following redirects."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        address = URL(url, encoded=True)
        async with self.http.request(method, address, headers=named, allow_redirects=False) as self.answer:
            return self.answer.status, await self.answer.read()

    async def signed(self, url: str) -> str:
        """Return the URL that an artifact's URL redirects to."""
        status, _ = await self.fetch(url, Circle_Token=self.fake.token)
        assert status == 302
        return self.answer.headers["Location"]
