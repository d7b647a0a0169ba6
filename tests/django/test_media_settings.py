"""What options and settings mean for uploads: Django's, ours, and django-storages', which is asked itself.

Its classes of version 1.14 are the oracle for who may read, under which URL, for how long, and what is replaced.
"""

from __future__ import annotations

import os
import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.test import override_settings
from google.auth.credentials import AnonymousCredentials
from google.oauth2.service_account import Credentials
from storages.backends.gcloud import GoogleCloudStorage
from storages.backends.s3 import S3Storage

from shipfiles.django.media_conf import PlacedMedia
from shipfiles.django.storage import (
    AzureMediaStorage,
    GoogleMediaStorage,
    MediaStorage,
    S3MediaStorage,
    SFTPMediaStorage,
)
from shipfiles.stores.memory import MemoryStore

NAME = "2026/a b+c/ä.jpg"
HIDDEN = "not-to-be-shown"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_")):
            monkeypatch.delenv(name)


def refusal(kind: type[MediaStorage], options: dict[str, Any], given: dict[str, Any] | None = None) -> str:
    with pytest.raises(ImproperlyConfigured) as told, override_settings(**given or {}):
        kind(**options)
    assert HIDDEN not in str(told.value)
    return str(told.value)


def place_of(storage: MediaStorage) -> Any:
    assert isinstance(storage.config, PlacedMedia)
    return storage.config.place


def pem() -> str:
    key = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@pytest.fixture(scope="module")
def key() -> str:
    return pem()


# Django's own ---------------------------------------------------------------------------------------------------------


def test_django_settings(tmp_path: Path) -> None:
    given = {
        "MEDIA_ROOT": str(tmp_path / "m"), "MEDIA_URL": "/m/", "FILE_UPLOAD_PERMISSIONS": 0o640,
        "FILE_UPLOAD_DIRECTORY_PERMISSIONS": 0o750,
    }  # fmt: skip
    with override_settings(**given):
        storage = MediaStorage()
        name = storage.save("d/a.txt", ContentFile(b"1"))
        assert (storage.path(name), storage.url(name)) == (str(tmp_path / "m/d/a.txt"), "/m/d/a.txt")
    assert stat.S_IMODE(os.stat(tmp_path / "m/d/a.txt").st_mode) == 0o640
    assert stat.S_IMODE(os.stat(tmp_path / "m/d").st_mode) == 0o750


def test_the_options_of_filesystemstorage(tmp_path: Path) -> None:
    storage = MediaStorage(
        location=tmp_path / "m",
        base_url="https://m.example.com/x",
        file_permissions_mode=0o600,
        directory_permissions_mode=0o700,
        allow_overwrite=True,
    )
    assert [storage.save("d/a.txt", ContentFile(text)) for text in ("1", "2")] == ["d/a.txt"] * 2
    assert storage.url("d/a.txt") == "https://m.example.com/x/d/a.txt"
    assert stat.S_IMODE(os.stat(tmp_path / "m/d/a.txt").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "m/d").st_mode) == 0o700


@pytest.mark.parametrize(
    ("given", "expires", "rounding"),
    [
        ({"expires": 120}, timedelta(minutes=2), None),
        ({"expires": "1h30m", "rounding": "45s"}, timedelta(hours=1, minutes=30), timedelta(seconds=45)),
        ({"rounding": 0}, timedelta(hours=1), timedelta(0)),
        ({"rounding": None, "expires": 0.5}, timedelta(milliseconds=500), None),
    ],
)
def test_lengths_of_time(given: dict[str, Any], expires: timedelta, rounding: timedelta | None) -> None:
    signed = MediaStorage(signed=given).config.signed
    assert (signed.expires, signed.rounding) == (expires, rounding)


