"""What WhiteNoise's own tests import from their package: files, and a server with a client. Written for these runs."""

from __future__ import annotations

import gzip
import http.client
import os
import threading
from collections.abc import Callable
from email.message import Message
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import shift_path_info

import brotli

PREFIX = "subdir"
FOLDER = os.path.join(os.path.dirname(__file__), "test_files")


class Files:
    """The folder ``name`` of test files; a keyword is a file in it, whose path, URL and content become attributes."""

    def __init__(self, name: str, **files: str) -> None:
        self.directory = os.path.join(FOLDER, name)
        for key, path in files.items():
            with open(os.path.join(self.directory, path), "rb") as file:
                setattr(self, f"{key}_content", file.read())
            setattr(self, f"{key}_path", path)
            setattr(self, f"{key}_url", f"/{PREFIX}/{path}")


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


class AppServer:
    """A server of ``application`` below `PREFIX`; the client decodes bodies and follows no redirect unless asked."""

    PREFIX = PREFIX

    def __init__(self, application: Callable[..., Any]) -> None:
        self._application = application
        self._server = make_server("127.0.0.1", 0, self._mounted, handler_class=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def _mounted(self, environ: dict[str, Any], start_response: Any) -> Any:
        # Paths that are not below it go to the application too, as if it were mounted at the root.
        if environ["PATH_INFO"].startswith(f"/{PREFIX}/"):
            shift_path_info(environ)
        return self._application(environ, start_response)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("get", path, **options)

    def request(
        self, method: str, path: str, *, headers: dict[str, str | None] | None = None, allow_redirects: bool = False
    ) -> Answer:
        fields = {"Accept-Encoding": "gzip, deflate"} | (headers or {})
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_port, timeout=10)
        try:
            connection.putrequest(method.upper(), quote(path, safe="/%:\\?"), skip_accept_encoding=True)
            for name, value in fields.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(f"http://127.0.0.1{path}", response.status, response.headers, response.read())
        finally:
            connection.close()


_DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress}


class Answer:
    """A response. Its names are those that the tests ask for."""

    def __init__(self, url: str, status_code: int, headers: Message, body: bytes) -> None:
        self.url = url
        self.status_code = status_code
        self.headers = headers
        self.content = _DECODERS.get(headers["Content-Encoding"] or "", bytes)(body)

    @property
    def text(self) -> str:
        return self.content.decode()
