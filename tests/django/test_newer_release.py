"""What an open page asks to learn of a newer release, and the tag that lets it ask."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.template import Context, Template, TemplateSyntaxError
from django.test import Client, override_settings
from django.urls import include, path, resolve

from shipfiles.django.newer import views
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, RELEASES_PREFIX
from shipfiles.serve.origins import Folder
from shipfiles.serve.since import Since

from .test_collectstatic import collect

urlpatterns = [path("ship/", include("shipfiles.django.newer.urls"))]
SCRIPT = Path(views.__file__).parent / "static" / views.SCRIPT
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def site(project: Path, write):
    """A project with the script among its files, and its URLs."""
    write({"a.css": "a{}"})
    views._sinces.clear()
    with override_settings(
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[*settings.INSTALLED_APPS, "shipfiles.django.newer"],
        STATICFILES_FINDERS=[
            "django.contrib.staticfiles.finders.FileSystemFinder",
            "django.contrib.staticfiles.finders.AppDirectoriesFinder",
        ],
    ):
        yield project


def ask() -> Any:
    return Client().get("/ship/release.json")


def render(text: str = "{% newer_release_script %}", **context: object) -> str:
    return Template("{% load shipfiles %}" + text).render(Context(context))


def pointer(site: Path) -> Any:
    return json.loads((site / "root" / POINTER_KEY).read_bytes())


def test_the_answer_is_the_release_and_its_time(site: Path) -> None:
    collect()
    answer = ask()
    (release, at) = pointer(site)["history"][-1]
    assert answer.status_code == 200
    assert answer.json() == {"release": release, "since": at}
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Type"] == "application/json"
    # RFC 9111 section 5.2.2.5: nobody may keep it, so nobody can ask by a tag.
    assert "ETag" not in answer
    assert "Vary" not in answer
    assert Client().head("/ship/release.json").status_code == 200
    assert Client().post("/ship/release.json").status_code == 405


def test_it_reads_no_manifest(site: Path) -> None:
    collect()
    ask()  # the names of the release are read by now
    for manifest in (site / "root" / MANIFESTS_PREFIX).iterdir():
        manifest.unlink()
    views._sinces.clear()
    assert ask().json()["release"] == pointer(site)["release"]


@override_settings(MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"])
def test_no_middleware_adds_a_tag(site: Path) -> None:
    collect()
    assert ask().status_code == 200
    assert "ETag" not in ask()


def test_nobody_has_to_be_logged_in() -> None:
    """As LoginRequiredMiddleware reads it (Django's documentation, "The LoginRequiredMiddleware")."""
    assert resolve("/ship/release.json", __name__).func.login_required is False


def test_without_a_release_there_is_nothing_to_ask_for(site: Path) -> None:
    assert ask().json() == {}
    assert render() == ""
    collect()
    with override_settings(DEBUG=True):
        assert ask().json() == {}
        assert render() == ""


def test_the_tag(site: Path) -> None:
    collect()
    release, at = pointer(site)["history"][-1]
    src = staticfiles_storage.url(views.SCRIPT)
    assert re.fullmatch(r"/static/shipfiles/newer-release\.[0-9a-f]{12}\.js", src)
    facts = f'data-release="{release}" data-since="{at}" data-url="/ship/release.json"'
    assert render() == f'<script src="{src}" async {facts} data-every="300"></script>'
    assert render("{% newer_release_script every=30 nonce=n %}", n='"x') == (
        f'<script src="{src}" async nonce="&quot;x" {facts} data-every="30"></script>'
    )
    assert render("{% newer_release_script nonce=request.csp_nonce %}") == render()


@pytest.mark.parametrize("every", ["0", "0.5", "-1", "86401", "'nan'"])
def test_a_rate_that_cannot_be_meant(site: Path, every: str) -> None:
    collect()
    with pytest.raises(TemplateSyntaxError, match="not from 1 to 86400 seconds"):
        render(f"{{% newer_release_script every={every} %}}")


@pytest.mark.parametrize("debug", [False, True])
def test_without_its_url_the_tag_says_what_to_add(site: Path, debug: bool) -> None:
    """In development too, so that it is not seen in production only."""
    collect()
    with (
        override_settings(ROOT_URLCONF="tests.website.urls", DEBUG=debug),
        pytest.raises(ImproperlyConfigured, match=re.escape("include('shipfiles.django.newer.urls')")),
    ):
        render()


def test_without_its_application_the_tag_says_what_to_add(site: Path) -> None:
    with (
        override_settings(INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"]),
        pytest.raises(ImproperlyConfigured, match=re.escape("'shipfiles.django.newer' in INSTALLED_APPS")),
    ):
        render()


def test_a_release_that_is_current_again_is_newer(site: Path) -> None:
    """Both orders are those of the pointer's history, of which Shipfiles says when each release became current."""
    collect()
    first = pointer(site)["release"]
    (site / "src/a.css").write_text("b{}")
    collect()
    second = pointer(site)["release"]
    root = site / "root"
    text = (root / POINTER_KEY).read_text()
    at = iter(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])
    (root / POINTER_KEY).write_text(TIME.sub(lambda _: next(at), text))
    assert Since(Folder(str(root))).of(first) == "2026-01-01T00:00:00Z"
    assert Since(Folder(str(root))).of(second) == "2026-01-02T00:00:00Z"
    call_command("ship", "rollback", "--json")
    assert pointer(site)["release"] == first
    assert Since(Folder(str(root))).of(first) > "2026-01-02T00:00:00Z"
    assert Since(Folder(str(root))).of(second) == "2026-01-02T00:00:00Z"


def test_one_that_was_never_current_counts_from_its_making(site: Path) -> None:
    collect()
    root, release = site / "root", pointer(site)["release"]
    record = root / RELEASES_PREFIX / f"{release}.json"
    record.write_text(TIME.sub("2026-03-03T03:03:03Z", record.read_text()))
    (root / POINTER_KEY).unlink()
    assert Since(Folder(str(root))).of(release) == "2026-03-03T03:03:03Z"
    record.unlink()
    assert Since(Folder(str(root))).of(release) == ""


def test_a_damaged_pointer_takes_nothing_away(site: Path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    collect()
    since = Since(Folder(str(site / "root")))
    release, at = pointer(site)["history"][-1]
    assert since.of(release) == at
    (site / "root" / POINTER_KEY).write_text("{")
    assert since.of(release) == at
    assert since.of(release) == at
    assert [record.message for record in caplog.records if "damaged" in record.message] == [caplog.records[-1].message]
    assert since.of("other") == ""


def test_the_script_is_small() -> None:
    assert SCRIPT.stat().st_size < 1100
