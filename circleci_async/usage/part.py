"""One part of an export, from its URL to its rows."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from ..config.redacted import Redacted
from ..core.gzip_decoder import GzipError
from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..core.signed_urls import REFUSALS
from ..errors import CircleCIError, DownloadError
from .table import MalformedTable, Table, TextRow


async def read(
    session: Session, url: Redacted[str], name: str, *, on_bytes: Callable[[int], None]
) -> AsyncGenerator[list[TextRow], None]:
    """Iterate the rows of the part at `url` in batches, between which other tasks can run.

    The URL is signed, so the token is never sent. Interruptions are resumed. `on_bytes` gets the number of bytes
    received so far, which decreases when the part starts over.

    Raises `DownloadError` if the part is refused, incomplete or malformed, and the errors of every call if its storage
    fails.
    """
    body = ResumableBody(session, url, anonymous=True)
    table = Table()
    has_rows = False
    try:
        while True:
            received = body.received
            try:
                part = await anext(body, None)
            except REFUSALS as error:
                raise DownloadError(
                    f"{name} was refused by its storage ({error.status}: {error.message}): URLs of parts expire after"
                    " about 36 hours, call `usage.get_export` for new ones"
                ) from error
            except CircleCIError as error:
                error.add_note(f"while reading {name}")
                raise
            if part is None:
                break
            if part.restarted:
                if has_rows:
                    raise DownloadError(
                        f"{name} was interrupted after {received} bytes, and its storage cannot resume it: call"
                        " `usage.rows` to read the export again from its beginning"
                    )
                table = Table()
            on_bytes(body.received)
            for rows in table.feed(part.data):
                has_rows = True
                yield rows
                await asyncio.sleep(0)
        if rows := table.end():
            yield rows
    except (MalformedTable, GzipError) as error:
        raise DownloadError(f"{name} is malformed: {error}") from None
    finally:
        body.close()
