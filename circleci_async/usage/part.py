"""One part of an export, from its address to its rows."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from ..core.resumable_body import ResumableBody
from ..core.session import Session
from ..errors import AuthenticationError, BadRequest, CircleCIError, DownloadError, Gone, NotFound, PermissionDenied
from .table import Row, Table, Unreadable

REFUSALS = (BadRequest, AuthenticationError, PermissionDenied, NotFound, Gone)
"""What a storage answers when an address is not good any more."""


async def read(
    session: Session, url: str, name: str, *, on_bytes: Callable[[int], None]
) -> AsyncGenerator[list[Row], None]:
    """Iterate the rows of the part at `url`, a batch after the other; other tasks get their turn in between.

    The address is signed, so it is asked without the token, whoever answers there. What is cut is taken up again.
    `on_bytes` is told how many bytes have come so far; fewer than before if it had to start over.

    Raises `DownloadError` if the part is refused or can't be read whole, and as every call does if its storage fails.
    """
    body = ResumableBody(session, url, anonymous=True)
    table = Table()
    given = False
    try:
        while True:
            received = body.received
            try:
                part = await anext(body, None)
            except REFUSALS as error:
                raise DownloadError(
                    f"{name} is refused by its storage ({error.status}: {error.message}); the address of a part is "
                    "good for some 36 hours, and `usage.get_export` may give a new one"
                ) from error
            except CircleCIError as error:
                error.add_note(f"It was about {name}.")
                raise
            if part is None:
                break
            if part.restarted:
                if given:
                    raise DownloadError(
                        f"{name} was cut after {received} bytes, and its storage can't go on from there; "
                        "`usage.rows` reads the export again from its beginning"
                    )
                table = Table()
            on_bytes(body.received)
            for rows in table.feed(part.data):
                given = True
                yield rows
                await asyncio.sleep(0)
        if rows := table.end():
            yield rows
    except Unreadable as error:
        raise DownloadError(f"{name} {error}") from None
    finally:
        body.close()
