"""What stands in front, from settings: which folder, which path, which host, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from shipfiles.django.edge_conf import Found, Wanted, edge_policy
from shipfiles.errors import ConfigError

STATIC = "shipfiles.django.storage.StaticStorage"
SFTP = "shipfiles.django.storage.SFTPStaticStorage"
S3 = "shipfiles.django.storage.S3StaticStorage"
MEDIA = "shipfiles.django.storage.MediaStorage"
HERE = "http://127.0.0.1:8000"


@contextmanager
def site(backend: str = STATIC, *, url: str = "/static/", media: Any = None, **options: Any) -> Iterator[None]:
    """A project with these OPTIONS of its static files, and these storages of uploads."""
    storages = {**(media or {}), "staticfiles": {"BACKEND": backend, "OPTIONS": options}}
    with override_settings(STORAGES={**settings.STORAGES, **storages}, STATIC_URL=url):
        yield


def found(**wanted: Any) -> Found:
    return edge_policy(staticfiles_storage.config, Wanted(**wanted))


def refused(**wanted: Any) -> str:
    with pytest.raises(ConfigError) as told:
        found(**wanted)
    return str(told.value)


def test_the_folder_of_this_machine(project: Path) -> None:
    with site():
        policy = found(application=HERE).policy
    assert policy.mode == "static-server"
    assert policy.static is not None
    assert (policy.static.root, policy.static.prefix) == (str(project / "root"), "/static/")
    assert policy.static.codings == ("br", "gzip")
    assert (policy.host, policy.application, policy.media) == ("", HERE, ())


def test_the_manifest_of_another_name(project: Path) -> None:
    with site(manifest_name="names.json"):
        static = found().policy.static
    assert static is not None
    assert static.manifest_name == "names.json"


def test_codings_best_first(project: Path) -> None:
    with site(compress={"codings": ["gzip", "zstd", "br"]}):
        static = found().policy.static
    assert static is not None
    assert static.codings == ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("url", "options", "wanted", "prefix"),
    [
        ("/assets/a%20b/", {}, {}, "/assets/a b/"),
        ("static/", {}, {}, "/static/"),
        # A CDN that fetches here may ask below another path than browsers do.
        ("https://cdn.example.com/v1/", {"served_prefix": "/static/"}, {}, "/static/"),
        ("https://cdn.example.com/v1/", {}, {}, "/v1/"),
        # What the web server in front takes away is not yet taken away there.
        ("/shop/static/", {"served_prefix": "/static/"}, {}, "/shop/static/"),
        ("https://cdn.example.com", {}, {}, "/"),
        ("/static/", {}, {"prefix": "/other"}, "/other/"),
    ],
)
def test_the_path(project: Path, url: str, options: Any, wanted: Any, prefix: str) -> None:
    with site(url=url, **options):
        static = found(**wanted).policy.static
    assert static is not None
    assert static.prefix == prefix


def test_a_mount_point(project: Path) -> None:
    with site(url="static/"), override_settings(FORCE_SCRIPT_NAME="/shop"):
        static = found().policy.static
    assert static is not None
    assert static.prefix == "/shop/static/"


def test_the_sites_own_web_server_has_the_name_of_the_pages(project: Path) -> None:
    with site(url="https://cdn.example.com/static/"):
        assert found().policy.host == ""
        assert found(server_name="www.example.com").policy.host == "www.example.com"


def test_a_server_that_gets_releases(project: Path) -> None:
    """A host in STATIC_URL and an ssh:// target: that is a server for static files alone."""
    target = {"url": "ssh://deploy@files.example.com/srv/static"}
    with site(url="https://static.example.com/", publish={"to": [target, str(project / "copy")]}):
        policy = found().policy
    assert policy.mode == "dedicated"
    assert policy.static is not None
    assert (policy.static.root, policy.static.prefix) == ("/srv/static", "/")
    assert (policy.host, policy.static.codings) == ("static.example.com", ("br", "gzip"))


def test_a_target_without_compressed_files(project: Path) -> None:
    target = {"url": "ssh://files.example.com/srv/static", "variants": False}
    with site(publish={"to": target}):
        static = found(mode="dedicated").policy.static
    assert static is not None
    assert static.codings == ()


def test_a_storage_over_sftp(project: Path) -> None:
    with site(SFTP, host="files.example.com", root_path="/srv/www", base_url="https://static.example.com/x/"):
        policy = found().policy
        assert "--mode dedicated" in refused(mode="static-server")
    assert policy.static is not None
    assert (policy.mode, policy.static.root) == ("dedicated", "/srv/www")
    assert (policy.static.prefix, policy.host) == ("/x/", "static.example.com")


def test_another_folder(project: Path) -> None:
    with site(publish={"to": "ssh://files.example.com/~/static"}):
        assert "a user's home" in refused(mode="dedicated")
        static = found(mode="dedicated", root="/home/deploy/static").policy.static
    assert static is not None
    assert static.root == "/home/deploy/static"


