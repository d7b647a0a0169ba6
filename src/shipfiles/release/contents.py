"""The distinct contents of a build: what is stored and compressed once, however many names it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..build.compress import is_wanted
from ..build.pipeline import Asset
from ..config import CompressConfig
from ..digest import Digest, digest_bytes
from ..errors import SourceError, os_reason
from ..regular import read_regular
from ..stores.store import Body


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that one or more keys need, and where they come from. Equal bytes are stored and compressed once."""

    digest: Digest
    size: int
    origin: Asset | str
    """The asset that makes the bytes, or the path of a source that has them."""
    assets: tuple[str, ...]
    """Hashed names with these bytes."""
    plains: tuple[tuple[str, str], ...]
    """``(logical path, source path)`` of each plain copy with these bytes."""
    kept: Mapping[str, str]
    """Those of ``assets`` that a bundler has named, so that they are plain names too → the path of the source."""
    compressible: frozenset[str]
    """Those keys among the above whose variants are worth trying."""
    spare: frozenset[str]
    """Those of the plain names whose files were rewritten, so that pages load other bytes."""

    def body(self) -> Body:
        """The bytes, or the path of a file that has them."""
        return self.origin.body() if isinstance(self.origin, Asset) else self.origin

    def bytes(self) -> bytes:
        """The bytes, certain to be those of the digest. Raises `SourceError` if the source has changed."""
        body = self.body()
        path = self.origin.source.place if isinstance(self.origin, Asset) else self.origin
        if isinstance(body, str):
            try:
                body = read_regular(body)
            except OSError as error:
                raise SourceError(path, f"cannot be read: {os_reason(error)}") from error
        if digest_bytes(body) != self.digest:
            raise SourceError(path, "the file changed while it was collected; run again")
        return body


def contents_of(assets: Sequence[Asset], config: CompressConfig, *, only_plain: bool = False) -> list[Content]:
    """The distinct contents of a build, largest first, so that no worker is left alone with a large one at the end.

    With ``only_plain`` no name is taken for a bundler's: all that is placed are plain copies.
    """
    origins: dict[Digest, tuple[int, Asset | str]] = {}
    names: dict[Digest, list[str]] = {}
    plains: dict[Digest, list[tuple[str, str]]] = {}
    kept: dict[Digest, dict[str, str]] = {}
    compressible: dict[Digest, set[str]] = {}
    spare: dict[Digest, set[str]] = {}
    for asset in assets:
        # A path is better than an asset: it is streamed.
        if asset.edits:
            origins.setdefault(asset.digest, (asset.size, asset))
        origins[asset.source_digest] = (asset.source_size, asset.source.path)
        names.setdefault(asset.digest, []).append(asset.name)
        if asset.kept and not only_plain:
            kept.setdefault(asset.digest, {})[asset.name] = asset.source.path
        else:
            plains.setdefault(asset.source_digest, []).append((asset.logical, asset.source.path))
            if asset.digest != asset.source_digest:
                spare.setdefault(asset.source_digest, set()).add(asset.logical)
        for key, digest, size in (
            (asset.name, asset.digest, asset.size),
            (asset.logical, asset.source_digest, asset.source_size),
        ):
            if is_wanted(config, asset.logical, asset.media_type, size):
                compressible.setdefault(digest, set()).add(key)
    found = [
        Content(
            digest, size, origin,
            tuple(names.get(digest, ())), tuple(plains.get(digest, ())), kept.get(digest, {}),
            frozenset(compressible.get(digest, ())), frozenset(spare.get(digest, ())),
        )
        for digest, (size, origin) in origins.items()
    ]  # fmt: skip
    return sorted(found, key=lambda c: (-c.size, c.assets, c.plains))
