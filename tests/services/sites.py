"""Small releases for the tests to publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.model import SourceFile
from shipfiles.release.items import Shape
from shipfiles.release.publish import publish
from shipfiles.release.send import Sent, send
from shipfiles.release.target import Target
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import Store

FAST = CompressConfig(codings=("gzip",), gzip_level=1, min_size=0, margin=0)


def built(root: Path, files: Mapping[str, bytes]) -> Build:
    """A build of ``files``, which are written to the new folder ``root``."""
    for logical, body in files.items():
        path = root / logical
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    return build(sources, RewriteConfig(), workers=1)


def sent(store: Store, root: Path, files: Mapping[str, bytes], **options: Any) -> Sent:
    """The same, published beside ``root``, and sent from there to ``store`` as its current release."""
    local = LocalStore(str(root.parent / "local"))
    done = publish(built(root, files), local, FAST, workers=1)
    return send(local, done.release, Target(store, Shape(variants=True), **options))
