"""What a publication starts from and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..events import Changed
from ..manifest import Manifest
from ..model import Entry

Size = tuple[int, Mapping[str, int], bool]
"""Of a file its size, the size of each coding, and whether it is kept under the name that a bundler gave."""


def size_of(entry: Entry) -> Size:
    """The size of a file of a manifest."""
    return (entry.size, {token: made.size for token, made in entry.codings.items()}, entry.name == entry.logical)


def size_of_raw(logical: str, raw: Mapping[str, Any]) -> Size:
    """The same of what a manifest's JSON says of ``logical``."""
    return (
        raw["size"],
        {token: made["size"] for token, made in raw.get("codings", {}).items()},
        raw["name"] == logical,
    )


@dataclass(slots=True)
class Published:
    """What a publication did."""

    release: str = ""
    """The id of the release that is current now; empty if none was made."""
    before: str = ""
    """The id of the release that was current; the same if it was so already, empty if there was none."""
    manifest: Manifest = field(default_factory=lambda: Manifest({}))
    changed: list[Changed] = field(default_factory=list)
    """Every key that was written or deleted."""
    sizes: list[Size] = field(default_factory=list)
    """Of each file of the release."""
    unchanged: list[str] = field(default_factory=list)
    """Logical paths whose plain copy was in place already."""
    encoded: int = 0
    """Bodies that were compressed in this run; variants that were in place need no encoder."""
    in_place: int = 0
    """Variants that the last release left: contents, however many names they have, times codings."""
    encoder_seconds: float = 0.0
    """Time of processors that the workers spent in encoders, added up."""


@dataclass(frozen=True, slots=True)
class Base:
    """The current release, of which a new one takes over most."""

    release: str
    body: bytes
    """Its manifest."""
    raw: Mapping[str, Any]
    """The same as plain JSON."""

    @property
    def files(self) -> Mapping[str, Any]:
        """Logical path → what the manifest says of it."""
        files: Mapping[str, Any] = self.raw["files"]
        return files
