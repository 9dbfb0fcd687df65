"""The API's origin: who calls, what they call, and the answer."""

from collections.abc import Mapping
from itertools import count
from uuid import uuid4

from ..handlers import ROUTER, v1
from ..state.accounts import User
from ..state.engine import Engine
from ..state.world import World
from .artifacts import ArtifactOrigin
from .calls import Call, Refusal
from .credentials import sent_token
from .exchange import Received, Reply, json_reply, message_reply
from .pages import PageTokens
from .signatures import Signer

_PREFIX = "/api/v2/"
_OTHERS = ("/api/v2/org/", "/api/v2/owner/")
"""How the paths of OIDC and policies begin, whose errors are `{"error": ...}` instead of `{"message": ...}`."""


class ApiOrigin:
    """Answers API calls from a world."""

    def __init__(
        self,
        world: World,
        engine: Engine,
        pages: PageTokens,
        token: str,
        artifacts: ArtifactOrigin,
        *,
        exports: Signer,
        outputs: Signer,
    ) -> None:
        self._world = world
        self._engine = engine
        self._pages = pages
        self._token = token
        self._artifacts = artifacts
        self._exports = exports
        self._outputs = outputs
        self._run = str(uuid4())[:23]
        self._ids = count(1)

    def request_id(self) -> str:
        """Make the id of the next request."""
        return f"{self._run}-{next(self._ids):012x}"

    def answer(self, request: Received) -> Reply:
        """Answer a request, and let it have its effect."""
        self._engine.settle()
        try:
            return self._answer(request)
        except Refusal as refusal:
            if request.path.startswith(v1.PREFIX):
                return v1.answer(refusal.status, {"message": refusal.message}, request.headers, refusal.headers)
            key = "error" if request.path.startswith(_OTHERS) else "message"
            return message_reply(refusal.status, refusal.message, refusal.headers, key=key)

    def _answer(self, request: Received) -> Reply:
        if request.path.startswith(_PREFIX):
            found, values = ROUTER.find(request.path.removeprefix(_PREFIX))
        elif request.path.startswith(v1.PREFIX):
            found, values = v1.ROUTER.find(request.path.removeprefix(v1.PREFIX))
        else:
            raise Refusal(404, "Not found")
        if not found:
            raise Refusal(404, "Not found")
        route = found.get(request.method)
        if route is not None and route.literal and "%2f" in request.path.lower():
            raise Refusal(404, "Not found")
        if route is None:
            raise Refusal(405, "Method not allowed.", {"Allow": ", ".join(found)})
        call = Call(
            world=self._world,
            engine=self._engine,
            pages=self._pages,
            artifacts_url=self._artifacts.url,
            user=self._user(request.headers),
            headers=request.headers,
            query=request.query,
            content=request.body,
            values=values,
            sign=lambda path: self._signed(self._exports, path),
            lend=lambda path: self._signed(self._outputs, path),
        )
        if not route.public:
            call.caller()
        answer = route.handler(call)
        return answer if isinstance(answer, Reply) else json_reply(route.status, answer)

    def _signed(self, signer: Signer, path: str) -> str:
        return f"{self._artifacts.storage_url}{path}?{signer.sign(path)}"

    def _user(self, headers: Mapping[str, str]) -> User | None:
        token = sent_token(headers)
        if token is None:
            return None
        if token != self._token:
            raise Refusal(401, "Invalid token provided.")
        return self._world.me
