"""The system checks of uploads: each trap is told once, with its id and what to do, and a sound project nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.core.files.storage import FileSystemStorage, Storage
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import path
from django.utils.functional import LazyObject

from shipfiles.django.checks import media_entry
from shipfiles.django.storage import Alias, MediaStorage, S3MediaStorage

NAMES = "shipfiles.django.storage."
STATIC = {"BACKEND": f"{NAMES}StaticStorage"}
BUCKET = {"bucket_name": "b-1", "access_key": "AK", "secret_key": "not-to-be-shown", "file_overwrite": False}
URLCONF = __name__

urlpatterns: list[Any] = []


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_")):
            monkeypatch.delenv(name)


def told(
    *, deploy: bool = False, static: dict[str, Any] = STATIC, given: dict[str, Any] | None = None, **aliases: Any
) -> list[CheckMessage]:
    storages = {"staticfiles": static} | {
        alias: {"BACKEND": NAMES + backend if isinstance(backend, str) else backend, "OPTIONS": options}
        for alias, (backend, options) in aliases.items()
    }
    with override_settings(STORAGES=storages, ROOT_URLCONF=URLCONF, **given or {}):
        return [m for m in run_checks(tags=["files"], include_deployment_checks=deploy) if str(m.id).startswith("ship")]


def ids(**given: Any) -> list[str]:
    return [str(message.id).removeprefix("shipfiles.") for message in told(**given)]


def test_a_sound_project_is_told_nothing(tmp_path: Path) -> None:
    given = {"MEDIA_ROOT": str(tmp_path / "media")}
    assert ids(deploy=True, given=given, default=("MediaStorage", {"shared": True})) == []
    bucket = ("S3MediaStorage", BUCKET)
    assert ids(deploy=True, given=given, default=bucket, other=("MediaStorage", {"store": "memory://"})) == []


def test_a_project_without_our_media_is_told_nothing() -> None:
    backend = "django.core.files.storage.FileSystemStorage"
    with override_settings(STORAGES={"default": {"BACKEND": backend}, "staticfiles": STATIC}, SENDFILE_ROOT="/srv"):
        assert [m for m in run_checks(tags=["files"], include_deployment_checks=True) if "ship" in str(m.id)] == []


def test_wrong_options() -> None:
    (message,) = told(default=("MediaStorage", {"acces": "private"}))
    assert message.id == "shipfiles.E029"
    assert "STORAGES['default'] MediaStorage: OPTIONS['acces'] is not an option. Did you mean 'access'?" in message.msg
    assert "store_options" in str(message.hint)
    assert ids(default=("S3MediaStorage", {"bucket_name": "b-1", "gzip": True})) == ["E029"]
    assert ids(default=("MediaStorage", {"store": "no.such.module"})) == ["E029"]
    (message,) = told(default=("MediaStorage", {"store": "memory://", "inspect": ["os.path.nope"]}))
    assert (message.id, "'os.path.nope' cannot be imported" in message.msg) == ("shipfiles.E029", True)
    assert ids(default=("MediaStorage", {"store": "memory://", "inspect": ["os.path.sep"]})) == ["E029"]
    (message,) = told(default=("MediaStorage", "not-to-be-shown"))
    assert message.id == "shipfiles.E029"
    assert "must be a dict of options, not str" in message.msg
    (message,) = told(default=("S3MediaStorage", {**BUCKET, "access": "sined"}))
    assert "not-to-be-shown" not in f"{message.msg} {message.hint}"


def test_settings_that_are_not_heeded() -> None:
    given = {"AWS_S3_PROXIES": {"https": "http://proxy"}, "AWS_S3_USE_THREADS": False, "GZIP_CONTENT_TYPES": ("a/b",)}
    found = told(given=given, default=("S3MediaStorage", BUCKET), other=("S3MediaStorage", BUCKET))
    assert [m.id for m in found] == ["shipfiles.W030"] * 2
    assert {m.msg.partition(" ")[0] for m in found} == {"AWS_S3_PROXIES", "AWS_S3_USE_THREADS"}
    assert all(m.hint for m in found)
    given = {"AWS_S3_MAX_MEMORY_SIZE": 1 << 20}
    assert ids(given=given, default=("S3MediaStorage", BUCKET)) == ["W030"]


@pytest.mark.parametrize(
    ("backend", "options", "settings", "expected"),
    [
        # django-storages: file_overwrite is True by default at S3 and Google; overwrite_files False at Azure.
        ("S3MediaStorage", {"bucket_name": "b-1"}, {}, ["W031"]),
        ("S3MediaStorage", {"bucket_name": "b-1", "file_overwrite": True}, {}, []),
        ("S3MediaStorage", {"bucket_name": "b-1", "overwrite": False}, {}, []),
        ("S3MediaStorage", {"bucket_name": "b-1"}, {"AWS_S3_FILE_OVERWRITE": False}, []),
        ("GoogleMediaStorage", {"bucket_name": "b-1"}, {}, ["W031"]),
        ("GoogleMediaStorage", {"bucket_name": "b-1"}, {"GS_FILE_OVERWRITE": True}, []),
        ("AzureMediaStorage", {"azure_container": "c-1", "account_name": "acc", "account_key": "a2V5"}, {}, []),
        ("SFTPMediaStorage", {"host": "web", "root_path": "/srv/media"}, {}, []),
        # Who writes our words never had that default.
        ("MediaStorage", {"store": "s3://b-1/media"}, {}, []),
    ],
)
def test_names_that_are_not_replaced_any_more(
    backend: str, options: dict[str, Any], settings: dict[str, Any], expected: list[str]
) -> None:
    assert ids(given=settings, default=(backend, options)) == expected


class Uploads(S3MediaStorage):
    bucket_name = "b-1"
    file_overwrite = False


def test_what_a_class_of_the_project_says_counts() -> None:
    assert ids(default=(Uploads, {})) == []


def test_a_domain_with_more_than_its_name() -> None:
    (message,) = told(default=("S3MediaStorage", {**BUCKET, "custom_domain": "https://cdn.example.com"}))
    assert message.id == "shipfiles.W045"
    assert "has a scheme" in message.msg


def test_signed_urls_of_what_everybody_may_read() -> None:
    assert ids(default=("S3MediaStorage", {**BUCKET, "default_acl": "public-read"})) == ["W032"]
    assert ids(default=("S3MediaStorage", {**BUCKET, "object_parameters": {"ACL": "public-read"}})) == ["W032"]
    assert ids(default=("S3MediaStorage", {**BUCKET, "default_acl": "public-read", "querystring_auth": False})) == []
    assert ids(default=("S3MediaStorage", {**BUCKET, "default_acl": "bucket-owner-full-control"})) == []


@pytest.mark.parametrize(
    ("options", "mechanism", "expected"),
    [
        ({"store": "s3://b-1"}, "redirect", []),
        ({"store": "s3://b-1"}, "x-sendfile", ["E033"]),
        ({"store": "s3://b-1"}, "x-accel-redirect", ["W047"]),  # nginx may pass the location on to the bucket
        ({"store": "memory://"}, "x-accel-redirect", ["W047"]),
        ({"store": "ssh://web/srv/m"}, "x-accel-redirect", []),  # nginx may be there
        ({"store": "ssh://web/srv/m"}, "x-sendfile", ["E033"]),
        ({"store": "ssh://web/srv/m"}, "redirect", ["E033"]),
        ({"store": "memory://"}, "redirect", ["E033"]),
        ({"location": "/srv/m"}, "redirect", ["E033"]),
        ({"location": "/srv/m"}, "x-sendfile", []),
        ({"location": "/srv/m"}, "stream", []),
    ],
)
def test_ways_to_hand_over_that_there_are_not(options: dict[str, Any], mechanism: str, expected: list[str]) -> None:
    assert ids(default=("MediaStorage", {**options, "delivery": {"mechanism": mechanism}})) == expected


def test_serve_without_the_middleware(tmp_path: Path) -> None:
    options = {"location": str(tmp_path / "m"), "serve": True}
    assert ids(default=("MediaStorage", options)) == []
    assert ids(given={"MIDDLEWARE": []}, default=("MediaStorage", options)) == ["W034"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ["E048"]),
        ("/", ["E048"]),
        ("https://m.example.com/", ["E048"]),
        ("media/", []),
        ("https://a.example/m/", []),
    ],
)
def test_serve_without_a_url(tmp_path: Path, given: str, expected: list[str]) -> None:
    options = {"location": str(tmp_path / "m"), "serve": True}
    assert ids(given={"MEDIA_URL": given}, default=("MediaStorage", options)) == expected


def test_private_files_that_no_view_gives_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"location": str(tmp_path / "m"), "access": "private", "shared": True}
    assert ids(deploy=True, default=("MediaStorage", options)) == ["I035"]

    def view() -> None: ...

    view.__module__ = "shipfiles.django.views"
    monkeypatch.setitem(globals(), "urlpatterns", [path("files/<path:name>", view)])
    from django.urls import clear_url_caches

    clear_url_caches()
    assert ids(deploy=True, default=("MediaStorage", options)) == []
    clear_url_caches()


def test_packages_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from shipfiles.django.checks import extras

    monkeypatch.setattr(extras, "is_installed", lambda name: name not in ("obstore", "cryptography"))
    options = {**BUCKET, "custom_domain": "cdn.example.com", "cloudfront_key_id": "K", "cloudfront_key": "pem"}
    found = told(deploy=True, default=("S3MediaStorage", options))
    assert [m.id for m in found] == ["shipfiles.E046"] * 2
    assert [m.hint for m in found] == [f"Run: pip install 'shipfiles[{extra}]'." for extra in ("s3", "cloudfront")]


STRONG = "9f8b" * 16


@pytest.mark.parametrize(
    ("options", "key", "expected"),
    [
        ({"access": "signed"}, "django-insecure-" + STRONG, ["W036"]),
        ({"access": "signed"}, "short", ["W036"]),
        ({"access": "signed"}, STRONG, []),
        ({"access": "signed", "signed": {"key": STRONG}}, "short", []),
        ({"access": "public"}, "short", []),
    ],
)
def test_keys_of_links(tmp_path: Path, options: dict[str, Any], key: str, expected: list[str]) -> None:
    options = {"location": str(tmp_path / "m"), "shared": True, **options}
    assert ids(deploy=True, given={"SECRET_KEY": key}, default=("MediaStorage", options)) == expected


def test_settings_of_other_packages(tmp_path: Path) -> None:
    given = {"PRIVATE_STORAGE_ROOT": "/srv/private", "SENDFILE_URL": "/protected"}
    options = {"location": str(tmp_path / "m"), "shared": True}
    (message,) = told(deploy=True, given=given, default=("MediaStorage", options))
    assert message.id == "shipfiles.I037"
    assert "SENDFILE_URL: OPTIONS['delivery']['internal_url']" in str(message.hint)
    assert "PRIVATE_STORAGE_CLASS" not in str(message.hint)


# Where uploads are ----------------------------------------------------------------------------------------------------


def test_uploads_on_a_disk_that_nobody_calls_shared(tmp_path: Path) -> None:
    given = {"MEDIA_ROOT": str(tmp_path / "media")}
    assert ids(given=given, default=("MediaStorage", {})) == []
    (message,) = told(deploy=True, given=given, default=("MediaStorage", {}))
    assert message.id == "shipfiles.W038"
    assert "OPTIONS['shared']" in str(message.hint)
    for shared in (True, False):
        assert ids(deploy=True, given=given, default=("MediaStorage", {"shared": shared})) == []
    assert ids(deploy=True, given=given | {"DEBUG": True}, default=("MediaStorage", {})) == []


def test_no_folder() -> None:
    assert ids(given={"MEDIA_ROOT": ""}, default=("MediaStorage", {})) == ["W039"]
    assert ids(given={"MEDIA_ROOT": ""}, default=("MediaStorage", {"location": "/srv/m"})) == []


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("media", []),
        ("rooted", []),
        ("root", ["E040"]),  # STATIC_ROOT
        ("root/media", ["E040"]),
        ("src/uploads", ["E040"]),  # of STATICFILES_DIRS
        (".", ["E040"]),  # around both
        ("pages/mail", ["E040"]),
    ],
)
def test_uploads_among_other_files(tmp_path: Path, folder: str, expected: list[str]) -> None:
    templates = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path / "pages"]}]
    given = {"MEDIA_ROOT": str(tmp_path / folder), "TEMPLATES": templates}
    assert ids(given=given, default=("MediaStorage", {})) == expected


def test_uploads_among_code() -> None:
    import shipfiles.django

    package = os.path.dirname(shipfiles.django.__file__)
    assert ids(default=("MediaStorage", {"location": package})) == ["E040"]
    assert ids(default=("MediaStorage", {"location": os.path.dirname(package)})) == ["E040"]
    assert ids(default=("MediaStorage", {"location": f"{package}/templates/x"})) == ["E040"]
    assert ids(default=("MediaStorage", {"location": f"{package}/media"})) == []


@pytest.mark.parametrize(
    ("static", "media", "expected"),
    [
        ("/static/", "/media/", []),
        ("/static/", "/static/media/", ["E041"]),
        ("/static/", "/static", ["E041"]),
        ("static/", "/static/media/", ["E041"]),  # as startproject writes it
        ("static/", "/media/", []),
        ("/files/static/", "/files/", ["E041"]),
        ("/static/", "https://m.example.com/static/", []),
        ("https://m.example.com/", "https://m.example.com/media/", []),
        ("/static/", "/staticmedia/", []),
    ],
)
def test_urls(tmp_path: Path, static: str, media: str, expected: list[str]) -> None:
    options = {"location": str(tmp_path / "m"), "base_url": media}
    assert ids(given={"STATIC_URL": static}, default=("MediaStorage", options)) == expected


def test_two_that_are_served_at_one_url(tmp_path: Path) -> None:
    one, other = ({"location": str(tmp_path / name), "serve": True, "base_url": "/m/"} for name in "ab")
    assert ids(a=("MediaStorage", one), b=("MediaStorage", other)) == ["E041"]
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**other, "base_url": "/n/"})) == []
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**other, "serve": False})) == []
    # Requests are told apart by their paths alone.
    first, second = (
        {**options, "base_url": f"https://{options['location'][-1]}.example/m/"} for options in (one, other)
    )
    assert ids(a=("MediaStorage", first), b=("MediaStorage", second)) == ["E041"]
    assert ids(a=("MediaStorage", first), b=("MediaStorage", {**second, "serve": False})) == []


def test_signed_urls_that_could_be_of_two(tmp_path: Path) -> None:
    one, other = ({"location": str(tmp_path / name), "access": "signed", "base_url": "/m/"} for name in "ab")
    assert ids(a=("MediaStorage", one), b=("MediaStorage", other)) == ["E041"]
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**other, "access": "public"})) == ["E041"]
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**other, "access": "private"})) == []
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**other, "base_url": "https://b.example/m/"})) == []
    assert ids(a=("MediaStorage", one), b=("MediaStorage", {**one, "overwrite": True})) == []


@pytest.mark.parametrize("access", ["private", "signed"])
def test_files_for_few_at_the_url_of_those_for_all(
    tmp_path: Path, access: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {"location": str(tmp_path / "a"), "serve": True}
    kept = {"location": str(tmp_path / "b"), "access": access}
    apart = {**kept, "base_url": "/b/"}
    (message,) = told(a=("MediaStorage", kept), default=("MediaStorage", public))
    assert message.id == "shipfiles.E041"
    assert ids(a=("MediaStorage", apart), default=("MediaStorage", public)) == []
    # Nothing of ours answers for the others then; a view may look in both places.
    behind = {**public, "serve": False}
    assert ids(a=("MediaStorage", {**kept, "access": "private"}), default=("MediaStorage", behind)) == []
    (message,) = of_field(monkeypatch, MediaStorage(**kept), public)
    assert message.id == "shipfiles.E041"
    assert "is served at '/media/', where the storage of staticfiles.Invoice.file has" in message.msg
    assert of_field(monkeypatch, MediaStorage(**apart), public) == []
    # A URL of static files is none for files that are private, either.
    assert ids(given={"STATIC_URL": "/b/"}, a=("MediaStorage", apart)) == ["E041"]


@pytest.mark.parametrize(
    ("static", "media", "expected"),
    [
        ("", "", ["E042"]),
        ("files", "files/", ["E042"]),
        ("static", "media", []),
        ("static", "", ["W043"]),
        ("", "media", ["W043"]),
        ("static", "static2", []),
    ],
)
def test_uploads_and_releases_in_one_bucket(static: str, media: str, expected: list[str]) -> None:
    backend = {"BACKEND": f"{NAMES}S3StaticStorage", "OPTIONS": {"bucket_name": "b-1", "location": static}}
    assert ids(static=backend, default=("S3MediaStorage", {**BUCKET, "location": media})) == expected
    sent = {"BACKEND": f"{NAMES}StaticStorage", "OPTIONS": {"publish": {"to": f"s3://b-1/{static}"}}}
    assert ids(static=sent, default=("S3MediaStorage", {**BUCKET, "location": media})) == expected
    assert ids(static=backend, default=("S3MediaStorage", {**BUCKET, "bucket_name": "b-2", "location": media})) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"access": "public"}, {"access": "private"}, ["E044"]),
        ({"access": "public"}, {"access": "private", "sub": "private"}, ["E044"]),
        ({"access": "public", "sub": "a"}, {"access": "private", "sub": "b"}, []),
        ({"access": "public", "sub": "a"}, {"access": "private"}, ["E044"]),
        ({"access": "signed"}, {"access": "private"}, []),
        ({"access": "public"}, {"access": "public"}, []),
        ({"access": "public", "sub": "a"}, {"access": "private", "sub": "ab"}, []),
    ],
)
@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_one_place_for_all_and_for_few(
    tmp_path: Path, place: str, one: dict[str, str], other: dict[str, str], expected: list[str]
) -> None:
    def of(given: dict[str, str]) -> tuple[str, dict[str, str]]:
        sub = given.get("sub", "")
        where = {"store": f"s3://b-1/m/{sub}"} if place == "bucket" else {"location": str(tmp_path / "m" / sub)}
        return "MediaStorage", {**where, "access": given["access"]}

    assert ids(a=of(one), b=of(other)) == expected


# Storages of fields ---------------------------------------------------------------------------------------------------


APP = "django.contrib.staticfiles"


def of_field(
    monkeypatch: pytest.MonkeyPatch, storage: Any, options: dict[str, Any], *, deploy: bool = False
) -> list[CheckMessage]:
    """What is told of a project of one storage with ``options``, and of one model, whose file has ``storage``."""
    storages = {"default": {"BACKEND": f"{NAMES}MediaStorage", "OPTIONS": options}, "staticfiles": STATIC}
    with (
        override_settings(STORAGES=storages, ROOT_URLCONF=URLCONF),
        isolate_apps(APP) as isolated,
    ):
        field = models.FileField(storage=None if type(storage) is Unmade else storage)
        if type(storage) is Unmade:
            field.storage = storage  # Django 5.2 asks what it stands for when it is given
        # The registry of the test: what is in the other stays there for all tests.
        type("Invoice", (models.Model,), {
            "__module__": __name__, "file": field,
            "Meta": type("Meta", (), {"app_label": "staticfiles"}),
        })  # fmt: skip
        monkeypatch.setattr(media_entry, "apps", isolated)
        found = run_checks(tags=["files"], include_deployment_checks=deploy)
    return [m for m in found if str(m.id).startswith("ship")]


def test_a_field_whose_files_are_for_few_in_a_folder_that_is_for_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = {"location": str(tmp_path / "m"), "serve": True}
    (message,) = of_field(monkeypatch, Alias("default", access="private"), options)
    assert message.id == "shipfiles.E044"
    assert message.msg.startswith(
        "the storage of staticfiles.Invoice.file, whose files are private, is in the same place"
    )
    (message,) = of_field(
        monkeypatch, MediaStorage(location=str(tmp_path / "m/in"), base_url="/in/", access="signed"), options
    )
    assert message.id == "shipfiles.E044"
    apart = {"location": str(tmp_path / "apart"), "base_url": "/apart/"}
    assert of_field(monkeypatch, Alias("default", access="private", serve=False, **apart), options) == []


def test_of_a_field_in_the_place_of_an_alias_only_what_differs_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = {"location": str(tmp_path / "root/media"), "access": "signed"}
    for storage in (None, Alias("default"), Alias("default", overwrite=True)):
        found = of_field(monkeypatch, storage, options, deploy=True)
        assert [m.id for m in found if m.id != "shipfiles.W036"] == ["shipfiles.E040", "shipfiles.W038"]
    (message,) = of_field(monkeypatch, MediaStorage(str(tmp_path / "x"), access="private", shared=True), {
        "store": "memory://"
    }, deploy=True)  # fmt: skip
    assert message.id == "shipfiles.I035"


class Foreign(Storage):
    """What is asked of it but its class is an error: a check must not make a storage ask its server."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the checks have asked for {name}")


class Unmade(LazyObject):  # type: ignore[type-arg]
    def _setup(self) -> None:
        raise AssertionError("the checks have made it")


def test_storages_that_are_not_ours_are_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for storage in (Foreign(), Unmade(), FileSystemStorage(str(tmp_path / "m"))):
        assert of_field(monkeypatch, storage, {"location": str(tmp_path / "m")}) == []
