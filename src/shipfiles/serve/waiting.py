"""Answers for an event loop: at once where that is quicker than a thread, in a thread where it may have to wait."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from .forks import renew_in_child
from .opened import Span
from .ready import ready_respond
from .respond import Request, Response, respond, respond_instead
from .table import Table

_THREADS = 8


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


_pool = _Pool()
renew_in_child(_pool.renew)


def _close(answer: Future[Response | None]) -> None:
    """Close the file of an answer that nobody waits for any more."""
    if not answer.cancelled() and answer.exception() is None:
        response = answer.result()
        if response is not None and isinstance(response.body, Span):
            response.body.close()
