"""``ship check``, and the same proof in ``collectstatic``: real engines, real applications, files on disk."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core.management import CommandError, call_command
from django.templatetags.static import static
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.nodes import Node

from shipfiles.build.cache import Cache
from shipfiles.config import MissingRule, ProofConfig
from shipfiles.django.proof.prove import Proof, missing, prove, scan_names

DJANGO = "django.template.backends.django.DjangoTemplates"
JINJA = "django.template.backends.jinja2.Jinja2"
LOADERS = "django.template.loaders"
SITE: dict[str, str | bytes] = {"css/app.css": "p{}", "js/app.js": "f()", "img/a b.png": b"x"}


def check(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("ship", "check", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def counted(text: str) -> str:
    """A summary, less the modules that every project of these tests has: ours and Django's."""
    return re.sub(r" and \d+ modules", "", text)


def facts(*arguments: str) -> dict:
    out = io.StringIO()
    with contextlib.suppress(CommandError):
        call_command("ship", "check", "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def environment(**options: object) -> Environment:
    """What Django's documentation says to put there, and other names for it."""
    made = Environment(**options)
    made.globals.update({"static": static, "asset": static, "files": staticfiles_storage})
    made.filters["static"] = static
    return made


@pytest.fixture
def site(project: Path, write) -> Iterator[Path]:
    """A project with static files, and no template and no Python of its own but what a test makes."""
    write(SITE)
    with override_settings(
        TEMPLATES=[{"BACKEND": DJANGO, "DIRS": [project / "templates"]}],
        SETTINGS_MODULE=None,
        ROOT_URLCONF=None,
        INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"],
    ):
        yield project


def put(root: Path, files: dict[str, str | bytes]) -> None:
    for name, body in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())


@pytest.fixture
def app(site: Path, monkeypatch) -> Iterator[Callable[[str, dict[str, str | bytes]], None]]:
    """Installs an application that is made of files, below a folder of the project."""
    before = list(settings.INSTALLED_APPS)
    names: list[str] = []

    def install(where: str, files: dict[str, str | bytes]) -> None:
        folder, _, name = where.rpartition("/")
        put(site / where, {"__init__.py": "", **files})
        monkeypatch.syspath_prepend(str(site / folder))
        importlib.invalidate_caches()
        names.append(name)
        apps.set_installed_apps([*before, *names])

    yield install
    for name in names:
        apps.unset_installed_apps()
        for module in [m for m in sys.modules if m.partition(".")[0] == name]:
            del sys.modules[module]


def test_all_is_well(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'css/app.css' %}{% static 'img/' %}{% static 'img/a%20b.png?v=1#x' %}"})
    out, err = check()
    assert (counted(out), err) == ("3 names in 1 template: none missing.\n", "")


def test_a_missing_name(site: Path) -> None:
    put(site, {"templates/sub/a.html": "<p>\n  {% static 'css/ap.css' %}{% static x %}{% static 'JS/app.js' %}"})
    with pytest.raises(CommandError) as failed:
        check()
    summary = "2 names in 1 template: 2 missing, 1 more known only when the program runs."
    assert counted(str(failed.value)) == summary
    assert failed.value.returncode == 1
    template = site / "templates/sub/a.html"
    err = io.StringIO()
    with pytest.raises(CommandError):
        call_command("ship", "check", stderr=err, no_color=True)
    assert err.getvalue().splitlines() == [
        f"error: {template}:2:3: {{% static 'css/ap.css' %}}: no static file 'css/ap.css'. Did you mean 'css/app.css'?",
        f"error: {template}:2:42: {{% static 'JS/app.js' %}}: no static file 'JS/app.js'. Did you mean 'js/app.js'?",
    ]


def test_an_empty_name(site: Path) -> None:
    put(site, {"templates/a.html": "{% static '' %}"})
    assert [p["what"] for p in facts()["problems"]] == ["an empty name is no file; a folder's ends with a slash"]


def test_unprovable_names_are_listed_on_demand(site: Path) -> None:
    put(site, {"templates/a.html": "{% static x %}"})
    out, _ = check("-v", "2")
    assert out.splitlines()[0] == f"unprovable: {site}/templates/a.html:1:1: {{% static x %}}"
    out, _ = check("-v", "0")
    assert out == ""


