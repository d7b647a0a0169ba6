"""A peer's storage that goes on at a reference that leads nowhere, and counts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


class PassingOver(import_string(settings.BENCH_STORAGE)):  # type: ignore[misc]
    """BENCH_STORAGE, but an error ends one reference or one file only; the number goes to BENCH_PASSED_OVER."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.passed_over: set[str] = set()
        super().__init__(*args, **kwargs)

    def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
        """The hashed name; the name itself if there is no such file."""
        try:
            return str(super().hashed_name(name, *args, **kwargs))
        except ValueError:
            self.passed_over.add(name)
            return name

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, str | None, Any]]:
        """The peer's results without those that are errors."""
        for name, hashed_name, processed in super().post_process(*args, **kwargs):
            if isinstance(processed, Exception):
                self.passed_over.add(name)
            else:
                yield name, hashed_name, processed
        Path(settings.BENCH_PASSED_OVER).write_text(str(len(self.passed_over)))
