"""What web servers and CDNs are told: the same as `file_headers` says, in patterns."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge import apache, caddy, nginx
from shipfiles.edge.policy import EdgePolicy, StaticPolicy, pattern_of, static_policy
from shipfiles.http.headers import file_headers
from shipfiles.http.tags import tag_of
from shipfiles.media_types import media_type

NOT_ASKED = {"content-type", "content-encoding", "accept-ranges"}
RULES = {
    "*": "cross-origin", "*.svg": "inert", "docs/*.html": {"Cache-Control": "no-cache"}, "[!a-m]*": {"X-Late": "n"},
    "internal/*": ["same-origin", {"x-robots-tag": "noindex"}],
}  # fmt: skip


def policy(serve: ServeConfig, **rewrite: object) -> StaticPolicy:
    return static_policy("/srv/static", "/static/", serve, RewriteConfig(**rewrite), ("br", "gzip"))  # type: ignore[arg-type]


@given(st.text("ab/.*?[]!^$|\\-(){}é", max_size=8), st.text("ab/.*?[]!^$|\\-(){}é", max_size=8))
@example("*", "")
@example("[!]a]", "b")
@example("[a-", "[a-")
@example("[?--]", "?")
@example("[?-/]", "?")
@example("[!?-/]", "?")
@example("[--/]", ".")
@example("[a-a-z]", "-")
@example("[z-a-c]", "b")
@example("[b-a!]", "-")
def test_a_pattern_fits_what_fnmatch_fits(glob: str, path: str) -> None:
    assert bool(re.search(pattern_of(glob), path)) == fnmatchcase(path, glob)


@pytest.mark.parametrize("path", ["css/site.css", "img/a.svg", "docs/a.html", "internal/x.svg", "zebra.js", "app.html"])
@pytest.mark.parametrize("serve", [
    ServeConfig(), ServeConfig(headers=RULES, single_page="app.html"), ServeConfig(max_age=0, allow_all_origins=False),
    ServeConfig(default_headers={"Cache-Control": "max-age=5", "Referrer-Policy": "origin"}, single_page="app.html"),
])  # fmt: skip
def test_fields_are_those_of_the_files(serve: ServeConfig, path: str) -> None:
    found = {}
    for name, rules, value in policy(serve).fields:
        found[name.lower()] = next((rule.value for rule in rules if re.search(rule.pattern, path)), value)
    told = {name.lower(): value for name, value in file_headers(path, media_type(path), serve, immutable=False)}
    assert {name: value for name, value in found.items() if value is not None} == {
        name: value for name, value in told.items() if name not in NOT_ASKED
    }


@pytest.mark.parametrize(("path", "immutable"), [
    ("css/site.0123456789ab.css", True), ("LICENSE.0123456789ab", True), ("css/site.css", False),
    ("a.0123456789ab/site.css", False), ("css/site.0123456789ab.css.br", False), ("app.0123456789ab.js.map", False),
    ("app.js.0123456789ab.map", True), ("dist/main.11593f3b9364a7cd8292.js", True), ("dist/x.js", True),
    ("dist/main.11593f3b9364a7cd8292.js.map", False), ("old/main.11593f3b9364a7cd8292.js", False),
    ("doc.123e4567e89b42d3a456426614174000.js", False),
])  # fmt: skip
def test_names_that_are_immutable(path: str, immutable: bool) -> None:
    found = policy(ServeConfig(), bundled_names=("dist/?.js",), unbundled_names=("old/*",)).lifetimes
    assert next((one.immutable for one in found if re.search(one.pattern, path)), False) is immutable


def test_types() -> None:
    found = policy(ServeConfig(media_types={".Foo": "application/x-foo", "did.json": "application/did+json"}))
    assert found.types["css"] == "text/css; charset=utf-8"
    assert found.types["foo"] == "application/x-foo"
    assert found.names["did.json"] == "application/did+json"
    assert found.default_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("field", "plain"),
    [
        # https://www.fastly.com/documentation/reference/http/http-headers/Surrogate-Key/: spaces between.
        ("Surrogate-Key", "static static:css/app.css"),
        # https://developers.cloudflare.com/cache/how-to/purge-cache/purge-by-tags/: commas between.
        ("Cache-Tag", "static,static:css/app.css"),
        ("Edge-Cache-Tag", "static,static:css/app.css"),
    ],
)
def test_tags_are_told_as_their_cdn_reads_them(field: Any, plain: str) -> None:
    serve = ServeConfig(cache_tags=field)
    told = dict(file_headers("css/app.css", "text/css", serve, immutable=False))
    assert told[field] == plain
    assert dict(file_headers("css/app.css", "text/css", serve, immutable=True))[field] == "static"
    assert field not in dict(file_headers("css/app.css", "text/css", ServeConfig(), immutable=False))


@pytest.mark.parametrize("configuration", [nginx.configuration, apache.configuration, caddy.configuration])
def test_what_cannot_be_said_is_in_a_comment(configuration: Callable[[EdgePolicy], str]) -> None:
    serve = ServeConfig(add_headers="project.static.add", release_header="X-Release", pull_from="/other")
    said = ("serve.add_headers", "serve.release_header", "serve.pull_from")
    text = configuration(EdgePolicy("static-server", policy(serve)))
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert all(sum(option in line for line in comments) == 1 for option in said), text
    # There the application answers, which knows them all.
    proxy = configuration(EdgePolicy("proxy", policy(serve), application="http://127.0.0.1:8000"))
    assert not any(option in proxy for option in said), proxy


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
@example("A.css", "a.css")
@example("A.css", "%41.css")
@example("a b", "a%20b")
def test_a_tag_is_of_one_file_whatever_its_case(one: str, other: str) -> None:
    assert re.fullmatch(r"static:[!-+\--~]{1,200}", tag_of(one))  # neither a space nor a comma, all ASCII
    assert (tag_of(one).lower() == tag_of(other).lower()) == (one == other)