def test_json(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'x' %}{% static 'css/app.css' %}{% static y %}"})
    found = facts()
    (problem,) = found["problems"]
    place = {key: problem[key] for key in ("severity", "path", "line", "column", "text", "what")}
    assert place == {
        "severity": "error",
        "path": f"{site}/templates/a.html",
        "line": 1,
        "column": 1,
        "text": "{% static 'x' %}",
        "what": "no static file 'x'",
    }
    assert (found["proven"], found["templates"], found["unread"]) == (1, 1, [])
    assert [use["text"] for use in found["unprovable"]] == ["{% static y %}"]


def test_packages_give_warnings(site: Path, app) -> None:
    app(
        "site-packages/shipfiles_theirs",
        {
            "templates/theirs.html": "{% static 'theirs.css' %}",
            "forms.py": "class F(Form):\n    class Media:\n        js = ['theirs.js']",
        },
    )
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "APP_DIRS": True}]):
        out, err = check()
        assert [line.partition(": ")[0] for line in err.splitlines()] == ["warning", "warning"]
        assert counted(out) == "2 names in 1 template: none missing, 2 warnings.\n"
        with pytest.raises(CommandError):
            check("--strict")


def test_python_of_the_project_and_its_applications(site: Path, app) -> None:
    app(
        "shop",
        {
            "forms.py": "class F(Form):\n    class Media:\n        js = ['f.js']",
            "deep/er/views.py": "from django.templatetags.static import static\nx = static('v.css')",
            "bad.py": "Media class (",
            "tests/test_x.py": "from django.templatetags.static import static\nx = static('t.css')",
            "test_y.py": "from django.templatetags.static import static\nx = static('y.css')",
            "migrations/0001.py": "from django.templatetags.static import static\nx = static('m.css')",
            "inner/apps.py": "",
            "inner/forms.py": "class F(Form):\n    class Media:\n        js = ['not-installed.js']",
            "env/pyvenv.cfg": "",
            "env/lib/a.py": "class F(Form):\n    class Media:\n        js = ['e.js']",
            "site-packages/b.py": "class F(Form):\n    class Media:\n        js = ['package.js']",
        },
    )
    found = facts()
    assert [(p["severity"], Path(p["path"]).name, p["line"], p["column"]) for p in found["problems"]] == [
        ("error", "views.py", 2, 5),
        ("error", "forms.py", 3, 15),
        ("warning", "b.py", 3, 15),
    ]
    (unread,) = found["unread"]
    assert (unread["path"], unread["line"]) == (f"{site}/shop/bad.py", 1)
    assert unread["why"].startswith("not read as Python: ")


def test_the_projects_package_is_read(site: Path, monkeypatch) -> None:
    body = "from django.templatetags.static import static\nx = static('v.css')"
    put(site, {"shopsite/settings.py": "", "shopsite/views.py": body, "single_urls.py": body})
    monkeypatch.syspath_prepend(str(site))
    with override_settings(SETTINGS_MODULE="shopsite.settings", ROOT_URLCONF="single_urls"):
        names = [Path(p["path"]).name for p in facts()["problems"]]
    assert sorted(names) == ["single_urls.py", "views.py"]


def test_only_templates_that_can_be_loaded(site: Path, app) -> None:
    app("shop", {"templates/a.html": "{% static 'shadowed.css' %}", "templates/b.html": "{% static 'b.css' %}"})
    put(site, {"templates/a.html": "{% static 'first.css' %}"})
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "DIRS": [str(site / "templates")], "APP_DIRS": True}]):
        assert [p["what"] for p in facts()["problems"]] == ["no static file 'b.css'", "no static file 'first.css'"]


def test_loaders(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'file.css' %}"})
    loaders = [
        (f"{LOADERS}.locmem.Loader", {"mem.html": "\n{% static 'mem.css' %}"}),
        (f"{LOADERS}.cached.Loader", [(f"{LOADERS}.filesystem.Loader", [str(site / "templates")])]),
        "tests.django.test_ship_check.Unlisted",
    ]
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "OPTIONS": {"loaders": loaders}}]):
        found = facts()
    assert {(p["path"], p["line"]) for p in found["problems"]} == {
        (f"{site}/templates/a.html", 1),
        ("mem.html (in the TEMPLATES setting)", 2),
    }
    assert found["unread"] == [
        {"path": "tests.django.test_ship_check.Unlisted", "line": 0, "why": "this loader cannot list its templates"}
    ]


