"""What web servers say to the contract with the configurations that we write: they agree, or it is known why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.testing import CONFIGURED_CASES, HTTP_CASES, OPTIONS, HttpContract
from tests.conformance import hostile
from tests.conformance.differences import expected

from .apache import check_apache
from .caddy import check_caddy
from .edge import EDGES, bare_application, start_edge

pytestmark = pytest.mark.services


@pytest.mark.parametrize("name", EDGES)
def test_contract(name: str, tmp_path: Path) -> None:
    broken = []
    with (
        bare_application(tmp_path) as application,
        start_edge(name, tmp_path, "static-server", application) as server,
    ):
        # Its tags are of seconds: what a row puts in the place of a file must not be of the same one.
        for path in Path(server.site.root).rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
        assert server.wire.ask("GET", server.site.url(hostile.NAMES[0]), {}).status == 200
        for case in (*HTTP_CASES, *CONFIGURED_CASES):
            if name == "caddy" and case.name == "disk: a pipe in its place":
                # It waits for somebody to write into it.
                continue
            try:
                with expected((name,), case.name):
                    HttpContract(server.wire.ask, server.site).check(case)
            except AssertionError as error:
                broken.append(str(error))
            # Of what was cut there may be more.
            server.wire.close()
    assert not broken, "\n".join(broken)


STATICS = [
    static_policy(root, prefix, ServeConfig(**options), RewriteConfig(bundled_names=("vendor/*", "[!a]?x-*")), codings)
    for root, prefix, options, codings in (
        ("/srv/static", "/static/", {}, ("br", "gzip")),
        ("/srv/st atic é", "/", OPTIONS, ("br", "zstd", "gzip")),
        ("/srv/static", "/a b+é/", {**OPTIONS, "cache_tags": "Surrogate-Key"}, ()),
        ("/srv/static", "/static/", {
            "cache_tags": "Cache-Tag", "index_file": "in dex.html", "single_page": "a,b.html", "charset": "",
            "root_files": {"/a,b": "c,d]e", "/static/x": "y"},
            "media_types": {".é": 'text/x; a="b c"', "a b": "text/b"},
            "headers": {"?[!b]é*": {"Report-To": '{"a": "b#c"}', "X-A": "${HOME} 100% \\"}, "*#'\"": {"X-A": None}},
            "add_headers": "os.path.join",
        }, ("gzip",)),
    )
]  # fmt: skip


def shapes() -> Iterator[EdgePolicy]:
    """Every mode, with and without what is optional."""
    for static in (None, *STATICS):
        for mode, application in (("static-server", "http://127.0.0.1:9"), ("proxy", "http://[::1]:9"),
                                  ("dedicated", "")):  # fmt: skip
            yield EdgePolicy(mode, static, listen="127.0.0.1:8099", application=application, max_upload=10**7)
    yield EdgePolicy("dedicated", STATICS[0], host="static.example.com")


@pytest.mark.parametrize("name", EDGES)
def test_every_shape_is_valid(name: str, tmp_path: Path) -> None:
    check = {"apache": check_apache, "caddy": check_caddy}[name]
    for policy in shapes():
        text = EDGES[name][0](policy)
        assert not check(tmp_path, text), text
