"""A plain HTTP client."""

from typing import Any

import aiohttp
from yarl import URL

from circleci_async.testing import FakeCircleCI


class Caller:
    """Sends requests to a fake. Each method asserts the status of the response, and returns its JSON."""

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
