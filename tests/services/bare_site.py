"""An application without files."""

from __future__ import annotations

from shipfiles.testing import APPLICATION


def hello(environ, start_response):
    status = "404 Not Found" if "/lost/" in environ["PATH_INFO"] else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(APPLICATION)))])
    # waitress would send it.
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [APPLICATION]