@pytest.mark.parametrize("form", ["path", "url"])
def test_a_folder_as_store_has_the_permissions_that_are_said(tmp_path: Path, form: str) -> None:
    store = str(tmp_path) if form == "path" else tmp_path.as_uri()
    storage = MediaStorage(store=store, file_permissions_mode=0o604)
    storage.save("a", ContentFile(b"1"))
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o604


def test_memory_is_new_for_each_storage() -> None:
    one, other = MediaStorage(store="memory://"), MediaStorage(store="memory://")
    one.save("a", ContentFile(b"1"))
    assert (one.exists("a"), other.exists("a")) == (True, False)
    assert isinstance(one.store, MemoryStore)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acces": "private"}, "OPTIONS['acces'] is not an option. Did you mean 'access'?"),
        ({"safety": {"max_siz": 3}}, "OPTIONS['safety']['max_siz'] is not an option. Did you mean 'max_size'?"),
        ({"access": "signd"}, "must be one of 'public', 'signed', 'private', not 'signd'. Did you mean 'signed'?"),
        ({"overwrite": True, "allow_overwrite": False}, "contradict each other"),
        ({"location": "/srv/a", "store": "/srv/b"}, "are two places"),
        ({"signed": {"secure_link": True}}, "OPTIONS['signed']['secure_link'] needs signed.key"),
        ({"signed": {"expires": timedelta(0)}}, "OPTIONS['signed']['expires'] must be some time"),
        ({"signed": {"expires": "soon"}}, "OPTIONS['signed']['expires']: 'soon' is no length of time: write 7d, 12h"),
        ({"signed": {"expires": None}}, "OPTIONS['signed']['expires'] must be a timedelta, '2h' or seconds, not None"),
        ({"signed": {"expires": True}}, "OPTIONS['signed']['expires'] must be a timedelta"),
        ({"signed": {"expires": 1e300}}, "OPTIONS['signed']['expires']: "),
        ({"signed": {"rounding": -1}}, "OPTIONS['signed']['rounding'] must be some time or 0"),
        ({"safety": {"inline": ["svg"]}}, "OPTIONS['safety']['inline']: 'svg' is no media type"),
        ({"safety": {"media_types": {".a": "svg"}}}, "OPTIONS['safety']['media_types']: 'svg' is no media type"),
        ({"safety": {"extensions": ["jpg"]}}, "OPTIONS['safety']['extensions']: 'jpg' is no extension"),
        ({"safety": {"media_types": {"jpg": "a/b"}}}, "OPTIONS['safety']['media_types']: 'jpg' is no extension"),
        ({"names": {"prefix": "../x"}}, "OPTIONS['names']['prefix']: '../x' is no folder: the name has an empty part"),
        ({"names": {"prefix": ".shipfiles/%Y"}}, "OPTIONS['names']['prefix']: '.shipfiles/%Y' is no folder"),
        ({"bucket_name": "b-1"}, "is an option of a store. Say which in OPTIONS['store']"),
        ({"store_options": {"limits": {}}}, "which is not given"),
        ({"store": "s3://b-1", "bucket_name": "b-2"}, "bucket_name is 'b-2' in the options and 'b-1' in"),
        ({"store": "s3://b-1/x", "location": "y"}, "location is 'y' in the options and 'x' in"),
        ({"store": "s3://b-1?secret_key=" + HIDDEN}, "options are given besides"),
        ({"store": "s3://b-1", "region_name": "a", "store_options": {"region_name": "b"}}, "not in both"),
        ({"store": "s3://b-1", "regio_name": "a"}, "Did you mean 'region_name'?"),
        ({"store": "s3://b-1", "secret_key": HIDDEN}, "access_key and secret_key belong together"),
        ({"store": "s3://b-1", "serve": True}, "browsers are sent to the bucket"),
        ({"store": "s3://b-1", "file_permissions_mode": 0o600}, "objects have no permissions of files"),
    ],
)
def test_wrong_options(options: dict[str, Any], words: str) -> None:
    assert words in refusal(MediaStorage, options)