def bucket(**options: Any) -> dict[str, Any]:
    return {"bucket_name": "bucket", "custom_domain": "cdn.example.com", "location": "static", **options}


def test_a_bucket(project: Path) -> None:
    with site(S3, **bucket()):
        text = refused()
        assert text.startswith("--mode static-server: the files are in s3://bucket/static, which answers by itself")
        assert "ship config cloudfront" in text
        assert "no server gets the releases" in refused(mode="dedicated")
        # The bucket is the origin of a CDN: no folder, the URL of the files.
        policy = found(is_server=False).policy
        assert policy.static is not None
        assert (policy.mode, policy.host) == ("dedicated", "cdn.example.com")
        assert (policy.static.root, policy.static.prefix, policy.static.codings) == ("", "/static/", ())
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, "Virtual-hosted-style requests".
        assert policy.bucket == "https://bucket.s3.amazonaws.com/static/"
        there = found(is_server=False, application="https://bucket.example.com/static").policy
        assert (there.bucket, there.application) == ("https://bucket.example.com/static/", "")
        proxied = found(mode="proxy", application=HERE).policy
        assert proxied.static is not None
        assert (proxied.static.prefix, proxied.host) == ("/static/", "")


def test_a_bucket_with_variants(project: Path) -> None:
    with site(S3, **bucket(publish={"variants": True}, compress={"always": [".js"]})):
        static = found(is_server=False).policy.static
    assert static is not None
    assert (static.codings, static.always) == (("br", "gzip"), ("js",))


def test_a_bucket_that_a_local_build_is_sent_to(project: Path) -> None:
    with site(url="https://cdn.example.com/", publish={"to": "gs://bucket/x"}):
        policy = found(is_server=False).policy
        assert found().policy.mode == "static-server"
    # https://docs.cloud.google.com/storage/docs/request-endpoints
    assert (policy.mode, policy.bucket) == ("dedicated", "https://storage.googleapis.com/bucket/x/")


def test_a_bucket_without_an_address(project: Path) -> None:
    options = bucket(provider="cloudflare", endpoint_url="https://0.r2.cloudflarestorage.com")
    with site(S3, **options):
        assert "with --app" in refused(is_server=False)


def test_a_cdn_before_a_server_for_static_files(project: Path) -> None:
    with site(url="https://cdn.example.com/", publish={"to": "ssh://a/srv"}):
        assert "say where the server answers" in refused(is_server=False)
        policy = found(is_server=False, application="https://origin.example.com").policy
    assert (policy.mode, policy.bucket, policy.application) == ("dedicated", "", "https://origin.example.com")


def test_a_cdn_before_the_application(project: Path) -> None:
    with site(url="https://cdn.example.com/static/"):
        policy = found(is_server=False).policy
    assert (policy.mode, policy.host) == ("proxy", "cdn.example.com")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"mode": "static-server", "is_server": False}, "--mode proxy if it does so from the application"),
        ({"mode": "dedicated", "application": HERE, "root": "/srv"}, "--app: --mode dedicated"),
        ({"mode": "proxy"}, "--app http://127.0.0.1:8000"),
        ({"mode": "proxy", "application": HERE, "root": "/srv"}, "--root: with --mode proxy"),
        ({"is_server": False, "include_media": True}, "a CDN has none"),
        ({"is_server": False, "root": "/srv", "listen": "80"}, "--root and --listen: these are for web servers"),
        ({"mode": "dedicated"}, "no server gets the releases"),
        ({"root": "srv"}, "an absolute path"),
        ({"root": "/srv\nreturn 200;"}, "without control characters, not '/srv\\nreturn 200;'"),
        ({"prefix": "static/"}, "--prefix must be a path"),
        ({"prefix": "/%ff/"}, "--prefix must be a path"),
        ({"server_name": "a b"}, "--server-name must be"),
        ({"server_name": "a;}"}, "--server-name must be"),
        ({"listen": "80;"}, "--listen must be"),
        ({"listen": "65536"}, "--listen must be"),
        ({"application": "http://user:pw@host"}, "--app must be"),
        ({"application": "http://host/path"}, "--app must be"),
        ({"application": "unix:/run/app"}, "--app must be"),
        ({"certificate": ("cert.pem", "/key.pem")}, "--certificate must be"),
        ({"certificate": ("/cert.pem", "key.pem")}, "--certificate-key must be"),
    ],
)
def test_what_cannot_be(project: Path, wanted: Any, why: str) -> None:
    with site():
        assert why in refused(**wanted)


@pytest.mark.parametrize("listen", ["80", "127.0.0.1:8080", "[::1]:8080", "*:443"])
def test_addresses(project: Path, listen: str) -> None:
    with site():
        assert found(listen=listen).policy.listen == listen


