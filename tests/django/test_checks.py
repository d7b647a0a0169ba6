"""The system checks: each trap is told once, with its id and a hint, and a sound project is told nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, run_checks
from django.core.management import get_commands
from django.test import override_settings
from django.urls import clear_script_prefix, set_script_prefix

from shipfiles.django import checks
from shipfiles.stores.memory import MemoryStore

MIDDLEWARE = "shipfiles.django.middleware.ShipfilesMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
BACKEND = "shipfiles.django.storage.StaticStorage"


def told(*, deploy: bool = False) -> list[CheckMessage]:
    return [m for m in run_checks(tags=["staticfiles"], include_deployment_checks=deploy) if m.id]


def ids(*, deploy: bool = False) -> set[str]:
    return {str(m.id) for m in told(deploy=deploy) if str(m.id).startswith("shipfiles.")}


def test_a_sound_project_is_told_nothing(project: Path) -> None:
    assert told(deploy=True) == []


def test_every_message_has_a_hint_or_says_what_to_do(project: Path) -> None:
    with override_settings(MIDDLEWARE=[MIDDLEWARE, SECURITY, MIDDLEWARE], STATIC_ROOT=None, MEDIA_URL="/static/"):
        assert len(told(deploy=True)) >= 4
        assert all(m.hint for m in told(deploy=True))


@pytest.mark.parametrize(
    ("static_url", "media_url", "expected"),
    [
        ("/static/", "/static/", {"shipfiles.E002"}),
        ("/static/", "/static/media/", {"shipfiles.E002"}),
        ("/media/static/", "/media/", {"shipfiles.E002"}),
        ("/static/", "/staticmedia/", set()),
        ("static/", "/static/", {"shipfiles.E002"}),  # as startproject writes it
        ("static/", "/static/media/", {"shipfiles.E002"}),
        ("static/", "media/", set()),
        ("https://cdn.example/static/", "https://cdn.example/media/", set()),
    ],
)
def test_urls(project: Path, static_url: str, media_url: str, expected: set[str]) -> None:
    with override_settings(STATIC_URL=static_url, MEDIA_URL=media_url):
        assert expected <= ids()
        assert not expected or all(m.msg for m in told())
        if not expected:
            assert ids() == set()


def test_a_static_url_without_a_slash(project: Path) -> None:
    # Django refuses it in a settings module; override_settings does not look.
    with override_settings(STATIC_URL="/static"):
        assert "shipfiles.E001" in ids()


def test_hosts_that_disagree(project: Path) -> None:
    options = {"base_url": "https://cdn.example/static/"}
    with override_settings(
        STATIC_URL="https://other.example/static/", STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}
    ):
        assert ids() == {"shipfiles.W003"}
    with override_settings(
        STATIC_URL="https://cdn.example/static/", STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}
    ):
        assert ids() == set()


def test_static_root_is_media_root(project: Path) -> None:
    with override_settings(MEDIA_ROOT=str(project / "root")):
        assert ids() == {"shipfiles.E004"}


@pytest.mark.parametrize("folder", ["root", "root/cache", "src/.cache", "media/x"])
def test_the_cache_inside_what_is_served_or_collected(project: Path, folder: str) -> None:
    storages = {"staticfiles": {"BACKEND": BACKEND, "OPTIONS": {"cache": {"folder": folder}}}}
    with override_settings(STORAGES=storages, MEDIA_ROOT=str(project / "media")):
        assert ids() == {"shipfiles.E018"}
    storages["staticfiles"]["OPTIONS"]["cache"] = {"folder": folder, "enabled": False}
    with override_settings(STORAGES=storages, MEDIA_ROOT=str(project / "media")):
        assert ids() == set()
    storages["staticfiles"]["OPTIONS"]["cache"] = {"folder": "rooted"}
    with override_settings(STORAGES=storages):
        assert ids() == set()


def test_static_root_inside_a_source_folder(project: Path) -> None:
    for folder in (project / "src", project / "src/deep/root"):
        with override_settings(STATIC_ROOT=str(folder)):
            assert "shipfiles.E005" in ids()


def test_no_static_root(project: Path) -> None:
    with override_settings(STATIC_ROOT=None):
        assert ids() == set()
        assert ids(deploy=True) == {"shipfiles.W006"}


def test_static_root_that_cannot_be_written(project: Path) -> None:
    (project / "file").write_text("")
    with override_settings(STATIC_ROOT=str(project / "file/root")):
        assert ids(deploy=True) == {"shipfiles.W007"}


def test_removed_settings(project: Path) -> None:
    with override_settings(STATICFILES_STORAGE="whitenoise.storage.CompressedManifestStaticFilesStorage"):
        (message,) = (m for m in told() if m.id == "shipfiles.W008")
        assert "STATICFILES_STORAGE" in message.msg
        assert "whitenoise.storage.CompressedManifestStaticFilesStorage" in str(message.hint)
    with override_settings(DEFAULT_FILE_STORAGE="x.Y"):
        assert ids() == {"shipfiles.W008"}


def test_the_order_of_the_applications(project: Path) -> None:
    with override_settings(INSTALLED_APPS=["django.contrib.staticfiles", "shipfiles.django"]):
        assert [c.name for c in apps.get_app_configs()] == ["django.contrib.staticfiles", "shipfiles.django"]
        (message,) = told()
        assert message.id == "shipfiles.E009"
        assert "which makes the same release, slowly." in str(message.hint)
        bucket = {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": {"bucket_name": "bucket"}}
        with override_settings(STORAGES={**settings.STORAGES, "staticfiles": bucket}):
            (message,) = told()
        assert message.id == "shipfiles.E009"
        assert "which can send nothing to the store." in str(message.hint)


def test_wrong_options(project: Path) -> None:
    with override_settings(STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": {"max_age": 3}}}):
        (message,) = told()
        assert message.id == "shipfiles.E010"
        assert "OPTIONS['max_age'] is not an option" in message.msg
        assert message.hint is not None
        assert message.hint.startswith("The options there are base_url, cache, check_names, compress, ")
    serve = {"BACKEND": BACKEND, "OPTIONS": {"serve": {"max_agee": 3}}}
    with override_settings(STORAGES={"staticfiles": serve}):
        (message,) = told()
        assert "OPTIONS['serve']['max_agee'] is not an option" in message.msg
        assert message.hint is not None
        assert "pull_from" in message.hint
        assert "release_id" not in message.hint
        assert ids(deploy=True) == {"shipfiles.E010"}  # those that look at files have nothing to add, and go on


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        ([SECURITY, MIDDLEWARE], set()),
        ([SECURITY, MIDDLEWARE, MIDDLEWARE], {"shipfiles.E011"}),
        ([MIDDLEWARE, SECURITY], {"shipfiles.W012"}),
        ([SECURITY, GZIP, MIDDLEWARE], {"shipfiles.W012"}),
        ([SECURITY, MIDDLEWARE, GZIP], set()),
        ([SECURITY, MIDDLEWARE, "whitenoise.middleware.WhiteNoiseMiddleware"], {"shipfiles.W013"}),
        ([SECURITY], {"shipfiles.I014"}),
    ],
)
def test_the_middleware(project: Path, middleware: list[str], expected: set[str]) -> None:
    with override_settings(MIDDLEWARE=middleware):
        assert ids(deploy=True) == expected


@pytest.mark.parametrize(
    ("times", "said"), [(2, f"'{MIDDLEWARE}' appears twice in MID"), (3, f"'{MIDDLEWARE}' appears 3 times in MID")]
)
def test_the_middleware_more_than_once(project: Path, times: int, said: str) -> None:
    with override_settings(MIDDLEWARE=[SECURITY, *[MIDDLEWARE] * times]):
        (message,) = told()
    assert message.msg.startswith(said)


def test_rivals_beside_us(project: Path) -> None:
    rival = "whitenoise.middleware.WhiteNoiseMiddleware"
    with override_settings(MIDDLEWARE=[SECURITY, MIDDLEWARE, rival]):
        (one,) = told()
    with override_settings(MIDDLEWARE=[SECURITY, MIDDLEWARE, rival, "servestatic.middleware.ServeStaticMiddleware"]):
        (two,) = told()
    assert f"{rival!r} is still" in one.msg
    assert "takes its place: remove it from" in str(one.hint)
    assert "are still" in two.msg
    assert "takes their place: remove them from" in str(two.hint)


def test_no_two_checks_have_one_id() -> None:
    """Their docstrings begin with them: who silences one silences no other."""
    groups = (checks.ALWAYS, checks.ON_DEPLOY, checks.OF_MEDIA, checks.OF_MEDIA_ON_DEPLOY)
    heads = [str(check.__doc__).partition(":")[0] for group in groups for check in group]
    found = [one for head in heads for one in re.findall(r"[EWI]\d{3}", head)]
    assert len(found) > 20
    assert len(found) == len({*found})


def test_another_collectstatic_beside_ours(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("installed")
    (folder / "collectfasta").mkdir()
    (folder / "collectfasta/__init__.py").write_text("")
    (folder / "collectfasta/management/commands").mkdir(parents=True)
    (folder / "collectfasta/management/commands/collectstatic.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "collectfasta"]):
        (message,) = told()
    assert (message.id, "'collectfasta' is still" in message.msg) == ("shipfiles.W013", True)
    # Its command, not ours, is what "collectstatic" means then.
    with override_settings(INSTALLED_APPS=["collectfasta", *settings.INSTALLED_APPS]):
        (message,) = told()
        assert get_commands.__wrapped__()["collectstatic"] == "collectfasta"
    assert (message.id, message.is_serious()) == ("shipfiles.E028", True)
    assert message.msg == "'collectfasta' is above 'shipfiles.django' in INSTALLED_APPS."


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("wsgi.py", "from shipfiles.serve.wsgi import StaticApp\napplication = StaticApp(None)", True),
        ("asgi.py", "from shipfiles.serve import asgi\napplication = asgi.StaticApp(None)", True),
        ("asgi.py", "import shipfiles.serve.asgi as a\napplication = a.StaticApp(None)", True),
        ("wsgi.py", "from other import StaticApp\napplication = StaticApp(None)", False),
        ("wsgi.py", "import shipfiles\n# StaticApp\n", False),
        ("wsgi.py", "def (", False),
        ("else.py", "from shipfiles.serve.wsgi import StaticApp\n", False),
        ("other.py", "from shipfiles.serve.wsgi import StaticApp\n", True),  # WSGI_APPLICATION names it
    ],
)
def test_a_static_app_needs_no_middleware(
    project: Path, monkeypatch: pytest.MonkeyPatch, file: str, source: str, *, found: bool
) -> None:
    """By the source: the module is not run."""
    package = f"site_{uuid4().hex}"
    (project / package).mkdir()
    (project / package / file).write_text(source + "\nraise SystemExit\n")
    monkeypatch.syspath_prepend(project)
    with override_settings(
        MIDDLEWARE=[SECURITY], ROOT_URLCONF=f"{package}.urls", WSGI_APPLICATION=f"{package}.other.application"
    ):
        given = [m.id for m in (*checks.check_middleware_there(),)]
    assert given == ([] if found else ["shipfiles.I014"])


def test_settings_without_urls(project: Path) -> None:
    # As those of a worker that answers no requests.
    with override_settings(MIDDLEWARE=[SECURITY]):
        del settings.ROOT_URLCONF
        assert ids(deploy=True) == {"shipfiles.I014"}


def test_names_that_two_folders_claim(project: Path, write) -> None:
    write({"a.css": "1", "same.css": "1"})
    (project / "other").mkdir()
    (project / "other/a.css").write_text("2")
    (project / "other/same.css").write_text("1")
    with override_settings(STATICFILES_DIRS=[str(project / "src"), str(project / "other")]):
        (message,) = (m for m in told(deploy=True) if m.id == "shipfiles.I015")
    assert message.msg == (
        f"'a.css' is claimed twice; {project / 'src/a.css'} wins, {project / 'other/a.css'} is not collected."
    )


def test_a_shadowed_link_to_nowhere(project: Path, write) -> None:
    write({"a.css": "1"})
    (project / "other").mkdir()
    (project / "other/a.css").symlink_to("nowhere")
    with override_settings(STATICFILES_DIRS=[str(project / "src"), str(project / "other")]):
        assert ids(deploy=True) == {"shipfiles.I015"}


def test_without_the_staticfiles_application(project: Path, write) -> None:
    write({"a.css": "1"})
    with override_settings(INSTALLED_APPS=["shipfiles.django"]):
        assert ids(deploy=True) == set()


def test_files_that_cannot_be_collected(project: Path, write) -> None:
    write({"a\nb.css": ""})
    assert ids(deploy=True) == {"shipfiles.W016"}


def test_every_check_is_registered() -> None:
    named = {name for name in vars(checks) if name.startswith("check_")}
    groups = (checks.ALWAYS, checks.ON_DEPLOY, checks.OF_MEDIA, checks.OF_MEDIA_ON_DEPLOY)
    assert named == {check.__name__ for group in groups for check in group}


def test_findstatic_says_why(project: Path, write, capsys) -> None:
    from django.core.management import call_command

    write({"a.css": "1"})
    (project / "other").mkdir()
    (project / "other/a.css").write_text("2")
    with override_settings(STATICFILES_DIRS=[str(project / "src"), str(project / "other")]):
        call_command("findstatic", "a.css")
        assert "wins" not in capsys.readouterr().out
        call_command("findstatic", "a.css", verbosity=2)
    out = capsys.readouterr().out
    assert f"wins: {os.path.realpath(project / 'src/a.css')}, by" in out
    assert f"ignored: {os.path.realpath(project / 'other/a.css')}" in out


def test_a_forced_script_name_makes_no_url_lie_inside_another(project: Path) -> None:
    set_script_prefix("/app/")
    try:
        with override_settings(FORCE_SCRIPT_NAME="/app", STATIC_URL="static/", MEDIA_URL=""):
            assert ids() == set()
        with override_settings(FORCE_SCRIPT_NAME="/app", STATIC_URL="static/", MEDIA_URL="static/media/"):
            assert "shipfiles.E002" in ids()
    finally:
        clear_script_prefix()


def test_our_middleware_over_another_storage(project: Path) -> None:
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES=other):
        assert ids() == {"shipfiles.W017"}
    with override_settings(STORAGES=other, MIDDLEWARE=[SECURITY]):
        assert ids() == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"release_id": ""}, "it is empty"),
        ({"release_id_strategy": "no.such.module.function"}, "cannot be imported (ModuleNotFoundError"),
        ({"release_id_strategy": "shipfiles.release.identity.git_comit"}, "cannot be imported (AttributeError"),
        ({"release_id_strategy": "shipfiles.release.identity.NAMES"}, "which cannot be called"),
        (
            {"release_id_strategy": "git_commit"},
            "it is no dotted path. Did you mean 'shipfiles.release.identity.git_commit'? Give the path",
        ),
        ({"release_id_strategy": "nothing_like_it"}, "it is no dotted path. Give the path"),
        (
            {"release_id_strategy": "shipfiles.release.identity.time_stamp"},
            "Did you mean 'shipfiles.release.identity.timestamp'?",
        ),
        ({"serve": {"add_headers": "no.such.module.function"}}, "OPTIONS['serve']['add_headers']: 'no.such.module.f"),
        ({"serve": {"add_headers": f"{__name__}.BACKEND"}}, "cannot be called"),
        ({"serve": {"pull_from": "relative/x"}}, "must be absolute"),
        ({"serve": {"pull_from": "no.such.module"}}, "cannot be imported"),
    ],
)
def test_options_with_which_no_process_would_start(project: Path, options: dict[str, object], words: str) -> None:
    with override_settings(STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}):
        (message,) = [m for m in told() if m.id == "shipfiles.E010"]
        assert words in message.msg


@pytest.mark.parametrize("more", [{}, {"WHITENOISE_IMMUTABLE_FILE_TEST": "x"}])
def test_a_function_for_headers_that_is_none(project: Path, more: dict[str, str]) -> None:
    with override_settings(WHITENOISE_ADD_HEADERS_FUNCTION="no.such.module.function", **more):
        (message,) = [m for m in told() if m.id == "shipfiles.E010"]
    assert "cannot be imported" in message.msg


@pytest.mark.parametrize(
    "options",
    [
        {"release_id_strategy": "shipfiles.release.identity.git_commit"},
        {"release_id_strategy": lambda: "v1"},
        {"release_id_strategy": "django.conf.settings.NONE", "release_id": "v1"},  # the id wins, nobody asks
    ],
)
def test_a_strategy_that_can_be_called_is_not_called(project: Path, options: dict[str, object]) -> None:
    """Here is no repository, so that the first would fail."""
    with override_settings(STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}):
        assert [m for m in told() if m.id == "shipfiles.E010"] == []


def test_a_folder_to_pull_from_that_is_not_there(project: Path) -> None:
    def messages(place: object) -> list[str]:
        options = {"serve": {"pull_from": place}}
        with override_settings(STORAGES={"staticfiles": {"BACKEND": BACKEND, "OPTIONS": options}}):
            assert "shipfiles.W021" not in ids()  # on another machine than the site's it may well not be there
            return [m.msg for m in told(deploy=True) if m.id == "shipfiles.W021"]

    folder = project / "other"
    for place in (str(folder), folder, folder.as_uri()):
        assert messages(place) == [f"OPTIONS['serve']['pull_from'] names {str(folder)!r}, which does not exist."]
    folder.write_text("")
    assert messages(folder) == [f"OPTIONS['serve']['pull_from'] names {str(folder)!r}, which is no folder."]
    folder.unlink()
    folder.mkdir()
    assert messages(folder) == []
    # What is wrong already is told once, by E010; a store of another kind is asked nothing.
    assert messages("relative") == []
    assert messages(MemoryStore()) == []
