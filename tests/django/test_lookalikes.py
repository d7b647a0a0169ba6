"""References that begin as requests for static files do, where the URLs of these begin otherwise."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from django.urls import set_script_prefix

from tests.conftest import Write

CDN = "https://cdn.example/assets/v1/"
PAGE = '<!doctype html>\n<link rel=stylesheet href="{}css/app.css"><a href="/pages/">pages</a>\n'


def notes(project: Path, **options: Any) -> list[tuple[int, int, str, str]]:
    """What collectstatic notes: line, column, reference, what is wrong."""
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}
    out = io.StringIO()
    with override_settings(STORAGES={"staticfiles": backend}):
        call_command("collectstatic", "--json", stdout=out)
    problems = json.loads(out.getvalue())["problems"]
    assert all(problem["severity"] == "note" and problem["logical"] == "help.html" for problem in problems)
    return [(p["line"], p["column"], p["text"], p["what"]) for p in problems]


def note(prefix: str, static_url: str) -> tuple[int, int, str, str]:
    what = f"left as it is: it begins with '{prefix}', and the URLs of static files with '{static_url}'."
    return 2, PAGE.splitlines()[1].index('"') + 2, f"{prefix}css/app.css", f"{what} Write that if one is meant"


def published(project: Path) -> str:
    names = json.loads((project / "root/staticfiles.json").read_text())["paths"]
    return (project / "root" / names["help.html"]).read_text()


@pytest.mark.parametrize(
    ("static_url", "served_prefix", "reference", "noted"),
    [
        (CDN, "/static/", "/static/", True),
        ("/assets/v1/", "/static/", "/static/", True),
        (CDN, "/static/", "/elsewhere/", False),
        (CDN, None, "/static/", False),  # nobody said that anything is there
    ],
)
def test_where_a_cdn_or_proxy_changes_paths(
    project: Path, write: Write, static_url: str, served_prefix: str | None, reference: str, *, noted: bool
) -> None:
    write({"css/app.css": "p{}", "help.html": PAGE.format(reference)})
    with override_settings(STATIC_URL=static_url):
        found = notes(project, served_prefix=served_prefix)
        assert found == ([note(reference, static_url)] if noted else [])
        assert published(project) == PAGE.format(reference)
        # A run over what changed says the same as one over everything.
        write({"else.txt": "x"})
        assert notes(project, served_prefix=served_prefix) == found


def test_below_a_mount_point(project: Path, write: Write) -> None:
    write({"css/app.css": "p{}", "help.html": PAGE.format("/static/")})
    with override_settings(FORCE_SCRIPT_NAME="/app", STATIC_URL="static/"):
        set_script_prefix("/app/")  # as django.setup() does with this setting
        assert notes(project) == [note("/static/", "/app/static/")]
        assert published(project) == PAGE.format("/static/")


@pytest.mark.parametrize("static_url", ["/static/", CDN])
def test_what_is_a_reference_is_none_of_these(project: Path, write: Write, static_url: str) -> None:
    write({"css/app.css": "p{}", "help.html": PAGE.format(static_url)})
    with override_settings(STATIC_URL=static_url):
        assert notes(project) == []
        assert f'href="{static_url}css/app.css"' not in published(project)


def test_who_says_so_is_told_nothing(project: Path, write: Write) -> None:
    write({"css/app.css": "p{}", "help.html": PAGE.format("/static/")})
    rewrite = {"missing": [{"severity": "ignore", "references": "/static/*"}]}
    with override_settings(STATIC_URL=CDN):
        assert notes(project, served_prefix="/static/", rewrite=rewrite) == []
