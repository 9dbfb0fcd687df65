"""The artifacts' origin, which wants the token and redirects to the storage."""

from urllib.parse import unquote

from ..state.engine import Engine
from ..state.jobs import Artifact
from ..state.world import World
from .credentials import sent_token
from .exchange import Received, Reply, message_reply
from .signatures import Signer


class ArtifactOrigin:
    """Answers `/output/job/<job>/artifacts/<node>/<path>` with a redirect to a signed address of the storage.

    `url` and `storage_url` are where the two origins listen; they are known when they do.
    """

    def __init__(self, world: World, engine: Engine, signer: Signer, token: str) -> None:
        self.url = ""
        self.storage_url = ""
        self._world = world
        self._engine = engine
        self._signer = signer
        self._token = token

    def answer(self, request: Received, *, expired: bool = False) -> Reply:
        """Answer a request; `expired`: the signature it is sent to has expired already."""
        self._engine.settle()
        if request.method not in ("GET", "HEAD"):
            return message_reply(405, "Method not allowed.", {"Allow": "GET, HEAD"})
        token = sent_token(request.headers)
        if token is not None and token != self._token:
            return message_reply(401, "Invalid token provided.")
        artifact = self._find(request.path)
        if token is None and (artifact is None or not artifact.job.workflow.pipeline.project.public):
            return message_reply(401, "You must log in first.")
        if artifact is None:
            return message_reply(404, "Not found")
        query = self._signer.sign(unquote(artifact.key), expired=expired)
        location = f"{self.storage_url}{artifact.key}?{query}"
        return Reply(302, b"", {"Location": location, "Cache-Control": "no-store"})

    def _find(self, path: str) -> Artifact | None:
        match path.split("/", 6):
            case ["", "output", "job", job, "artifacts", node, rest]:
                return find_artifact(self._world, job, node, rest)
            case _:
                return None


def find_artifact(world: World, job_id: str, node: str, path: str) -> Artifact | None:
    """Find an artifact by the parts of an address; `path` is escaped."""
    job = world.jobs.get(job_id)
    if job is None or not (node.isascii() and node.isdigit()):
        return None
    return job.artifact_at(int(node), unquote(path))
