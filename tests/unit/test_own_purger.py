"""The purger of a CDN of one's own, as docs/purging.md has it, and its test: those very lines."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from shipfiles.config import PurgeConfig
from shipfiles.edge.opening import open_purgers
from shipfiles.errors import PurgeError
from shipfiles.testing.purger import PurgerContract
from tests.guides import FOLDER, blocks

GUIDE = FOLDER.parent / "purging.md"


def pasted() -> ModuleType:
    """The module with the test, beside those with the API and the purger."""
    texts = {block.name: block.text for block in blocks(GUIDE)}
    for name in ("example", "example.testing", "example.purging", "example.test"):
        sys.modules[name] = ModuleType(name)
    exec(texts["own_api"], sys.modules["example.testing"].__dict__)
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
    asked: list[str] = []

    class Moved(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(302)
            self.send_header("Location", "/login")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        purger = sys.modules["example.purging"].__dict__["ExampleCdn"]("www", "the-token", url)
        with pytest.raises(PurgeError, match="it answered 302"):
            purger.purge(["https://www.example.com/"], reference="r1")
        server.shutdown()
    assert asked == []
