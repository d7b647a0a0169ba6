"""A project that still has WhiteNoise's settings: they are heeded, or a check says why not."""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import Client, override_settings

from shipfiles.django import conf
from shipfiles.django.storage import StaticStorage
from shipfiles.http.added import header_function
from tests.conftest import Write

BACKEND = "shipfiles.django.storage.StaticStorage"


def told(*, deploy: bool = False) -> list[CheckMessage]:
    """The messages on WhiteNoise's settings."""
    messages = run_checks(tags=["staticfiles"], include_deployment_checks=deploy)
    return [m for m in messages if m.id in ("shipfiles.I019", "shipfiles.W020")]


def storages(**options: Any) -> dict[str, Any]:
    return {"STORAGES": {"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}}


def pasted(message: CheckMessage) -> Any:
    """The block of the hint, read as Python reads it in a settings file."""
    block = str(message.hint).partition(":\n")[2].rpartition("\n")[0]
    return ast.literal_eval("{" + block + "}")["OPTIONS"]


def test_one_block_has_all_settings_and_means_the_same(project: Path) -> None:
    given: dict[str, Any] = {
        "WHITENOISE_ADD_HEADERS_FUNCTION": add_headers,
        "WHITENOISE_ALLOW_ALL_ORIGINS": False,
        "WHITENOISE_CHARSET": "latin-1",
        "WHITENOISE_MANIFEST_STRICT": False,
        "WHITENOISE_MAX_AGE": 300,
        "WHITENOISE_MIMETYPES": {".foo": "text/x-foo", '.b"r': "text/x-q"},
        "WHITENOISE_ROOT": str(project / "public" / "site"),
        "WHITENOISE_SKIP_COMPRESS_EXTENSIONS": ("txt", "foo"),
        "WHITENOISE_STATIC_PREFIX": "assets",
    }
    with override_settings(**given):
        (message,) = told(deploy=True)
        meant = StaticStorage().config
    assert (message.id, message.msg) == ("shipfiles.I019", f"{', '.join(sorted(given))} are read in place of options.")
    options = pasted(message)
    # The folder of this machine is in no settings file that another one reads too.
    assert options["serve"]["root_folder"] == "public/site"
    with override_settings(**storages(**options)):
        assert told(deploy=True) == []
        without = StaticStorage(**options).config
    assert header_function(without.serve) is add_headers
    same = {"root_folder": None, "add_headers": None}
    assert replace(without, serve=replace(without.serve, **same)) == replace(meant, serve=replace(meant.serve, **same))
    with override_settings(**given):
        assert conf.root_folder(meant) == conf.root_folder(without) == str(project / "public/site")


def test_the_options_to_write_are_told_where_people_ask(project: Path) -> None:
    """Not before each command."""
    with override_settings(WHITENOISE_MAX_AGE=300):
        assert told() == []
        assert len(told(deploy=True)) == 1


def test_a_setting_that_changes_nothing(project: Path) -> None:
    with override_settings(WHITENOISE_ROOT=None):
        (message,) = told(deploy=True)
    assert message.msg == "This setting changes nothing: WHITENOISE_ROOT (what it asks for happens without it too)."
    assert message.hint == "Remove it."


def test_what_cannot_be_written_down_is_a_comment(project: Path) -> None:
    with override_settings(WHITENOISE_ADD_HEADERS_FUNCTION=lambda *_: None, WHITENOISE_ROOT="/elsewhere/public"):
        (message,) = told(deploy=True)
    assert pasted(message) == {"serve": {"root_folder": "/elsewhere/public"}}
    assert '# "add_headers": the value of WHITENOISE_ADD_HEADERS_FUNCTION' in str(message.hint)


def test_options_that_count_more_are_named(project: Path) -> None:
    with override_settings(
        WHITENOISE_MAX_AGE=300, WHITENOISE_ROOT=None, WHITENOISE_CHARSET="latin-1", **storages(serve={"max_age": 5})
    ):
        read, needless = told(deploy=True)
        assert StaticStorage(serve={"max_age": 5}).config.serve.max_age == 5
    assert "merged with what is there" in str(read.hint)
    assert pasted(read) == {"serve": {"charset": "latin-1"}}
    assert needless.id == "shipfiles.I019"
    assert needless.msg == (
        "These settings change nothing: WHITENOISE_MAX_AGE (STORAGES['staticfiles']['OPTIONS']['serve']['max_age'] "
        "counts more); WHITENOISE_ROOT (what it asks for happens without it too)."
    )


def test_what_is_not_heeded_is_a_warning(project: Path) -> None:
    with override_settings(WHITENOISE_KEEP_ONLY_HASHED_FILES=True, WHITENOISE_USE_FINDERS=True, WHITENOISE_ROTO="x"):
        messages = told()
    assert [(m.id, m.msg.partition(" ")[0]) for m in messages] == [
        ("shipfiles.W020", name)
        for name in ("WHITENOISE_KEEP_ONLY_HASHED_FILES", "WHITENOISE_ROTO", "WHITENOISE_USE_FINDERS")
    ]
    assert all(m.hint for m in messages)


def test_a_wrong_value_is_an_error_that_names_the_setting(project: Path) -> None:
    with override_settings(WHITENOISE_MAX_AGE="a day"):
        with pytest.raises(ImproperlyConfigured, match=r"WHITENOISE_MAX_AGE.*\['serve'\]\['max_age'\].*whole number"):
            StaticStorage()
        assert any(m.id == "shipfiles.E010" and "WHITENOISE_MAX_AGE" in m.msg for m in run_checks(tags=["staticfiles"]))


def test_a_wrong_value_does_not_matter_where_options_count_more(project: Path) -> None:
    with override_settings(WHITENOISE_MAX_AGE="a day"):
        assert StaticStorage(serve={"max_age": 5}).config.serve.max_age == 5


def test_manifest_strict_counts_more_than_the_class(project: Path) -> None:
    class Ours(StaticStorage):
        manifest_strict = True

    with override_settings(WHITENOISE_MANIFEST_STRICT=False):
        assert Ours().manifest_strict is False
        assert Ours(manifest_strict=True).manifest_strict is True
    assert Ours().manifest_strict is True


def test_files_are_answered_as_the_settings_say(project: Path, write: Write) -> None:
    write({"a.foo": "x" * 1000, "b.txt": "y" * 1000})
    with override_settings(
        WHITENOISE_MAX_AGE=300,
        WHITENOISE_MIMETYPES={".foo": "text/x-foo"},
        WHITENOISE_CHARSET="latin-1",
        WHITENOISE_ALLOW_ALL_ORIGINS=False,
        WHITENOISE_SKIP_COMPRESS_EXTENSIONS=["txt"],
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
        answer = Client().get("/static/a.foo", headers={"accept-encoding": "br"})
        assert answer.headers["Cache-Control"] == "max-age=300, public"
        assert answer.headers["Content-Type"] == "text/x-foo; charset=latin-1"
        assert answer.headers["Content-Encoding"] == "br"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Content-Encoding" not in Client().get("/static/b.txt", headers={"accept-encoding": "br"}).headers


@pytest.mark.parametrize("debug", [True, False])
def test_a_prefix_that_is_not_that_of_the_url(project: Path, write: Write, debug: bool) -> None:
    write({"a.txt": "x"})
    url = "https://cdn.example/shop/static/"
    with override_settings(STATIC_URL=url, WHITENOISE_STATIC_PREFIX="/assets/", DEBUG=debug):
        call_command("collectstatic", interactive=False, verbosity=0)
        assert b"".join(Client().get("/assets/a.txt")) == b"x"
        assert Client().get("/shop/static/a.txt").status_code == 404
        assert StaticStorage().url("a.txt").startswith(url)


def test_without_our_application_the_log_says_what_is_not_heeded(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apps = ["django.contrib.staticfiles"]
    with override_settings(INSTALLED_APPS=apps, WHITENOISE_KEEP_ONLY_HASHED_FILES=True, WHITENOISE_MAX_AGE=1):
        Client().get("/static/a.txt")
    (record,) = (record for record in caplog.records if "WHITENOISE" in record.getMessage())
    assert record.getMessage().startswith("WHITENOISE_KEEP_ONLY_HASHED_FILES is not heeded: ")
    caplog.clear()
    with override_settings(WHITENOISE_KEEP_ONLY_HASHED_FILES=True):
        Client().get("/static/a.txt")
    assert "WHITENOISE" not in caplog.text


def add_headers(headers: Any, path: str, url: str) -> None:
    headers["X-Place"] = f"{os.path.basename(path)} at {url}"


def site(project: Path, write: Write) -> None:
    """Files below STATIC_URL and at the root of the site."""
    write({"lib/v12/a.js": "a", "lib/b.js": "b", "manual/index.html": "<p>manual"})
    for name, text in {"robots.txt": "robots", "index.html": "<p>home"}.items():
        (project / "public").mkdir(exist_ok=True)
        (project / "public" / name).write_text(text)


@pytest.mark.parametrize("debug", [True, False])
def test_files_are_where_the_settings_say(project: Path, write: Write, debug: bool) -> None:
    site(project, write)
    with override_settings(WHITENOISE_ROOT=project / "public", WHITENOISE_INDEX_FILE=True, DEBUG=debug):
        call_command("collectstatic", interactive=False, verbosity=0)
        client = Client()
        bodies = {"/robots.txt": b"robots", "/": b"<p>home", "/static/manual/": b"<p>manual"}
        assert {url: client.get(url).content for url in bodies} == bodies
        assert client.get("/static/manual").status_code == 302
        assert client.get("/static/manual/index.html").status_code == 302


def test_a_function_adds_headers_and_a_test_says_what_is_immutable(project: Path, write: Write) -> None:
    site(project, write)
    kept = "max-age=31536000, public, immutable"
    with override_settings(WHITENOISE_ADD_HEADERS_FUNCTION=add_headers, WHITENOISE_IMMUTABLE_FILE_TEST=r"/v\d+/"):
        call_command("collectstatic", interactive=False, verbosity=0)
        answers = {url: Client().get(url).headers for url in ("/static/lib/v12/a.js", "/static/lib/b.js")}
        hashed = Client().get(StaticStorage().url("lib/b.js")).headers
    assert answers["/static/lib/v12/a.js"]["Cache-Control"] == kept
    assert answers["/static/lib/b.js"]["Cache-Control"] == "max-age=60, public"
    assert answers["/static/lib/b.js"]["X-Place"].endswith(" at /static/lib/b.js")
    # The test only adds: names that the release vouches for stay what they are.
    assert hashed["Cache-Control"] == kept


def test_nothing_that_is_edited_is_immutable(project: Path, write: Write) -> None:
    site(project, write)
    with override_settings(
        WHITENOISE_ADD_HEADERS_FUNCTION=add_headers, WHITENOISE_IMMUTABLE_FILE_TEST=r"/v\d+/", DEBUG=True
    ):
        edited = Client().get("/static/lib/v12/a.js").headers
    assert (edited["Cache-Control"], edited["X-Place"]) == ("no-cache", "a.js at /static/lib/v12/a.js")


@pytest.mark.parametrize("test", ["(", 5])
def test_a_test_that_is_none_is_an_error(project: Path, test: object) -> None:
    with override_settings(WHITENOISE_IMMUTABLE_FILE_TEST=test):
        (message,) = (m for m in run_checks(tags=["staticfiles"]) if m.id == "shipfiles.E010")
    assert "WHITENOISE_IMMUTABLE_FILE_TEST" in message.msg


def test_what_is_heeded_without_an_option_has_something_better_named(project: Path) -> None:
    with override_settings(WHITENOISE_IMMUTABLE_FILE_TEST="x"):
        (message,) = told(deploy=True)
    assert message.id == "shipfiles.I019"
    assert "['rewrite']['bundled_names']" in str(message.hint)