def test_a_store_by_its_url_reads_no_settings() -> None:
    given = {"AWS_S3_REGION_NAME": "eu-west-1", "AWS_QUERYSTRING_AUTH": False, "AWS_LOCATION": "elsewhere"}
    with override_settings(**given):
        storage = MediaStorage(store="s3://b-1/media", store_options={"region_name": "eu-central-1"})
    assert (place_of(storage).name, place_of(storage).region_name) == ("s3://b-1/media", "eu-central-1")
    assert storage.config.access == "signed"
    server = MediaStorage(store="ssh://me@web:2222/srv/m", base_url="https://web/m/", file_mode=0o640)
    assert (place_of(server).name, place_of(server).file_mode) == ("ssh://me@web:2222/srv/m", 0o640)
    assert server.url("a.txt") == "https://web/m/a.txt"


def test_the_settings_of_the_page_about_uploads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "media.md").read_text()
    start = page[page.index("## Quick start") : page.index("## Names")]
    whole, *parts = re.findall(r"```python\n(.*?)```", start, re.DOTALL)
    found: dict[str, Any] = {}
    exec(whole, {"BASE_DIR": tmp_path}, found)
    entries = [found["STORAGES"]["default"]]
    for part in parts:
        entries += eval(f"{{{part}}}", {"BASE_DIR": tmp_path}).values()
    configs = []
    for entry in entries:
        assert entry["BACKEND"] == "shipfiles.django.storage.MediaStorage"
        configs.append(MediaStorage(**entry.get("OPTIONS", {})).config)
    assert [config.access for config in configs] == ["public", "signed", "public", "private"]
    assert configs[0].serve
    assert configs[1].store == "s3://example-uploads/media"


# S3 -------------------------------------------------------------------------------------------------------------------

THEIRS_IS_LATE = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
LOGIN = {"access_key": "AK", "secret_key": HIDDEN, "region_name": "eu-central-1"}
IN = {"bucket_name": "b-1", "location": "media", **LOGIN}
CDN = {"custom_domain": "cdn.example.com"}

S3_TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (IN, {}),
    (LOGIN, {"AWS_STORAGE_BUCKET_NAME": "b-1"}),
    (LOGIN, {"AWS_STORAGE_BUCKET_NAME": "b-1", "AWS_LOCATION": "m/n", "AWS_QUERYSTRING_EXPIRE": 600}),
    ({**IN, "querystring_expire": 7200}, {"AWS_QUERYSTRING_EXPIRE": 600}),
    ({**IN, "querystring_auth": False}, {}),
    (IN, {"AWS_QUERYSTRING_AUTH": False}),
    ({**IN, "querystring_auth": True}, {"AWS_QUERYSTRING_AUTH": False}),
    ({**IN, **CDN}, {}),
    ({**IN, **CDN, "url_protocol": "http:"}, {}),
    (IN, {"AWS_S3_CUSTOM_DOMAIN": "media.example.com", "AWS_S3_URL_PROTOCOL": "http:"}),
    ({**IN, "custom_domain": None}, {"AWS_S3_CUSTOM_DOMAIN": "media.example.com"}),
    ({**IN, "default_acl": "public-read"}, {}),
    ({**IN, "default_acl": "public-read", "querystring_auth": False, "file_overwrite": False}, {}),
    ({**IN, "endpoint_url": "https://s3.example.com", "addressing_style": "path"}, {}),
    ({**IN, "endpoint_url": "https://s3.example.com", "addressing_style": "virtual"}, {}),
    ({**IN, "endpoint_url": "https://fra1.digitaloceanspaces.com", "querystring_auth": False}, {}),
    ({**IN, "file_overwrite": True}, {}),
    ({**IN, "file_overwrite": True}, {"AWS_S3_FILE_OVERWRITE": False}),
]


