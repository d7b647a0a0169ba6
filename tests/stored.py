"""What a store holds, less what says when a release was made and which were before it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shipfiles.records import POINTER_KEY, RELEASES_PREFIX

_OF_THE_RUN = ("made", "new_bytes", "history", "lost", "settled")


def timeless(stored: Mapping[str, bytes]) -> dict[str, bytes]:
    """``stored``, with records and the pointer less what another run would write otherwise."""
    return {key: _timeless(key, body) for key, body in stored.items()}


def _timeless(key: str, body: bytes) -> bytes:
    if key != POINTER_KEY and not key.startswith(RELEASES_PREFIX):
        return body
    try:
        raw = json.loads(body)
    except ValueError:
        return body
    return json.dumps({name: value for name, value in raw.items() if name not in _OF_THE_RUN}).encode()
