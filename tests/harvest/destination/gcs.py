"""A server with what a harvest uses of Google Cloud Storage: objects with generations, in memory."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MODIFIED = "Sat, 28 Nov 2026 06:00:00 GMT"
ITEM = (
    "<Contents><Key>{}</Key><LastModified>2026-11-28T06:00:00Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>"
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, int, dict[str, str]]] = {}
        self.generation = 1000
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for each response
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        condition = self.headers.get("x-goog-if-generation-match")
        with self.server.lock:
            _, generation, _ = self.server.objects.get(self._key, (b"", 0, {}))
            if condition is not None and int(condition) != generation:
                return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            self.server.generation += 1
            metadata = {name: value for name, value in self.headers.items() if name.startswith("x-goog-meta-")}
            self.server.objects[self._key] = (content, self.server.generation, metadata)
        return self._answer(200, b"", self._status(content, self.server.generation))

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            return self._list(query.get("prefix", [""])[0])
        stored = self.server.objects.get(self._key)
        if stored is None:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        content, generation, metadata = stored
        headers = {**self._status(content, generation), **metadata}
        if "Range" not in self.headers or not content:
            return self._answer(200, content, headers)
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        piece = content[int(first) : int(last) + 1]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(piece) - 1}/{len(content)}"
        return self._answer(206, piece, headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self._answer(204 if self.server.objects.pop(self._key, None) else 404, b"")

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]

    def _status(self, content: bytes, generation: int) -> dict[str, str]:
        etag = f'"{md5(content, usedforsecurity=False).hexdigest()}"'
        return {"ETag": etag, "x-goog-generation": str(generation), "Last-Modified": MODIFIED}

    def _list(self, prefix: str) -> None:
        found = sorted(self.server.objects.items())
        items = [
            ITEM.format(escape(key), self._status(content, 0)["ETag"], len(content))
            for key, (content, *_) in found
            if key.startswith(prefix)
        ]
        self._answer(200, f"<ListBucketResult>{''.join(items)}</ListBucketResult>".encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def gcs_server() -> Iterator[dict[str, str]]:
    """Run the server; yield the environment with which obstore uses it."""
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    account = {
        "gcs_base_url": f"http://127.0.0.1:{server.server_port}",
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    try:
        yield {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GOOGLE_ALLOW_HTTP": "true"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