@pytest.mark.parametrize(("options", "given"), S3_TABLE)
def test_s3_as_django_storages(options: dict[str, Any], given: dict[str, Any]) -> None:
    with override_settings(**given):
        ours, theirs = S3MediaStorage(**options), S3Storage(**options)
        mine, other = urlsplit(ours.url(NAME)), urlsplit(theirs.url(NAME))
    signed = "X-Amz-Signature" in parse_qs(other.query) or "Signature" in parse_qs(other.query)
    assert ours.config.access == ("signed" if signed else "public")
    assert ("X-Amz-Signature" in parse_qs(mine.query)) == signed
    # The same key in the same bucket, whose name is in the host or in the path; at a domain all is the same.
    assert mine.path.removeprefix("/b-1") == other.path.removeprefix("/b-1")
    assert mine.netloc.startswith("b-1.") or mine.path.startswith("/b-1/") or mine.geturl() == other.geturl()
    if signed:
        assert ours.config.signed.expires == timedelta(seconds=theirs.querystring_expire)
    # Where nobody says it, theirs replaces and ours does not: shipfiles.W031.
    stated = "file_overwrite" in options or "AWS_S3_FILE_OVERWRITE" in given
    assert ours.config.overwrite == (theirs.file_overwrite and stated)
    assert isinstance(ours.config, PlacedMedia)
    assert ours.config.replaced_there == (theirs.file_overwrite and not stated)
    assert place_of(ours).prefix.rstrip("/") == theirs.location.strip("/")


@THEIRS_IS_LATE
def test_cloudfront_as_django_storages(key: str) -> None:
    signing = {"cloudfront_key_id": "KID", "cloudfront_key": key.encode()}
    for options, given in (
        ({**IN, **CDN, **signing}, {}),
        ({**IN, **CDN}, {"AWS_CLOUDFRONT_KEY_ID": "KID", "AWS_CLOUDFRONT_KEY": key.encode()}),
    ):
        with override_settings(**given):
            mine, other = (urlsplit(kind(**options).url(NAME)) for kind in (S3MediaStorage, S3Storage))
        assert (mine.scheme, mine.netloc, mine.path) == (other.scheme, other.netloc, other.path)
        assert parse_qs(mine.query).keys() == parse_qs(other.query).keys() == {"Expires", "Signature", "Key-Pair-Id"}
    # A key without a domain, or a domain whose URLs shall not be signed, are as there.
    assert "X-Amz-Signature" in S3MediaStorage(**IN, **signing).url(NAME)
    plain = S3MediaStorage(**IN, **CDN, **signing, querystring_auth=False)
    assert plain.url(NAME) == S3Storage(**IN, **CDN, **signing, querystring_auth=False).url(NAME)


class _Signer:
    def generate_presigned_url(self, url: str, date_less_than: object) -> str:
        assert date_less_than
        return f"{url}?signed-by-hand"


@THEIRS_IS_LATE
def test_a_signer_of_the_project() -> None:
    options = {**IN, **CDN, "cloudfront_signer": _Signer()}
    assert S3MediaStorage(**options).url("a.txt") == S3Storage(**options).url("a.txt")


class Photos(S3MediaStorage):
    bucket_name = "b-1"
    location = "photos"
    querystring_auth = False
    custom_domain = "cdn.example.com"


def test_attributes_of_a_class_of_the_project() -> None:
    with override_settings(AWS_STORAGE_BUCKET_NAME="other", AWS_LOCATION="elsewhere"):
        assert Photos().url("a.txt") == "https://cdn.example.com/photos/a.txt"
        assert Photos(location="p").url("a.txt") == "https://cdn.example.com/p/a.txt"


