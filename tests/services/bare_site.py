"""Applications without files."""

from __future__ import annotations

import itertools
from urllib.parse import parse_qsl

from shipfiles.testing import APPLICATION


def hello(environ, start_response):
    status = "404 Not Found" if "/lost/" in environ["PATH_INFO"] else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(APPLICATION)))])
    # waitress would send it.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [APPLICATION]


COUNT = itertools.count(1)


def echo(environ, start_response):
    """Numbers its answers, says in them what it was told, and gives them the fields that the query says."""
    told = sorted(f"{name[5:]}={value}" for name, value in environ.items() if name.startswith("HTTP_"))
    body = "\n".join([str(next(COUNT)), *told]).encode()
    start_response("200 OK", [("Content-Length", str(len(body))), *parse_qsl(environ["QUERY_STRING"])])
    return [body]
