"""The purger of a CDN of one's own, as docs/purging.md has it, and its test: those very lines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

import pytest

from shipfiles.config import PurgeConfig
from shipfiles.edge.opening import open_purgers
from shipfiles.errors import PurgeError
from shipfiles.testing.purger import PurgerContract
from tests.guides import FOLDER, blocks

GUIDE = FOLDER.parent / "purging.md"


class Api:
    """A CDN that nobody has, with an API like that of many."""

    def __init__(self, token: str) -> None:
        self._kept: set[str] = set()
        self._refuses = False
        self.moved = ""
        """Where requests are sent, if so."""
        self.asked: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = self.path == "/zones/www/purge" and self.headers["Authorization"] == f"Bearer {token}"
                status = 500 if api._refuses else 403 if not known else 302 if api.moved else 200
                if len(wish.get("urls", ())) > 1000:
                    status = 413
                if status == 200:
                    api._kept = set() if wish.get("everything") else api._kept - {*wish["urls"]}
                self.send_response(status)
                self.send_header("Location", api.moved)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                api.asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, url: str, tags: Sequence[str] = ()) -> None:
        self._kept.add(url)

    def has(self, url: str) -> bool:
        return url in self._kept

    def refuse(self, yes: bool) -> None:
        self._refuses = yes


def pasted() -> ModuleType:
    """The module with the test, beside the one with the purger."""
    texts = {block.name: block.text for block in blocks(GUIDE)}
    for name in ("example", "example.testing", "example.purging", "example.test"):
        sys.modules[name] = ModuleType(name)
    sys.modules["example.testing"].__dict__["Api"] = Api
    exec(texts["own_purger"], sys.modules["example.purging"].__dict__)
    test = sys.modules["example.test"]
    exec(texts["own_test"], test.__dict__)
    return test


if TYPE_CHECKING:
    TestExampleCdn = PurgerContract
else:
    TestExampleCdn = pasted().TestExampleCdn


def test_named_in_the_options() -> None:
    """As the guide does it; and it is as short as it says."""
    (found,) = open_purgers(
        PurgeConfig(caches={"purger": "example.purging.ExampleCdn", "zone": "www", "token": "secret"})
    )
    assert str(found) == "example cdn www"
    assert "secret" not in repr(found)
    assert TestExampleCdn.__name__ == "TestExampleCdn"


def test_redirects_are_not_followed() -> None:
    """The token would go along, and what answers there has purged nothing."""
    with Api("the-token") as api, Api("other") as elsewhere:
        api.moved = f"{elsewhere.url}/login"
        purger = sys.modules["example.purging"].__dict__["ExampleCdn"]("www", "the-token", api.url)
        with pytest.raises(PurgeError, match="it answered 302"):
            purger.purge(["https://www.example.com/"], reference="r1")
        assert api.asked == elsewhere.asked == []