def test_who_may_read_in_our_words() -> None:
    assert S3MediaStorage(**IN, access="private").config.access == "private"
    public = S3MediaStorage(**IN, access="public")
    assert public.url("a.txt") == "https://b-1.s3.eu-central-1.amazonaws.com/media/a.txt"
    with override_settings(AWS_QUERYSTRING_AUTH=False):  # which OPTIONS count more than
        assert "X-Amz-Signature" in S3MediaStorage(**IN, access="signed").url("a.txt")
    given = {"expires": timedelta(minutes=5)}
    assert S3MediaStorage(**IN, querystring_expire=60, signed=given).config.signed.expires == timedelta(minutes=5)
    week = {"expires": timedelta(days=7)}
    assert S3MediaStorage(**IN, signed=week).url("a.txt")
    assert S3MediaStorage(**IN, access="public", querystring_expire=604_801).url("a.txt")
    rounded = S3MediaStorage(**IN, querystring_expire=60, signed={"rounding": timedelta(seconds=10)}).config.signed
    assert (rounded.expires, rounded.rounding) == (timedelta(minutes=1), timedelta(seconds=10))


def test_cache_control_is_that_of_all_files() -> None:
    options = {**IN, "object_parameters": {"CacheControl": "max-age=86400", "StorageClass": "STANDARD_IA"}}
    assert S3MediaStorage(**options).config.cache_control == "max-age=86400"
    assert S3MediaStorage(**options, cache_control="no-store").config.cache_control == "no-store"
    assert dict(place_of(S3MediaStorage(**options)).fields) == {"Storage-Class": "STANDARD_IA"}


S3_REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, "needs the key 'bucket_name'. Or set AWS_STORAGE_BUCKET_NAME"),
    ({**IN, "gzip": True}, {}, "gzip is not honoured for media files"),
    (IN, {"AWS_IS_GZIPPED": True}, "Read are gzip from AWS_IS_GZIPPED"),
    ({**IN, "access": "signed", **CDN}, {}, "needs cloudfront_key and cloudfront_key_id"),
    ({**IN, **CDN, "cloudfront_key_id": "KID"}, {}, "cloudfront_key"),
    ({**IN, "access": "signed", "querystring_auth": False}, {}, "contradict each other"),
    ({**IN, "access": "signed", "base_url": "https://m/"}, {}, "give that as signing_url"),
    ({**IN, "access": "private", "default_acl": "public-read"}, {}, "lets everybody read"),
    ({**IN, "access": "private"}, {"AWS_DEFAULT_ACL": "public-read"}, "lets everybody read"),
    ({**IN, "overwrite": True, "file_overwrite": False}, {}, "contradict each other"),
    ({**IN, "querystring_auth": "no"}, {}, "querystring_auth must be True or False"),
    ({**IN, "querystring_expire": "1h"}, {}, "must be a number of seconds"),
    ({**IN, "querystring_expire": -1}, {}, "must be some time"),
    ({**IN, "querystring_expire": 604_801}, {}, "7 days at most in this store"),
    ({**IN, "object_parameters": {"ContentType": "image/png"}}, {}, "OPTIONS['safety']['media_types']"),
    ({**IN, "object_parameters": {"ContentEncoding": "gzip"}}, {}, "cannot be the same for all files"),
    ({**IN, "transfer_config": object()}, {}, "it is boto3's"),
    ({**IN, "client_config": object()}, {}, "it is boto3's"),
    ({**IN, "use_threads": False}, {}, "sent at the same time"),
    ({**IN, "max_memory_size": 5 << 20}, {}, "no body of more than a few MiB is held"),
    ({**IN, "signature_version": "s3"}, {}, "version 4"),
    ({**IN, "shared": False}, {}, "all instances see one bucket"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "given", "words"), S3_REFUSED)
def test_s3_refused(options: dict[str, Any], given: dict[str, Any], words: str) -> None:
    assert words in refusal(S3MediaStorage, options, given)


def test_harmless_values_of_what_is_not_honoured() -> None:
    options = {"use_threads": True, "max_memory_size": 0, "signature_version": "s3v4", "gzip": False, "proxies": None}
    assert S3MediaStorage(**IN, **options).config.access == "signed"


