"""The peers' storages, made to rewrite files in memory by their own code, one file at a time.

What they would do with the disk is taken away, nothing else: a file is opened in memory, saving keeps the content, no
file exists yet, and the hashed name of a file is looked up instead of made from its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import django
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils.module_loading import import_string

django.setup()


class Memory:
    """Where the sources are: stands for the finder's storage."""

    def __init__(self) -> None:
        self.body = b""

    def open(self, _: str) -> ContentFile[bytes]:
        """The one file that there is now."""
        return ContentFile(self.body)


class WithoutDisk(import_string(settings.STORAGES["staticfiles"]["BACKEND"])):  # type: ignore[misc]
    """The storage of the settings."""

    finds_first = False

    def __init__(self, names: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.names = dict(names)
        self.missing: set[str] = set()
        self.memory = Memory()
        self.saved: ContentFile[bytes] | None = None

    def exists(self, _: str) -> bool:
        """Nothing was ever collected."""
        return False

    def _save(self, name: str, content: ContentFile[bytes]) -> str:
        self.saved = content
        return name

    def hashed_name(self, name: str, *_: Any, **__: Any) -> str:
        """The hashed name; the name itself, counted, if there is no such file, where the peer would have stopped."""
        parts = urlsplit(unquote(name))
        hashed = self.names.get(parts.path.strip())
        if hashed is None:
            self.missing.add(name)
            return name
        return urlunsplit(parts._replace(path=hashed))

    def find(self, name: str, body: bytes) -> Any:
        """Nothing: `replace` finds."""

    def replace(self, name: str, body: bytes, found: Any) -> bytes:
        """One pass of Django's over one file."""
        del found
        self.memory.body, self.saved = body, None
        for _, _, processed, _ in self._post_process({name: (self.memory, name)}, [name], self.names):
            if isinstance(processed, Exception):
                raise processed
        return self._outcome(body)

    def _outcome(self, body: bytes) -> bytes:
        if self.saved is None:
            return body
        self.saved.seek(0)
        return self.saved.read()


class Enhanced(WithoutDisk):
    """For storages that find all references before they replace any."""

    finds_first = True

    def find(self, name: str, body: bytes) -> Any:
        """The references of one file, in the peer's terms."""
        self._post_process_warnings: list[object] = []
        self.memory.body = body
        return self._find_substitutions({name: (self.memory, name)}).get(name, [])

    def replace(self, name: str, body: bytes, found: Any) -> bytes:
        """The file as the peer saves it. One without references it would copy, which is not timed."""
        if not found:
            return body
        self.memory.body, self.saved = body, None
        self._process_file(name, (self.memory, name), self.names, found)
        return self._outcome(body)


def storage(names: Mapping[str, str]) -> WithoutDisk:
    """The storage of the settings with their options."""
    kind = Enhanced if hasattr(WithoutDisk, "_find_substitutions") else WithoutDisk
    return kind(names, **settings.STORAGES["staticfiles"]["OPTIONS"])
