"""The API's origin: authentication, routing and the response."""

from collections.abc import Mapping, Sequence
from itertools import count
from uuid import uuid4

from attrs import frozen

from ..state.engine import Engine
from ..state.registry import User
from ..state.world import World
from .calls import Call, HttpError, PageTokens
from .credentials import Accounts, sent_token
from .exchange import ErrorResponse, Request, Response, json_response
from .routing import Router
from .storage import ArtifactOrigin, Signer


@frozen
class Api:
    """One version of the API: the prefix of its paths, its operations, and the form of its error responses."""

    prefix: str
    router: Router
    error_response: ErrorResponse


class ApiOrigin:
    """Answers API requests from a world."""

    def __init__(
        self,
        world: World,
        engine: Engine,
        pages: PageTokens,
        accounts: Accounts,
        artifacts: ArtifactOrigin,
        *,
        apis: Sequence[Api],
        exports: Signer,
        outputs: Signer,
    ) -> None:
        self._world = world
        self._engine = engine
        self._pages = pages
        self._accounts = accounts
        self._artifacts = artifacts
        self._apis = apis
        self._exports = exports
        self._outputs = outputs
        self._run = str(uuid4())[:23]
        self._requests = count(1)

    def request_id(self) -> str:
        """Return the id of the next response."""
        return f"{self._run}-{next(self._requests):012x}"

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        self._engine.advance()
        api = next((api for api in self._apis if request.path.startswith(api.prefix)), self._apis[0])
        try:
            return self._answer(request, api)
        except HttpError as error:
            return api.error_response(request, error.status, error.message, error.headers)

    def _answer(self, request: Request, api: Api) -> Response:
        routes, values = api.router.find(request.path.removeprefix(api.prefix))
        if not routes or not request.path.startswith(api.prefix):
            raise HttpError(404, "Not found")
        route = routes.get(request.method)
        if route is not None and route.literal and "%2f" in request.path.lower():
            raise HttpError(404, "Not found")
        if route is None:
            raise HttpError(405, "Method not allowed.", {"Allow": ", ".join(routes)})
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
            sign_briefly=lambda path: self._signed(self._outputs, path),
        )
        if not route.public:
            call.caller()
        answer = route.handler(call)
        return answer if isinstance(answer, Response) else json_response(route.status, answer)

    def _signed(self, signer: Signer, path: str) -> str:
        return f"{self._artifacts.storage_url}{path}?{signer.sign(path)}"

    def _user(self, headers: Mapping[str, str]) -> User | None:
        token = sent_token(headers)
        if token is None:
            return None
        user = self._accounts.user_of(token)
        if user is None:
            raise HttpError(401, "Invalid token provided.")
        return user