class Unlisted:
    """A loader that has its templates from a database, say."""

    def __init__(self, engine: object) -> None:
        self.engine = engine


def test_odd_template_files(site: Path) -> None:
    put(
        site,
        {
            "templates/binary.html": b"\xff\xfe static",
            "templates/picture.png": b"\x89PNG\xff",
            "templates/bom.txt": b"\xef\xbb\xbf{% static 'a' %}",
            "templates/crlf.txt": b"\r\n\r{% static 'b' %}",
            "templates/node_modules/x.html": "{% static 'c' %}",
        },
    )
    (site / "templates/loop").symlink_to(site / "templates")
    found = facts()
    # The loop ends the walk of that folder, so that what comes after it by name is not read.
    assert [(Path(p["path"]).name, p["line"], p["column"]) for p in found["problems"]] == [
        ("bom.txt", 1, 1),
        ("crlf.txt", 3, 1),
    ]
    assert len(found["unread"]) == 2


def test_templates_in_another_encoding(site: Path) -> None:
    put(site, {"templates/a.html": "é {% static 'é.css' %}".encode("utf-16")})
    engine = {"BACKEND": DJANGO, "DIRS": [str(site / "templates")], "OPTIONS": {"file_charset": "utf-16"}}
    with override_settings(TEMPLATES=[engine]):
        assert [(p["column"], p["what"]) for p in facts()["problems"]] == [(3, "no static file 'é.css'")]


JINJA_CASES = [
    ("{{ static('a') }}", [(1, 4, "a", "static('a')")]),
    ('é\n  {{ static( "a" ) }}', [(2, 6, "a", 'static( "a" )')]),
    ("{% set x = static('a') %}", [(1, 12, "a", "static('a')")]),
    ("{{ static('a') }}{{ static('a') }}", [(1, 4, "a", "static('a')"), (1, 21, "a", "static('a')")]),
    ("{{ asset('a') }}", [(1, 4, "a", "asset('a')")]),
    ("{{ versioned('a') }}", [(1, 4, "a", "versioned('a')")]),
    ("{{ files.url('a') }}", [(1, 4, "a", "files.url('a')")]),
    ("{{ 'a'|static }}", [(1, 4, "a", "'a'|static")]),
    ("{{ static('a' ~ 'b' + 'c') }}", [(1, 0, "abc", "static('abc')")]),
    ("{{ static('a' if x else 'b') }}", [(1, 4, "a", "static('a'"), (1, 0, "b", "static('b')")]),
    ("{{ static(x) }}", [(1, 4, None, "static(x)")]),
    ("{{ static('a' ~ x) }}", [(1, 4, None, "static('a' ~ x)")]),
    ("{{ x|static }}", [(1, 4, None, "x|static")]),
    ("{# static('a') #}{% raw %}{{ static('b') }}{% endraw %}static('c')", []),
    ("{{ other('a') }}{{ url('a') }}{{ x.static('a') }}", []),
    ("{% macro static(x) %}{% endmacro %}{{ static('a') }}", [(1, 39, None, "static('a')")]),
    ("{% set s = static %}\n{{ s('a') }}{{ static('b') }}", [(2, 4, "a", "s('a')"), (2, 16, "b", "static('b')")]),
    ("{% set s = asset %}{{ s('a') }}", [(1, 23, "a", "s('a')")]),
    ("{% set u = files.url %}{{ u('a') }}", [(1, 27, "a", "u('a')")]),
    ("{% set s = other %}{{ s('a') }}", []),
    ("{% set s = static %}{% set s = other %}{{ s('a') }}", []),
    ("{% macro m(static) %}{% endmacro %}{% set s = static %}{{ s('a') }}", []),
    ("\u2028{{ static('a') }}", [(1, 5, "a", "static('a')")]),
]


@pytest.mark.parametrize(("source", "expected"), JINJA_CASES)
def test_jinja(source: str, expected: list) -> None:
    from shipfiles.django.proof.jinja import uses_in

    uses = uses_in(source, "t.html", True, environment(), ("static", "versioned"))
    assert [(use.line, use.column, use.name, use.text) for use in uses] == expected


