"""The artifact host's origin, which requires the token and redirects to the storage."""

from urllib.parse import unquote

from ..state.builds import Artifact
from ..state.engine import Engine
from ..state.world import World
from .credentials import Accounts, sent_token
from .exchange import Request, Response, error_response
from .signatures import Signer
from .validation import digits


class ArtifactOrigin:
    """Answers `/output/job/<job>/artifacts/<node>/<path>` with a redirect to a signed URL of the storage.

    `url` and `storage_url` are the URLs of the two origins, set when they listen.
    """

    def __init__(self, world: World, engine: Engine, signer: Signer, accounts: Accounts) -> None:
        self.url = ""
        self.storage_url = ""
        self._world = world
        self._engine = engine
        self._signer = signer
        self._accounts = accounts

    def answer(self, request: Request, *, expired: bool = False) -> Response:
        """Answer a request; with `expired`, the signature of the redirect has already expired."""
        self._engine.advance()
        if request.method not in ("GET", "HEAD"):
            return error_response(405, "Method not allowed.", {"Allow": "GET, HEAD"})
        token = sent_token(request.headers)
        if token is not None and self._accounts.user_of(token) is None:
            return error_response(401, "Invalid token provided.")
        artifact = self._find(request.path)
        if token is None and (artifact is None or not artifact.job.project.public):
            return error_response(401, "You must log in first.")
        if artifact is None:
            return error_response(404, "Not found")
        query = self._signer.sign(unquote(artifact.key), expired=expired)
        location = f"{self.storage_url}{artifact.key}?{query}"
        return Response(302, b"", {"Location": location, "Cache-Control": "no-store"})

    def _find(self, path: str) -> Artifact | None:
        match path.split("/", 6):
            case ["", "output", "job", job, "artifacts", node, rest]:
                return find_artifact(self._world, job, node, rest)
            case _:
                return None


def find_artifact(world: World, job_id: str, node: str, path: str) -> Artifact | None:
    """Return an artifact by the parts of its URL, or None; `path` is escaped."""
    job, number = world.jobs.get(job_id), digits(node)
    return None if job is None or number is None else job.artifact_at(number, unquote(path))