class Parametrized(S3MediaStorage):
    def get_object_parameters(self, name: str) -> dict[str, str]:
        return {"CacheControl": name}


def test_methods_that_nobody_would_call() -> None:
    assert "Parametrized.get_object_parameters() would never be called" in refusal(Parametrized, IN)


def test_nothing_shows_a_secret() -> None:
    storage = S3MediaStorage(**IN, cloudfront_key=HIDDEN, cloudfront_key_id="KID", **CDN)
    assert HIDDEN not in repr(storage.config) + repr(storage) + str(storage.store) + repr(storage.store)


# Google ---------------------------------------------------------------------------------------------------------------

THERE = {"bucket_name": "b-1", "location": "media"}

GOOGLE_TABLE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (THERE, {}),
    ({}, {"GS_BUCKET_NAME": "b-1", "GS_LOCATION": "m"}),
    ({**THERE, "default_acl": "publicRead"}, {}),
    (THERE, {"GS_DEFAULT_ACL": "publicRead"}),
    ({**THERE, "querystring_auth": False}, {}),
    (THERE, {"GS_QUERYSTRING_AUTH": False}),
    ({**THERE, "object_parameters": {"acl": "publicRead"}}, {}),
    ({**THERE, "object_parameters": {"acl": "private"}, "default_acl": "publicRead"}, {}),
    ({**THERE, "custom_endpoint": "https://m.example.com", "querystring_auth": False}, {}),
    ({**THERE, "custom_endpoint": "https://m.example.com"}, {}),
    ({**THERE, "expiration": timedelta(minutes=10)}, {}),
    ({**THERE, "expiration": 600}, {}),
    ({**THERE, "file_overwrite": False}, {}),
]


@pytest.mark.parametrize(("options", "given"), GOOGLE_TABLE)
def test_google_as_django_storages(options: dict[str, Any], given: dict[str, Any], key: str) -> None:
    account = {
        "type": "service_account", "client_email": "me@p.iam.gserviceaccount.com", "private_key": key,
        "token_uri": "https://localhost/", "project_id": "p",
    }  # fmt: skip
    credentials = Credentials.from_service_account_info(account)
    with override_settings(**given):
        ours = GoogleMediaStorage(**options, credentials=credentials)
        theirs = GoogleCloudStorage(**options, credentials=credentials, project_id="p")
        mine, other = urlsplit(ours.url(NAME)), urlsplit(theirs.url(NAME))
    signed = "X-Goog-Signature" in parse_qs(other.query)
    assert ours.config.access == ("signed" if signed else "public")
    assert (mine.scheme, mine.netloc, mine.path) == (other.scheme, other.netloc, other.path)
    assert parse_qs(mine.query).keys() == parse_qs(other.query).keys()
    if signed:
        lasts = theirs.expiration
        assert ours.config.signed.expires == (timedelta(seconds=lasts) if isinstance(lasts, int) else lasts)
    assert ours.config.overwrite is False
    assert isinstance(ours.config, PlacedMedia)
    assert ours.config.replaced_there == theirs.file_overwrite


def test_google_refused() -> None:
    options = {**THERE, "credentials": AnonymousCredentials()}
    assert "lets everybody read" in refusal(
        GoogleMediaStorage, {**options, "access": "private", "default_acl": "publicRead"}
    )
    assert "gzip is not honoured" in refusal(GoogleMediaStorage, options, {"GS_IS_GZIPPED": True})
    assert "not honoured" in refusal(GoogleMediaStorage, {**options, "max_memory_size": 1})
    assert "must be a number of seconds" in refusal(GoogleMediaStorage, {**options, "expiration": "a day"})


# Azure ----------------------------------------------------------------------------------------------------------------