def test_jinja_engine(site: Path, app) -> None:
    app("site-packages/shipfiles_theirs", {"jinja2/theirs.html": "{{ static('theirs.css') }}"})
    put(site, {"jinja/a.html": "\n{{ static('a.css') }}", "jinja/bad.html": "{% static 'b.css' %}"})
    engine = {
        "BACKEND": JINJA,
        "DIRS": [str(site / "jinja")],
        "APP_DIRS": True,
        "OPTIONS": {"environment": "tests.django.test_ship_check.environment"},
    }
    with override_settings(TEMPLATES=[engine]):
        found = facts()
    assert [(p["severity"], p["line"], p["what"]) for p in found["problems"]] == [
        ("error", 2, "no static file 'a.css'"),
        ("warning", 1, "no static file 'theirs.css'"),
    ]
    (unread,) = found["unread"]
    assert (unread["path"], unread["line"]) == (f"{site}/jinja/bad.html", 1)
    assert unread["why"].startswith("not read as a Jinja2 template: ")


def test_an_engine_that_cannot_be_made_is_said_not_raised(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'a' %}"})
    broken = {"BACKEND": JINJA, "NAME": "broken", "OPTIONS": {"environment": "tests.nowhere"}}
    with override_settings(TEMPLATES=[broken, {"BACKEND": DJANGO, "DIRS": [str(site / "templates")]}]):
        found = facts()
    assert len(found["problems"]) == 1
    assert found["unread"][0]["path"] == "TEMPLATES, 'broken'"


def test_engines_that_share_a_folder(site: Path) -> None:
    files = {
        "django.html": "{% load static %}{% static 'd' %}",
        "jinja.html": "{{ static('j') }}",
        "x.png": b"\xffstatic",
    }
    put(site, {f"templates/{name}": body for name, body in files.items()})
    options = {"environment": "tests.django.test_ship_check.environment"}
    with override_settings(
        TEMPLATES=[
            {"BACKEND": JINJA, "DIRS": [str(site / "templates")], "OPTIONS": options},
            {"BACKEND": DJANGO, "DIRS": [str(site / "templates")]},
        ]
    ):
        found = facts()
    assert [p["what"] for p in found["problems"]] == ["no static file 'd'", "no static file 'j'"]
    assert [Path(unread["path"]).name for unread in found["unread"]] == ["x.png"]


def test_an_extension_of_jinja_that_raises(site: Path) -> None:
    put(site, {"jinja/a.html": "{% raise %} static", "jinja/b.html": "{{ static('b') }}"})
    options = {"extensions": ["tests.django.test_ship_check.Raising"]}
    with override_settings(TEMPLATES=[{"BACKEND": JINJA, "DIRS": [str(site / "jinja")], "OPTIONS": options}]):
        found = facts()
    assert [p["what"] for p in found["problems"]] == ["no static file 'b'"]
    assert found["unread"][0]["why"] == "not read as a Jinja2 template: KeyError: 'raised'"


class Raising(Extension):
    """A faulty extension of the project's own."""

    tags = {"raise"}  # noqa: RUF012 - Jinja2's own name and type

    def parse(self, parser: object) -> Node:
        raise KeyError("raised")


def test_collectstatic_notes_what_it_could_not_read(site: Path) -> None:
    put(site, {"templates/a.html": b"static \xff"})
    _, err = collect("-v", "2")
    assert f"note: {site}/templates/a.html: not read as a template: " in err


def storages(**proof: object) -> override_settings:
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"proof": proof}}
    return override_settings(STORAGES={**settings.STORAGES, "staticfiles": backend})


def test_options(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'x' %}{% versioned 'y' %}", "templates/old/b.html": "{% static 'z' %}"})

    def severities(**proof: object) -> list[tuple[str, str]]:
        with storages(**proof):
            return [(p["severity"], p["what"][-2]) for p in facts()["problems"]]

    assert severities() == [("error", "x"), ("error", "z")]
    assert severities(own_missing="warning") == [("warning", "x"), ("warning", "z")]
    assert severities(own_missing="ignore") == []
    assert severities(aliases=["versioned"]) == [("error", "x"), ("error", "y"), ("error", "z")]
    old = {"severity": "note", "files": "*/templates/old/*"}
    assert severities(missing=[old]) == [("error", "x"), ("note", "z")]
    assert severities(missing=[{"severity": "ignore", "references": "[xz]"}]) == []


