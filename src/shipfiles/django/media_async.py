"""The verbs of a storage for who must not block a loop: each as the one without ``a``, in one of a few threads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from django.core.files.storage import Storage
from django.db import connections

from ..work import aside
from .media_files import MediaFile

T = TypeVar("T")


class AsyncStorage(Storage):
    """A storage with these verbs."""

    async def asave(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """As ``save``. Who is cancelled waits until nothing reads ``content`` any more, and nothing is being stored."""
        return await _aside(self.save, name, content, max_length, to_its_end=True)

    async def aopen(self, name: str, mode: str = "rb") -> MediaFile:
        """As ``open``; the file has ``aread``, ``achunks`` and ``aclose``."""
        file = await _aside(self.open, name, mode)
        if isinstance(file, MediaFile):
            file.begun_during(sys.exception())
        return cast("MediaFile", file)

    async def adelete(self, name: str) -> None:
        """As ``delete``."""
        await _aside(self.delete, name, to_its_end=True)

    async def aexists(self, name: str) -> bool:
        """As ``exists``."""
        return await _aside(self.exists, name)

    async def alistdir(self, path: str) -> tuple[list[str], list[str]]:
        """As ``listdir``."""
        return await _aside(self.listdir, path)

    async def asize(self, name: str) -> int:
        """As ``size``."""
        return await _aside(self.size, name)

    async def aurl(
        self,
        name: str | None,
        parameters: Mapping[str, str] | None = None,
        expire: float | timedelta | None = None,
        http_method: str | None = None,
    ) -> str:
        """As ``url``: a provider may have to be asked for a signature."""
        return await _aside(self.url, name, parameters, expire, http_method)

    async def apath(self, name: str) -> str:
        """As ``path``."""
        return self.path(name)

    async def aget_accessed_time(self, name: str) -> datetime:
        """As ``get_accessed_time``."""
        return await _aside(self.get_accessed_time, name)

    async def aget_created_time(self, name: str) -> datetime:
        """As ``get_created_time``."""
        return await _aside(self.get_created_time, name)

    async def aget_modified_time(self, name: str) -> datetime:
        """As ``get_modified_time``."""
        return await _aside(self.get_modified_time, name)

    async def aget_available_name(self, name: str, max_length: int | None = None) -> str:
        """As ``get_available_name``."""
        return await _aside(self.get_available_name, name, max_length)


async def _aside(function: Callable[..., T], *arguments: Any, to_its_end: bool = False) -> T:
    return await aside(_alone, function, *arguments, to_its_end=to_its_end)


def _alone(function: Callable[..., T], *arguments: Any) -> T:
    """What ``function`` gives; what a hook asks a database on the way is no request's, which would end it."""
    try:
        return function(*arguments)
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close()
