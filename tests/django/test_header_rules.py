"""Headers that a project gives to files: by pattern, by its security settings, by a function."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import override_settings

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.django.conf import static_config
from shipfiles.django.tables import static_table
from shipfiles.errors import ConfigError
from shipfiles.header_rules import PRESETS
from shipfiles.http.headers import file_headers, not_modified_headers, options_headers
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import Table
from tests.django.test_root_files import put, storages, way

FILES: dict[str, str | bytes] = {
    "img/a.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>", "app.css": "p { color: red }\n" * 40, "f.woff2": b"wOF2",
}  # fmt: skip


@pytest.fixture
def site(project: Path) -> Iterator[Path]:
    put(project / "src", FILES)
    with override_settings(STORAGES=storages()):
        call_command("collectstatic", "--noinput", verbosity=0)
    return project


def headers(logical: str, *, immutable: bool = False, **options: Any) -> dict[str, str]:
    made = file_headers(logical, "image/svg+xml", ServeConfig(**options), immutable=immutable, digest=digest_bytes(b""))
    assert len(made) == len({name.lower() for name, _ in made}), "a field is there twice"
    return dict(made)


def ask(table: Table, path: str, method: str = "GET", **fields: str) -> dict[str, str]:
    response = respond(table, Request(method, path, fields.get))
    assert response is not None
    return {"status": str(response.status), **dict(response.headers)}


# The rules ------------------------------------------------------------------------------------------------------------


def test_later_rules_count_more_and_none_leaves_out() -> None:
    rules = {"*": {"X-A": "1", "X-B": "1"}, "img/*.svg": {"x-a": "2", "X-B": None}, "fonts/*": {"X-A": "3"}}
    found = headers("img/a.svg", headers=rules)
    assert (found["x-a"], "X-A" in found, "X-B" in found) == ("2", False, False)
    assert headers("deep/fonts/a", headers=rules)["X-A"] == "1"
    assert headers("fonts/deep/a", headers=rules)["X-A"] == "3"
    # Case counts, as in all patterns here.
    assert headers("img/A.SVG", headers=rules)["X-A"] == "1"


def test_what_is_sent_by_default_can_be_replaced_and_left_out() -> None:
    found = headers("a", headers={"*": {"access-control-allow-origin": "https://a.example"}})
    assert found["Access-Control-Allow-Origin"] == "https://a.example"
    assert "X-Content-Type-Options" not in headers("a", headers={"*": {"X-Content-Type-Options": None}})


def test_cache_control_is_a_choice_except_under_hashed_names() -> None:
    rules = {"*": {"Cache-Control": "no-store"}}
    assert headers("sw.js", headers=rules)["Cache-Control"] == "no-store"
    # RFC 8246: the bytes under that name never change.
    assert headers("sw.js", headers=rules, immutable=True)["Cache-Control"] == "max-age=31536000, public, immutable"


def test_presets_say_what_they_are_called() -> None:
    rules = {"*": "same-origin", "f/*": ["cors", "cross-origin", "timing"], "*.svg": "inert"}
    found = headers("a.svg", headers=rules)
    assert "Access-Control-Allow-Origin" not in found
    # Fetch section 3.7; CSP 3 section 6.1 and 6.3: nothing is loaded, no script runs, the origin is opaque.
    assert found["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "default-src 'none'" in found["Content-Security-Policy"]
    assert "sandbox" in found["Content-Security-Policy"].split("; ")
    assert "script" not in found["Content-Security-Policy"]
    font = headers("f/a.woff2", headers=rules)
    assert font["Access-Control-Allow-Origin"] == font["Timing-Allow-Origin"] == "*"
    assert font["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert set(PRESETS) == {"cors", "cross-origin", "same-origin", "timing", "inert"}


def test_a_304_tells_of_policies_and_not_of_the_file() -> None:
    # RFC 9110 section 15.4.5; RFC 9111 section 4.3.4: a cache takes its stored fields anew from a 304.
    made = file_headers(
        "a.svg", "image/svg+xml", ServeConfig(headers={"*": ["timing", {"Content-Disposition": "inline"}]}),
        immutable=True, coding="br", varies=True, digest=digest_bytes(b""),
    )  # fmt: skip
    assert {name for name, _ in not_modified_headers(made)} == {
        "Cache-Control", "ETag", "Vary", "Access-Control-Allow-Origin", "Timing-Allow-Origin",
    }  # fmt: skip


def test_a_preflight_agrees_with_the_file() -> None:
    config = ServeConfig(allow_all_origins=False, headers={"f/*": "cors", "g/*": {"Access-Control-Allow-Origin": "a"}})
    name = "Access-Control-Allow-Origin"
    assert [dict(options_headers(p, config)).get(name) for p in ("f/a", "g/a", "x")] == ["*", "a", None]
    assert "Access-Control-Allow-Methods" in dict(options_headers("f/a", config))
    assert "Access-Control-Allow-Methods" not in dict(options_headers("x", config))
    closed = ServeConfig(headers={"*": "same-origin"})
    assert name not in dict(options_headers("x", closed))


@pytest.mark.parametrize("name", ["middleware", "middleware, ASGI", "StaticApp", "StaticApp, ASGI"])
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.usefixtures("site")
def test_they_come_with_every_way_to_serve(name: str, debug: bool) -> None:
    with override_settings(
        DEBUG=debug, STORAGES=storages(headers={"*.svg": "inert", "*": {"X-Caf\u0065": "\xe9t\xe9"}})
    ):
        answer = way(name)("/static/img/a.svg")
        assert "sandbox" in (answer.get("content-security-policy") or "")
        assert answer.get("x-cafe") == "\xe9t\xe9"
        assert answer.get("x-content-type-options") == "nosniff"
        assert way(name)("/static/app.css").get("content-security-policy") is None


# Django's security settings -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_the_security_settings_of_pages_hold_for_files() -> None:
    expected = {"Referrer-Policy": "origin,same-origin", "Cross-Origin-Opener-Policy": "same-origin"}
    with override_settings(SECURE_REFERRER_POLICY=("origin", "same-origin"), STORAGES=storages()):
        found = ask(static_table(), "/static/app.css")
        assert expected.items() <= found.items()
        # As Django's own middleware writes them.
        page = way("middleware")("/")
        assert {name: page.get(name) for name in expected} == expected
        file = way("middleware")("/static/app.css")
        assert [value for name, value in file.fields if name == "Referrer-Policy"] == ["origin,same-origin"]
    for changed in ({"MIDDLEWARE": []}, {"SECURE_REFERRER_POLICY": None, "SECURE_CROSS_ORIGIN_OPENER_POLICY": None}):
        with override_settings(**changed):
            assert static_config({}).serve.default_headers == {}
    assert static_config({"serve": {"default_headers": {}}}).serve.default_headers == {}
    with pytest.raises(ImproperlyConfigured, match="ETag cannot be set"):
        static_config({"serve": {"default_headers": {"ETag": "x"}}})


# The function ---------------------------------------------------------------------------------------------------------

calls: list[tuple[str, str]] = []


def add(headers: Headers, path: str, url: str) -> None:
    calls.append((path, url))
    if path.endswith(".svg"):
        headers["X-Kind"] = "picture"
        del headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize("given", [add, f"{__name__}.add"])
def test_a_function_may_change_them(site: Path, given: object) -> None:
    calls.clear()
    with override_settings(STORAGES=storages(add_headers=given)):
        table = static_table()
        for _ in range(3):
            found = ask(table, "/static/img/a.svg")
            assert found["X-Kind"] == "picture"
            assert "Access-Control-Allow-Origin" not in found
        assert "X-Kind" not in ask(table, "/static/app.css")
        svg = [(path, url) for path, url in calls if url == "/static/img/a.svg"]
        assert len(svg) == 1
        path, _ = svg[0]
        assert Path(path).read_text() == FILES["img/a.svg"]
        assert path.startswith(str(site / "root"))
        assert ask(table, "/static/img/a.svg", **{"if-none-match": found["ETag"]})["X-Kind"] == "picture"
    with override_settings(STORAGES=storages(add_headers=given), DEBUG=True):
        assert ask(static_table(), "/static/img/a.svg")["X-Kind"] == "picture"


def adds_twice(headers: Headers, path: str, url: str) -> None:
    headers.add_header("Link", "</a.css>; rel=preload")
    headers.add_header("link", "</b.css>; rel=preload")


@pytest.mark.parametrize("name", ["middleware", "middleware, ASGI", "StaticApp", "StaticApp, ASGI"])
@pytest.mark.usefixtures("site")
def test_a_field_that_a_function_adds_twice_is_one_list(name: str) -> None:
    """RFC 9110 section 5.3 has both the same; Django would send the last alone."""
    with override_settings(STORAGES=storages(add_headers=adds_twice)):
        ask_way = way(name)
        for _ in range(2):
            found = ask_way("/static/img/a.svg")
            assert found.get("link") == "</a.css>; rel=preload, </b.css>; rel=preload"


def injects(headers: Headers, path: str, url: str) -> None:
    headers["X-A"] = "a\r\nSet-Cookie: b=1"


def lies(headers: Headers, path: str, url: str) -> None:
    headers["ETag"] = '"always"'


def forgets(headers: Headers, path: str, url: str) -> None:
    del headers["Content-Type"]


def repeats(headers: Headers, path: str, url: str) -> None:
    headers.add_header("etag", headers["ETag"] or "")


def fails(headers: Headers, path: str, url: str) -> None:
    raise KeyError(url)


def wrong_type(headers: Headers, path: str, url: str) -> None:
    headers["X-A"] = 1  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("function", "part"),
    [(injects, "line break"), (lies, "ETag cannot be set"), (forgets, "Content-Type cannot be left out"),
     (repeats, "etag"), (fails, "failed"), (wrong_type, "failed")],
)  # fmt: skip
@pytest.mark.usefixtures("site")
def test_what_a_function_must_not_do_changes_nothing(
    function: Any, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(STORAGES=storages()):
        expected = ask(static_table(), "/static/f.woff2")
    with override_settings(STORAGES=storages(add_headers=function)), caplog.at_level(logging.ERROR):
        table = static_table()
        assert ask(table, "/static/f.woff2") == ask(table, "/static/f.woff2") == expected
    assert len(caplog.records) == 1
    assert part in caplog.text
    assert "/static/f.woff2" in caplog.text


def does_both(headers: Headers, path: str, url: str) -> None:
    headers["Content-Type"] = "text/plain"
    headers["Cache-Control"] = "no-cache\r\nX-B: 1"
    headers["X-Team"] = "front"
    del headers["Access-Control-Allow-Origin"]


@pytest.mark.usefixtures("site")
def test_what_a_function_may_do_is_done_beside_what_it_must_not(caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(STORAGES=storages()):
        without = ask(static_table(), "/static/f.woff2")
    with override_settings(STORAGES=storages(add_headers=does_both)), caplog.at_level(logging.ERROR):
        answer = ask(static_table(), "/static/f.woff2")
    del without["Access-Control-Allow-Origin"]
    assert answer == {**without, "X-Team": "front"}
    (record,) = caplog.records
    assert "Content-Type cannot be set" in record.getMessage()
    assert "line break" in record.getMessage()


@pytest.mark.parametrize("given", ["no.such.module", f"{__name__}.nothing", f"{__name__}.FILES", "nodots"])
def test_a_function_that_is_none_is_an_error_at_the_start(given: str, tmp_path: Path) -> None:
    with override_settings(STORAGES=storages(add_headers=given), STATIC_ROOT=tmp_path):
        for debug in (False, True):
            with override_settings(DEBUG=debug), pytest.raises(ConfigError, match="add_headers"):
                static_table()