def test_an_undecodable_template_is_noted_whatever_engine_it_is_for(site: Path) -> None:
    body = b"static \xff {% static 'x' %} {{ static('x') }}"
    put(site, {"templates/a.html": body, "jinja/a.html": body, "jinja/b.png": b"\x89PNG\xff"})
    engines = [
        {"BACKEND": DJANGO, "DIRS": [site / "templates"]},
        {"BACKEND": JINJA, "DIRS": [site / "jinja"]},
    ]
    with override_settings(TEMPLATES=engines):
        by_django, by_jinja = facts()["unread"]
    assert by_jinja == {**by_django, "path": f"{site}/jinja/a.html"}
    assert by_django["path"] == f"{site}/templates/a.html"


@pytest.mark.parametrize("files", ["shop/*", "deep/a.html", "{site}/shop/templates/*", "shop/templates/deep/?.html"])
def test_a_rule_may_name_a_template_by_its_path_or_name(site: Path, files: str) -> None:
    body = "{% static 'x' %}"
    put(site, {"shop/templates/deep/a.html": body, "shops/templates/b.html": body})
    rule = {"severity": "ignore", "files": files.format(site=site)}
    folders = [site / "shop/templates", site / "shops/templates"]
    with override_settings(TEMPLATES=[{"BACKEND": DJANGO, "DIRS": folders}]), storages(missing=[rule]):
        assert [Path(p["path"]).name for p in facts()["problems"]] == ["b.html"]


def test_a_rule_may_name_a_module_by_its_path_below_a_linked_folder(site: Path, app) -> None:
    app("real/shop", {"forms.py": "class F(Form):\n    class Media:\n        js = ['f.js']"})
    (site / "link").symlink_to(site / "real")
    for files, left in ({"shop/*": 0, "*shop/*": 0, "real/*": 1, "hop/*": 1}).items():
        rule = {"severity": "ignore", "files": files}
        with override_settings(BASE_DIR=site / "link"), storages(missing=[rule]):
            assert len(facts()["problems"]) == left, files


def test_a_rule_may_name_a_jinja_template(site: Path) -> None:
    put(site, {"jinja/deep/a.html": "{{ static('x') }}"})
    with override_settings(TEMPLATES=[{"BACKEND": JINJA, "DIRS": [site / "jinja"]}]):
        for files, left in {"deep/*": 0, "jinja/deep/*": 0, "a.html": 1}.items():
            with storages(missing=[{"severity": "ignore", "files": files}]):
                assert len(facts()["problems"]) == left, files


def test_the_hint_names_the_option_that_decided(site: Path, app) -> None:
    app("site-packages/shipfiles_theirs", {"templates/theirs.html": "{% static 'theirs.css' %}"})
    engine = {"BACKEND": DJANGO, "APP_DIRS": True, "DIRS": [site / "templates"]}

    def options(**proof: object) -> set[str]:
        with override_settings(TEMPLATES=[engine]), storages(**proof), pytest.raises(CommandError) as failed:
            collect()
        return set(re.findall(r"\['proof'\]\['(\w+)'\]", str(failed.value)))

    assert options(package_missing="error") == {"missing", "package_missing"}
    put(site, {"templates/a.html": "{% static 'x.css' %}"})
    assert options() == {"missing", "own_missing"}
    assert options(package_missing="error") == {"missing", "own_missing", "package_missing"}
    # Neither would change what a rule says.
    assert options(missing=[{"severity": "error"}]) == {"missing"}


def test_a_failure_of_another_kind_as_json(site: Path) -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="There is no release in") as failed:
        call_command("ship", "check", "--release", "--json", stdout=out)
    assert failed.value.returncode == 1
    assert json.loads(out.getvalue()) == {"error": str(failed.value), "problems": []}


def test_the_summary_says_how_to_see_what_was_not_read(site: Path) -> None:
    put(site, {"templates/a.html": b"static \xff"})
    out, _ = check()
    assert counted(out) == "0 names in 1 template: none missing, 1 file not read (--verbosity 2 shows which).\n"
    out, _ = check("-v", "2")
    assert out.endswith("none missing, 1 file not read.\n")


