from __future__ import annotations

from shipfiles.media_types import media_type


class MediaTypes:
    def __init__(self, *, extra_types: dict[str, str] | None = None) -> None:
        self._extra = extra_types

    def get_type(self, path: str) -> str:
        return media_type(path, self._extra)
