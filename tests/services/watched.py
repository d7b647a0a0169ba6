"""What goes wrong with a page in a browser, from the browser's own mouth."""

from __future__ import annotations

import re
from typing import Any

HASHED = re.compile(r"(?P<stem>.+)\.[0-9a-f]{12}(?P<extension>\.[^./]+)?")
"""A hashed name as it is fetched."""


def watch(page: Any, faults: list[str]) -> None:
    """Add to ``faults`` whatever goes wrong with ``page`` from now on: failed requests, console errors, exceptions."""
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}: {request.failure}"))
    page.on("console", lambda said: said.type == "error" and faults.append(f"console: {said.text}"))
    page.on("pageerror", lambda error: faults.append(f"exception: {error}"))
    page.on("crash", lambda _: faults.append("the page crashed"))
    page.on("response", lambda response: response.ok or faults.append(f"{response.status}: {response.url}"))