def test_the_media_of_components_name_files_beside_them(site: Path, app) -> None:
    # django-components, "JS and CSS files": paths relative to the component's file, and patterns.
    media = (
        "class C(Component):\n    class Media:\n        js = ['c.js', 'sub/*.js', 'not-there.js', 'not-collected.js']"
    )
    app(
        "shop",
        {
            "components/c/c.py": media,
            "components/c/c.js": "",
            "components/c/sub/d.js": "",
            "elsewhere/c.py": "class F(Form):\n    class Media:\n        js = ['c.js']",
            "elsewhere/not-collected.js": "",
        },
    )
    with override_settings(STATICFILES_DIRS=[site / "src", site / "shop/components"]):
        found = facts()
    # The first is the slip of everybody: without its folder, the name is of no file.
    assert [(p["severity"], Path(p["path"]).parent.name, p["text"]) for p in found["problems"]] == [
        ("error", "elsewhere", "'c.js'"),
        ("note", "c", "'not-there.js'"),
        ("note", "c", "'not-collected.js'"),
    ]
    assert [use["text"] for use in found["unprovable"]] == ["'sub/*.js'"]
    assert found["proven"] == 1


@pytest.mark.parametrize("function", [lambda path: f"/cdn/{path}", "static.example"])
def test_a_global_static_of_another_is_unprovable(function: object) -> None:
    from shipfiles.django.proof.jinja import uses_in

    made = Environment()
    made.globals["static"] = function
    assert [use.name for use in uses_in("{{ static('a') }}", "t.html", True, made, ("static",))] == [None]


def test_the_url_method_of_the_storage_as_a_global(site: Path) -> None:
    from shipfiles.django.proof.jinja import uses_in

    made = Environment()
    made.globals.update({"static": staticfiles_storage.url, "file": staticfiles_storage.url})
    source = "{{ static('a') }}{{ file('b') }}"
    assert [use.name for use in uses_in(source, "t.html", True, made, ("static",))] == ["a", "b"]


def test_what_only_development_asks_for_stops_nothing(site: Path) -> None:
    put(site, {"templates/a.html": "{% if debug %}{% static 'dev.js' %}{% else %}{% static 'x.js' %}{% endif %}"})
    severities = [(p["severity"], p["what"]) for p in facts()["problems"]]
    assert severities == [("error", "no static file 'x.js'"), ("note", "no static file 'dev.js'")]
    with storages(missing=[{"severity": "error", "references": "dev.js"}]):
        assert [p["severity"] for p in facts()["problems"]] == ["error", "error"]
    with storages(own_missing="ignore"):
        assert facts()["problems"] == []


def test_what_editors_leave_among_templates_is_none(site: Path) -> None:
    names = ["a.html~", "a.html.orig", "a.html.bak", ".a.html.swp", "a.html.rej", "c.py"]
    for backend, body in {DJANGO: "{% static 'x' %}", JINJA: "{{ static('x') }}"}.items():
        put(site, {f"templates/{name}": body for name in [*names, "a.html", "a.py.html"]})
        with override_settings(TEMPLATES=[{"BACKEND": backend, "DIRS": [site / "templates"]}]):
            assert [Path(p["path"]).name for p in facts()["problems"]] == ["a.html", "a.py.html"]


def test_the_release_may_be_asked(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'css/app.css' %}"})
    with pytest.raises(CommandError, match="There is no release in"):
        check("--release")
    call_command("collectstatic", "--noinput", stdout=io.StringIO())
    check("--release")
    (site / "src/css/app.css").unlink()
    check("--release")
    with pytest.raises(CommandError):
        check()


def test_with_another_storage(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'css/app.css' %}"})
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": backend}):
        check()
        with pytest.raises(CommandError, match="--release needs"):
            check("--release")


def test_a_verb_is_needed() -> None:
    with pytest.raises(CommandError, match="verb"):
        call_command("ship")
    with pytest.raises(CommandError, match="chek"):
        call_command("ship", "chek")


# In collectstatic.


