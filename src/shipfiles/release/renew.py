"""Publish only what changed since the last run, where that is certain to give what publishing everything would.

The last run left a `State`. Where the files have the same names as then, the settings are the same and the store is as
it was left, a file whose bytes did not change, and that refers to none whose name changed, becomes what it was.
Anything else is a case for a whole run.

Most runs find nothing to do, so this module imports nothing of what building and publishing need.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import CompressConfig, RewriteConfig
from ..events import Listener
from ..records import is_content_id
from ..stores.store import Store, Versions
from .lock import locked
from .outcome import Published
from .pointing import current_id
from .state import State, objects_of
from .unsettled import Unsettled

if TYPE_CHECKING:
    from ..build.cache import Cache
    from ..build.find import Found

MOST = 0.2
"""With more to build than this part of all files a whole run, which looks nothing up, is as fast. To read files that
turn out to be unchanged is less than a whole run does, however many they are."""


@dataclass(frozen=True, slots=True)
class Making:
    """All that decides what sources become."""

    rewrite: RewriteConfig
    compress: CompressConfig
    static_url: str
    media_types: Mapping[str, str]
    manifest_name: str
    workers: int
    release: str = ""
    """The id of the release to be made; empty if it is made from the contents."""
    began_at: str | None = None
    """The id of the release that was current when the run began; ``None`` for the one that is when it has the lock."""
    lookalikes: tuple[str, ...] = ()
    """Paths that people may take for that of ``static_url``."""
    site_url: str = ""
    """STATIC_URL, where all files are at ``static_url`` instead; empty if they are not."""

    def renames(self, release: str) -> bool:
        """Whether the files of ``release``, if they are to be made a release now, get another id."""
        return self.release != release and bool(self.release or not is_content_id(release))


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a run over the changes did."""

    published: Published
    state: State
    built: Collection[str]
    """Logical paths of the files that were built again."""
    read: int
    """Sources that were read, because they might have changed."""


def renew(found: Found, state: State, store: Store, making: Making, cache: Cache, listener: Listener) -> Renewed | None:
    """Publish what changed in ``found`` since ``state``; ``None`` if that takes a whole run.

    Raises what `build` and `publish` raise.
    """
    suspects = state.suspects(found)
    if suspects is None or not isinstance(store, Versions) or not state.is_as_it_was_beside():
        return None
    with locked(store, listener):
        versions = store.versions()
        # A damaged pointer, or another, is left to the whole run, which says so and makes it anew.
        if objects_of(versions) != state.objects or current_id(store) != state.release or Unsettled(store).found:
            return None
        if not suspects:
            if making.renames(state.release):
                from .changes import publish_again

                return publish_again(found, state, store, making, listener)
            logicals = [source.logical for source in found.sources]
            return Renewed(Published(state.release, unchanged=logicals), state, frozenset(), 0)
        from .changes import publish_changes

        return publish_changes(found, suspects, state, store, versions, making, cache, listener)
