"""``python -m whitenoise.compress`` has no counterpart: only a release has compressed files."""

from __future__ import annotations

from typing import Any


class Compressor:
    def __init__(self, **_options: Any) -> None:
        raise NotImplementedError(__doc__)


def main(_arguments: list[str]) -> int:
    raise NotImplementedError(__doc__)