def test_no_folder(project: Path) -> None:
    with site(), override_settings(STATIC_ROOT=None), pytest.raises(ImproperlyConfigured, match="STATIC_ROOT"):
        found()


def test_stored_in_a_coding(project: Path) -> None:
    with site(publish={"to": {"url": "ssh://a/srv", "coding": "gzip"}}):
        assert "Remove publish.coding" in refused(mode="dedicated")


def test_what_no_configuration_says(project: Path) -> None:
    serve = {"add_headers": lambda *_: None, "release_header": "X-Release"}
    with site(serve=serve):
        notes = found().notes
    assert [note.partition(" is ")[0].partition(" changes ")[0] for note in notes] == [
        "OPTIONS['serve']['add_headers']", "OPTIONS['serve']['release_header']",
    ]  # fmt: skip


def test_paths_that_are_changed_on_the_way(project: Path) -> None:
    """Nobody can tell by whom: it is said."""
    cdn = {"is_server": False, "mode": "proxy", "application": HERE}
    with site(url="https://cdn.example.com/s/", served_prefix="/static/"):
        (note,) = found(**cdn).notes
        assert "below /s/, and the application answers them below /static/ (served_prefix)" in note
        assert found(**cdn, prefix="/static/").notes == []
        assert found(application=HERE).notes == []
    with site(url="https://cdn.example.com/static/", served_prefix="/static/"):
        assert found(**cdn).notes == []


# Uploads.


def test_uploads(project: Path, tmp_path: Path) -> None:
    media = {
        "default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(tmp_path / "m"), "base_url": "/media/"}},
        "papers": {
            "BACKEND": MEDIA,
            "OPTIONS": {
                "location": str(tmp_path / "m" / "papers"), "base_url": "https://files.example.com/p%20p/",
                "access": "private",
            },
        },
        "stock": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "memory": {"BACKEND": MEDIA, "OPTIONS": {"store": "shipfiles.stores.memory.MemoryStore"}},
        "bucket": {"BACKEND": MEDIA, "OPTIONS": {"store": "s3://bucket/m"}},
    }  # fmt: skip
    with site(media=media):
        assert found().policy.media == ()
        told = found(include_media=True)
    first, second = told.policy.media
    assert (first.alias, first.root, first.prefix) == ("default", str(tmp_path / "m"), "/media/")
    assert first.closed == (str(tmp_path / "m" / "papers"),)
    assert (second.alias, second.prefix, second.closed) == ("papers", "/p p/", ())
    assert second.config.access == "private"
    assert [note.partition(" ")[0] for note in told.notes] == [
        "STORAGES['stock']", "STORAGES['memory']", "STORAGES['bucket']",
    ]  # fmt: skip


def test_uploads_alone(project: Path, tmp_path: Path) -> None:
    media = {"default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(tmp_path / "m"), "base_url": "/media/"}}}
    with site(S3, media=media, **bucket()):
        told = found(include_media=True)
    assert told.policy.static is None
    assert len(told.policy.media) == 1
    assert "answers by itself: this is about uploads alone" in told.notes[0]
    with site(media=media):
        assert edge_policy(None, Wanted(include_media=True)).policy.static is None


def test_no_uploads(project: Path) -> None:
    stock = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
    with site(media=stock):
        assert "no storage of STORAGES is shipfiles" in refused(include_media=True)


def test_uploads_of_another_machine(project: Path) -> None:
    media = {"default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(project), "base_url": "/media/"}}}
    with site(media=media, publish={"to": "ssh://a/srv"}):
        assert "on the disk of this machine" in refused(mode="dedicated", include_media=True)


def test_uploads_need_a_path_of_their_own(project: Path) -> None:
    media = {"default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(project), "base_url": "/"}}}
    with site(media=media):
        assert "no path of its own" in refused(include_media=True)


@pytest.mark.parametrize("location", ["m", "m/../m/", "link"])
def test_a_public_folder_that_is_a_private_one(project: Path, tmp_path: Path, location: str) -> None:
    """`shipfiles.E044` says it too, but no check is run for a configuration."""
    (tmp_path / "m").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "m")
    media = {
        "default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(tmp_path / "m"), "base_url": "/media/"}},
        "private": {"BACKEND": MEDIA, "OPTIONS": {"location": str(tmp_path / location), "access": "private"}},
    }
    with site(media=media):
        assert "is public, and its folder" in refused(include_media=True)


def test_the_largest_request(project: Path) -> None:
    def options(size: int | None) -> dict[str, Any]:
        return {"default": {"BACKEND": MEDIA, "OPTIONS": {"location": str(project), "safety": {"max_size": size}}}}

    with site(media=options(10_000_000)), override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=1000):
        assert found().policy.max_upload == 10_000_000 + 1000 + 65536
        assert found(max_upload=5).policy.max_upload == 5
    with site(media=options(None)):
        assert found().policy.max_upload == 0
