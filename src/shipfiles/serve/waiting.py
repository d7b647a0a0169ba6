"""Answers for an event loop: at once where that is quicker than a thread, in a thread where it may have to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec

from .default import Uploads
from .forks import renew_in_child
from .opened import Span
from .ready import ready_respond
from .respond import Request, Response, respond, respond_instead
from .streamed import Delivery, Stream
from .table import Table

P = ParamSpec("P")

_THREADS = 8
_DOWNLOADS = 16


async def respond_soon(table: Table, request: Request, *, keep: bool = True) -> Response | None:
    """What `ready_respond` answers, or without ``keep`` what `respond` does.

    The loop is never kept by manifests that are read or by another store.
    """
    path, mount = request.path, request.mount
    respond_now = ready_respond if keep else respond
    if path is None or not (table.may_wait(path) or (mount and table.may_wait(mount + path))):
        # Opening and reading a small file is quicker than handing it to a thread.
        return respond_now(table, request)
    answer = _pool.threads.submit(respond_now, table, request)
    try:
        return await asyncio.wrap_future(answer)
    except asyncio.CancelledError:
        answer.add_done_callback(_close)
        raise


async def uploads_soon(uploads: Uploads, request: Request) -> Delivery | None:
    """What ``uploads`` answer."""
    return await delivered_soon(uploads.find, request) if uploads.may_wait(request) else uploads.find(request)


async def delivered_soon(deliver: Callable[P, Delivery | None], *given: P.args, **named: P.kwargs) -> Delivery | None:
    """What ``deliver`` makes of what is given, in a thread."""
    answer = _pool.uploads.submit(deliver, *given, **named)
    try:
        return await asyncio.wrap_future(answer)
    except asyncio.CancelledError:
        answer.add_done_callback(_close)
        raise


async def pieces_of(stream: Stream) -> AsyncIterator[bytes]:
    """The pieces of ``stream``, which is closed at the end; for each chunk its store is asked in a thread."""
    try:
        while stream.left > 0:
            if not stream.is_at_hand:
                fetching = _pool.uploads.submit(stream.fetch)
                try:
                    await asyncio.wrap_future(fetching)
                except asyncio.CancelledError:
                    # What a thread reads from cannot be closed meanwhile.
                    fetching.add_done_callback(lambda _: stream.close())
                    raise
            yield stream.piece()
    finally:
        stream.close()


async def respond_instead_soon(table: Table, request: Request, accept: str | None) -> Response | None:
    """What `respond_instead` answers."""
    if table.config.pull_from is None:
        return respond_instead(table, request, accept)
    return await asyncio.wrap_future(_pool.threads.submit(respond_instead, table, request, accept))


class _Pool:
    # Of our own: those of the loop are there for everybody, and a store that does not answer must not take them all.

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        # It begins without threads.
        self.threads = ThreadPoolExecutor(_THREADS, "shipfiles")
        # Apart: downloads that wait for their store do not keep the files of the site.
        self.uploads = ThreadPoolExecutor(_DOWNLOADS, "shipfiles-uploads")


_pool = _Pool()
renew_in_child(_pool.renew)


def _close(answer: Future[Response | None] | Future[Delivery | None]) -> None:
    """Close the file of an answer that nobody waits for any more."""
    if not answer.cancelled() and answer.exception() is None:
        response = answer.result()
        if response is not None and isinstance(response.body, (Span, Stream)):
            response.body.close()