def collect(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("collectstatic", "--noinput", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_collectstatic_stops_before_it_publishes(site: Path, arguments: tuple[str, ...]) -> None:
    put(site, {"templates/a.html": "{% static 'css/ap.css' %}"})
    with pytest.raises(CommandError) as failed:
        collect(*arguments)
    assert str(failed.value) == (
        "1 broken reference:\n"
        f"  {site}/templates/a.html:1:1: {{% static 'css/ap.css' %}}: no static file 'css/ap.css'."
        " Did you mean 'css/app.css'?\n"
        "Nothing was published. OPTIONS['proof']['missing'] can make exceptions."
        " OPTIONS['proof']['own_missing'] = 'warning' lets all templates and modules of the project pass."
    )
    assert not (site / "root").exists()


def test_collectstatic_says_all_at_once(site: Path, write) -> None:
    write({"css/bad.css": "a { background: url(nowhere.png) }"})
    put(site, {"templates/a.html": "{% static 'x.css' %}"})
    with pytest.raises(CommandError) as failed:
        collect()
    lines = str(failed.value).splitlines()
    assert lines[0] == "2 broken references:"
    assert "nowhere.png" in lines[1]
    assert "x.css" in lines[2]
    assert lines[3] == (
        "Nothing was published. OPTIONS['rewrite']['missing'] and OPTIONS['proof']['missing'] can make exceptions."
        " OPTIONS['rewrite']['own_missing'] = 'warning' lets all files of the project pass."
        " OPTIONS['proof']['own_missing'] = 'warning' lets all templates and modules of the project pass."
    )


@pytest.mark.parametrize(
    ("section", "option"), [("rewrite", "own_missing"), ("rewrite", "optional_missing"), ("proof", "own_missing")]
)
def test_the_option_that_the_error_names_lets_it_pass(site: Path, write, section: str, option: str) -> None:
    optional = "a {}\n/*# sourceMappingURL=x.map */"
    if section == "rewrite":
        write({"css/bad.css": optional if option == "optional_missing" else "a { background: url(nowhere.png) }"})
    else:
        put(site, {"templates/a.html": "{% static 'x.css' %}"})
    backend = settings.STORAGES["staticfiles"]
    with (
        override_settings(STORAGES={"staticfiles": {**backend, "OPTIONS": {section: {option: "error"}}}}),
        pytest.raises(CommandError) as failed,
    ):
        collect()
    named = re.findall(r"OPTIONS\['(\w+)'\]\['(\w+)'\] = 'warning' lets", str(failed.value))
    assert named == [(section, option)]
    with override_settings(STORAGES={"staticfiles": {**backend, "OPTIONS": {section: {option: "warning"}}}}):
        collect()


def test_no_option_is_named_where_a_rule_decides(site: Path, write) -> None:
    write({"css/bad.css": "a { background: url(nowhere.png) }"})
    rewrite = {"own_missing": "ignore", "missing": [{"severity": "error", "references": "nowhere*"}]}
    backend = settings.STORAGES["staticfiles"]
    with (
        override_settings(STORAGES={"staticfiles": {**backend, "OPTIONS": {"rewrite": rewrite}}}),
        pytest.raises(CommandError) as failed,
    ):
        collect()
    assert str(failed.value).endswith("\nNothing was published. OPTIONS['rewrite']['missing'] can make exceptions.")


def test_collectstatic_warns(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'x.css' %}"})
    with storages(own_missing="warning"):
        out, err = collect()
    assert "warning: " in err
    assert "x.css" in err
    assert "Warnings: 1 place to look at" in out


def test_collectstatic_leaves_modules_of_packages_to_check(site: Path, app) -> None:
    app("site-packages/shipfiles_theirs", {"forms.py": "class F(Form):\n    class Media:\n        js = ['theirs.js']"})
    _, err = collect()
    assert err == ""


def test_collectstatic_without_the_proof(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'x.css' %}"})
    with storages(on_collect=False):
        collect()
    collect("--no-post-process")
    with pytest.raises(CommandError):
        collect()


def test_left_out_files_are_missing(site: Path) -> None:
    put(site, {"templates/a.html": "{% static 'css/app.css' %}"})
    with pytest.raises(CommandError):
        collect("--ignore", "*.css")


# By the parts.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("css/app.css", None),
        ("css/app.css?v=1", None),
        ("css/app.css#x?y", None),
        ("css/", None),
        ("css/?x", None),
        ("", ""),
        ("css", "css"),
        ("/css/app.css", "/css/app.css"),
        ("a#b.css", None),
        ("c.css#b.css", "c.css"),
        ("css/app%2Ecss", None),
        ("css/app.css ", None),
        ("\n css/app.css", None),
        ("css/app.css ?v=1", None),
        ("css/ap p.css", "css/ap p.css"),
        (" ", ""),
        (" css/", None),
        ("css\\app.css", "css\\app.css"),
        ("https://x/y.css", "https://x/y.css"),
    ],
)
def test_a_name_means_what_the_storage_takes_it_for(site: Path, write, name: str, expected: str | None) -> None:
    write({"a#b.css": "p{}"})
    known = {"css/app.css", "a#b.css"}
    assert missing(name, known) == expected
    # The storage is the oracle: it must raise for exactly those.
    with storages():
        collect()
        if expected is None:
            staticfiles_storage.url(name)
        else:
            with pytest.raises(ValueError, match="Missing staticfiles manifest entry"):
                staticfiles_storage.url(name)


