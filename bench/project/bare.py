"""The smallest applications that give the right bytes: what a server itself can do, without any static file serving.

All answers are ready before the first request; a request costs one look into a dict.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import brotli

Answer = tuple[int, list[tuple[str, str]], bytes]


def _answers(folder: Path) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for file in folder.iterdir():
        body, heads = file.read_bytes(), [("Content-Type", "application/octet-stream"), ("ETag", f'"{file.name}"')]
        if file.suffix == ".css":
            body = brotli.compress(body)
            heads += [("Content-Encoding", "br"), ("Vary", "Accept-Encoding")]
        heads += [("Content-Length", str(len(body))), ("Cache-Control", "max-age=31536000, public, immutable")]
        answers[f"/static/serve/{file.name}"] = (200, heads, body)
    return answers


ANSWERS = _answers(Path(json.loads(os.environ["BENCH_SITE"])["bare_files"]))
UNCHANGED: dict[str, Answer] = {
    path: (304, [h for h in heads if h[0] in ("ETag", "Vary", "Cache-Control")], b"")
    for path, (_, heads, _) in ANSWERS.items()
}
RAW = {
    id(answers): {
        path: (status, [(n.lower().encode(), v.encode()) for n, v in heads], body)
        for path, (status, heads, body) in answers.items()
    }
    for answers in (ANSWERS, UNCHANGED)
}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI application."""
    answers = UNCHANGED if "HTTP_IF_NONE_MATCH" in environ else ANSWERS
    status, heads, body = answers[environ["PATH_INFO"]]
    start_response("200 OK" if status == 200 else "304 Not Modified", heads)
    return [body]


async def asgi(
    scope: dict[str, Any], _: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """The ASGI application."""
    conditional = any(name == b"if-none-match" for name, _ in scope["headers"])
    status, heads, body = RAW[id(UNCHANGED if conditional else ANSWERS)][scope["path"]]
    await send({"type": "http.response.start", "status": status, "headers": heads})
    await send({"type": "http.response.body", "body": body})