AZURE = {"azure_container": "c-1", "account_name": "acc", "account_key": "a2V5"}
# The documentation (azure.html): AZURE_URL_EXPIRATION_SECS is None by default, which gives URLs that do not expire;
# AZURE_OVERWRITE_FILES is False; AZURE_CUSTOM_DOMAIN stands in place of the account's host.
AZURE_TABLE: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    (AZURE, {}, "public", "https://acc.blob.core.windows.net/c-1/"),
    ({**AZURE, "location": "m"}, {}, "public", "https://acc.blob.core.windows.net/c-1/m/"),
    ({**AZURE, "custom_domain": "m.example.com"}, {}, "public", "https://m.example.com/c-1/"),
    ({**AZURE, "expiration_secs": 60}, {}, "signed", "https://acc.blob.core.windows.net/c-1/"),
    (AZURE, {"AZURE_URL_EXPIRATION_SECS": 60}, "signed", "https://acc.blob.core.windows.net/c-1/"),
    ({**AZURE, "expiration_secs": None}, {"AZURE_URL_EXPIRATION_SECS": 60}, "public",
     "https://acc.blob.core.windows.net/c-1/"),
    ({**AZURE, "expiration_secs": 60, "custom_domain": "m.example.com", "location": "m"}, {}, "signed",
     "https://m.example.com/c-1/m/"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "given", "access", "below"), AZURE_TABLE)
def test_azure(options: dict[str, Any], given: dict[str, Any], access: str, below: str) -> None:
    with override_settings(**given):
        storage = AzureMediaStorage(**options)
    url = storage.url("a b.txt")
    assert storage.config.access == access
    assert url.partition("?")[0] == f"{below}a%20b.txt"
    assert ("sig=" in url) == (access == "signed")
    assert storage.config.signed.expires == timedelta(minutes=1 if access == "signed" else 60)
    assert storage.config.overwrite is False


def test_azure_options() -> None:
    assert AzureMediaStorage(**AZURE, overwrite_files=True).config.overwrite is True
    with override_settings(AZURE_OVERWRITE_FILES=True, AZURE_CACHE_CONTROL="max-age=60"):
        config = AzureMediaStorage(**AZURE).config
    assert (config.overwrite, config.cache_control) == (True, "max-age=60")
    token = {"azure_container": "c-1", "account_name": "acc", "sas_token": HIDDEN}
    assert "access is needed with sas_token" in refusal(AzureMediaStorage, token)
    assert AzureMediaStorage(**token, access="private").config.access == "private"
    assert "sent at the same time" in refusal(AzureMediaStorage, {**AZURE, "upload_max_conn": 9})


# SFTP -----------------------------------------------------------------------------------------------------------------


def test_sftp() -> None:
    options = {"host": "web", "root_path": "/srv/media", "params": {"username": "me"}}
    with override_settings(MEDIA_URL="/m/"):
        assert SFTPMediaStorage(**options).url("a.txt") == "/m/a.txt"  # SFTP_BASE_URL or MEDIA_URL
        with override_settings(SFTP_BASE_URL="https://web/m/"):
            storage = SFTPMediaStorage(**options)
            assert storage.url("a.txt") == "https://web/m/a.txt"
    assert place_of(storage).name == "ssh://me@web/srv/media"
    # Theirs never replaces.
    assert (storage.config.overwrite, storage.config.access) == (False, "public")
    given = {"SFTP_STORAGE_HOST": "web", "SFTP_STORAGE_ROOT": "media", "SFTP_STORAGE_FILE_MODE": 0o640}
    with override_settings(**given):
        assert (place_of(SFTPMediaStorage()).root_path, place_of(SFTPMediaStorage()).file_mode) == ("~/media", 0o640)
    assert "SSH logs in with keys" in refusal(SFTPMediaStorage, {**options, "params": {"password": HIDDEN}})
    assert "file_mode says it" in refusal(SFTPMediaStorage, {**options, "file_permissions_mode": 0o640})
    private = SFTPMediaStorage(**options, access="signed", base_url="https://app/m/")
    assert private.url("a.txt").startswith("https://app/m/a.txt?expires=")
