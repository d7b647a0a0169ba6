"""What the options say and no configuration can."""

from __future__ import annotations

from collections.abc import Iterator

from .policy import EdgePolicy


def notes(policy: EdgePolicy, server: str) -> Iterator[str]:
    """Lines for the head of a text for ``server``, as it is called, without what begins a comment."""
    if policy.static is None or policy.mode == "proxy":
        return
    serve = policy.static.serve
    if serve.add_headers is not None:
        yield "serve.add_headers is a function: only the application calls it, and nothing here has what it adds."
    if serve.release_header:
        yield f"serve.release_header: {server} knows no releases, and sends no {serve.release_header}."
    if serve.pull_from is not None:
        yield f"serve.pull_from: {server} fetches nothing. What is not in the folder is the application's."