@pytest.mark.parametrize(
    "name", ["css/app.css ", "\tcss/app.css", "css/app.css ?x", " css/app.css#x", "css\\app.css", " "]
)
def test_white_space_around_a_name_is_as_nothing_to_django(tmp_path: Path, name: str) -> None:
    django = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    django.hashed_files = {"css/app.css": "css/app.1.css"}
    expected = None
    try:
        django.stored_name(name)
    except ValueError as error:
        (expected,) = re.findall("entry for '(.*)'", str(error))
    assert missing(name, {"css/app.css"}) == expected


def proof_of(installed: list[str], **engine: object) -> Proof:
    from django.contrib.staticfiles.finders import AppDirectoriesFinder

    with override_settings(
        INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles", *installed],
        TEMPLATES=[{"BACKEND": DJANGO, "APP_DIRS": True}],
        SETTINGS_MODULE=None,
        ROOT_URLCONF=None,
    ):
        known = {path for path, _ in AppDirectoriesFinder().list([])}
        config = ProofConfig(missing=(MissingRule("error"),))
        return prove(scan_names(config), known, config)


def test_popular_applications_name_only_what_they_have() -> None:
    installed = ["django.contrib.admin.apps.SimpleAdminConfig", "django.contrib.auth", "django.contrib.contenttypes"]
    proof = proof_of([*installed, "rest_framework", "drf_spectacular_sidecar", "django_htmx"])
    assert proof.errors == ()
    assert proof.unread == ()
    # Counted by hand with grep: the admin alone has more than 30 {% static %} with a literal.
    assert proof.proven > 60
    assert any("%s.js" in use.text for use in proof.unprovable)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.binary(), st.binary())
def test_any_bytes_in_templates_and_modules(site: Path, head: bytes, tail: bytes) -> None:
    body = head + b" static Media templatetags.static {% static 'x' %} " + tail
    put(site, {"templates/a.html": body, "anything.py": body, "jinja/a.html": body})
    sys.path.insert(0, str(site))
    try:
        engines = [
            {"BACKEND": DJANGO, "DIRS": [str(site / "templates")]},
            {"BACKEND": JINJA, "DIRS": [str(site / "jinja")]},
        ]
        with override_settings(TEMPLATES=engines, ROOT_URLCONF="anything"):
            scan_names(ProofConfig())
    finally:
        sys.path.remove(str(site))


def test_modules_are_read_once(site: Path, app) -> None:
    put(site, {"templates/a.html": ""})
    app("shop", {"forms.py": "from django.templatetags.static import static\nx = static('gone.css')\ny = static(x)"})
    first = facts()
    (findings,) = site.rglob("findings.json")
    body = findings.read_bytes()
    assert facts() == first
    assert [problem["text"] for problem in first["problems"]] == ["static('gone.css')"]
    # What stands there is believed if it can be right, and read again if it cannot.
    for kept, shown in ((b"gone.css", "x.css"), (b'"static()",true', None)):
        forged = body.partition(b"\n")[2].replace(kept, b"x.css" if shown else b'"static()",1')
        assert forged != body.partition(b"\n")[2]
        findings.write_bytes(hashlib.sha256(forged).hexdigest().encode() + b"\n" + forged)
        (problem,) = facts()["problems"]
        assert problem["what"] == f"no static file '{shown or 'gone.css'}'"


def test_the_same_module_with_other_words_is_read_again(site: Path, app) -> None:
    app("shop", {"forms.py": "from here import versioned\nx = versioned('gone.css')"})
    prover = partial(scan_names, packages=False)
    with Cache(str(site / "cache"), 1000) as cache:
        assert prover(ProofConfig(), cache=cache).uses == []
        assert [use.name for use in prover(ProofConfig(aliases=("versioned",)), cache=cache).uses] == ["gone.css"]
        assert [use.name for use in prover(ProofConfig(aliases=("versioned",)), cache=cache).uses] == ["gone.css"]
        assert prover(ProofConfig(), cache=cache).uses == []
