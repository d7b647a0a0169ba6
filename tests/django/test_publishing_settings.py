"""What django-storages' options and settings mean for static files: which store, under which URL, in which form.

The options, their settings and their precedence are those of its documentation of version 1.14
(https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html, gcloud.html, azure.html, sftp.html); the
addresses those that each provider documents, which `shipfiles.django.addresses` cites.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from shipfiles.config import PublishConfig
from shipfiles.django import conf, static_urls
from shipfiles.django.checks.extras import check_extras
from shipfiles.django.storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)
from shipfiles.release.items import Shape
from shipfiles.stores.memory import MemoryStore

KEY = "c2VjcmV0"
AZURE_KEY = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};EndpointSuffix=core.windows.net"
BLOB = "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_")):
            monkeypatch.delenv(name)


def made(kind: type[StaticStorage], options: dict[str, Any], given: dict[str, Any]) -> StaticStorage:
    with override_settings(**given):
        return kind(**options)


def refusal(kind: type[StaticStorage], options: dict[str, Any], given: dict[str, Any] | None = None) -> str:
    with pytest.raises(ImproperlyConfigured) as told, override_settings(**given or {}):
        kind(**options)
    return str(told.value)


def place_of(storage: StaticStorage) -> Any:
    assert storage.remote is not None
    return storage.remote.place


CDN = "https://cdn.example.com/"

S3_TABLE = [
    # The documentation's first example: a bucket and nothing else.
    ({"bucket_name": "my-bucket"}, {}, "s3://my-bucket", "https://my-bucket.s3.amazonaws.com/"),
    ({}, {"AWS_STORAGE_BUCKET_NAME": "my-bucket"}, "s3://my-bucket", "https://my-bucket.s3.amazonaws.com/"),
    # What most tutorials write.
    (
        {},
        {
            "AWS_STORAGE_BUCKET_NAME": "my-bucket",
            "AWS_S3_CUSTOM_DOMAIN": "my-bucket.s3.amazonaws.com",
            "AWS_LOCATION": "static",
            "AWS_DEFAULT_ACL": "public-read",
            "AWS_S3_OBJECT_PARAMETERS": {"CacheControl": "max-age=86400"},
            "AWS_QUERYSTRING_AUTH": True,
            "AWS_QUERYSTRING_EXPIRE": 60,
            "AWS_S3_FILE_OVERWRITE": False,
        },
        "s3://my-bucket/static",
        "https://my-bucket.s3.amazonaws.com/static/",
    ),
    ({"bucket_name": "b-1", "location": "static"}, {}, "s3://b-1/static", "https://b-1.s3.amazonaws.com/static/"),
    ({"bucket_name": "b-1", "location": "static/"}, {}, "s3://b-1/static", "https://b-1.s3.amazonaws.com/static/"),
    ({"bucket_name": "b-1", "location": "a b"}, {}, "s3://b-1/a b", "https://b-1.s3.amazonaws.com/a%20b/"),
    # OPTIONS over settings.
    (
        {"bucket_name": "b-1", "location": "s", "custom_domain": None},
        {"AWS_STORAGE_BUCKET_NAME": "other", "AWS_LOCATION": "media", "AWS_S3_CUSTOM_DOMAIN": "media.example.com"},
        "s3://b-1/s",
        "https://b-1.s3.amazonaws.com/s/",
    ),
    # AWS, Virtual hosting: the region is in the name of the host, except in us-east-1.
    ({"bucket_name": "b-1", "region_name": "us-east-1"}, {}, "s3://b-1", "https://b-1.s3.amazonaws.com/"),
    (
        {"bucket_name": "b-1"},
        {"AWS_S3_REGION_NAME": "eu-central-1"},
        "s3://b-1",
        "https://b-1.s3.eu-central-1.amazonaws.com/",
    ),
    (
        {"bucket_name": "b-1", "region_name": "cn-north-1"},
        {},
        "s3://b-1",
        "https://b-1.s3.cn-north-1.amazonaws.com.cn/",
    ),
    # The same page: no certificate fits a name with a dot, so it is in the path; so is one that asks for it.
    (
        {"bucket_name": "static.example.com", "region_name": "eu-central-1"},
        {},
        "s3://static.example.com",
        "https://s3.eu-central-1.amazonaws.com/static.example.com/",
    ),
    (
        {"bucket_name": "b-1", "region_name": "eu-west-1", "addressing_style": "path"},
        {},
        "s3://b-1",
        "https://s3.eu-west-1.amazonaws.com/b-1/",
    ),
    # DigitalOcean, as its own tutorial has it; with the CDN; with the bucket in the host.
    (
        {},
        {
            "AWS_STORAGE_BUCKET_NAME": "space",
            "AWS_S3_ENDPOINT_URL": "https://nyc3.digitaloceanspaces.com",
            "AWS_LOCATION": "static",
        },
        "s3://space/static",
        "https://nyc3.digitaloceanspaces.com/space/static/",
    ),
    (
        {"bucket_name": "space", "custom_domain": "space.nyc3.cdn.digitaloceanspaces.com", "location": "static"},
        {"AWS_S3_ENDPOINT_URL": "https://nyc3.digitaloceanspaces.com"},
        "s3://space/static",
        "https://space.nyc3.cdn.digitaloceanspaces.com/static/",
    ),
    (
        {"bucket_name": "space", "addressing_style": "virtual"},
        {"AWS_S3_ENDPOINT_URL": "https://nyc3.digitaloceanspaces.com"},
        "s3://space",
        "https://space.nyc3.digitaloceanspaces.com/",
    ),
    # A provider of ours needs no address.
    (
        {"bucket_name": "b-1", "provider": "wasabi", "region_name": "eu-central-1"},
        {},
        "s3://b-1",
        "https://s3.eu-central-1.wasabisys.com/b-1/",
    ),
    # MinIO in a container, with a public name of its own.
    (
        {"bucket_name": "b-1", "endpoint_url": "http://minio:9000", "custom_domain": "localhost:9000/b-1"},
        {"AWS_S3_URL_PROTOCOL": "http:"},
        "s3://b-1",
        "http://localhost:9000/b-1/",
    ),
    # CloudFront.
    (
        {"bucket_name": "b-1", "custom_domain": "d111111abcdef8.cloudfront.net"},
        {},
        "s3://b-1",
        "https://d111111abcdef8.cloudfront.net/",
    ),
    ({"bucket_name": "b-1", "custom_domain": "cdn.example.com", "location": "s"}, {}, "s3://b-1/s", f"{CDN}s/"),
    ({"bucket_name": "b-1", "custom_domain": "cdn.example.com", "url_protocol": "http:"}, {}, "s3://b-1",
     "http" + CDN[5:]),
    ({"bucket_name": "b-1", "custom_domain": "cdn.example.com", "url_protocol": ""}, {}, "s3://b-1", CDN[6:]),
    ({"bucket_name": "b-1", "custom_domain": "cdn.example.com"}, {"AWS_S3_URL_PROTOCOL": ""}, "s3://b-1", CDN),
    # Cloudflare R2 answers browsers at a domain alone.
    (
        {"bucket_name": "b-1", "custom_domain": "cdn.example.com"},
        {"AWS_S3_ENDPOINT_URL": "https://0123.r2.cloudflarestorage.com"},
        "s3://b-1",
        CDN,
    ),
    # As projects in public repositories have it: with everything said; with MinIO behind nginx; of a template.
    (
        {
            "bucket_name": "b-1", "endpoint_url": "https://0123.r2.cloudflarestorage.com", "access_key": "a",
            "secret_key": "s", "region_name": "auto", "location": "", "file_overwrite": True, "default_acl": None,
            "querystring_auth": False, "custom_domain": "static.example.com",
        },
        {},
        "s3://b-1",
        "https://static.example.com/",
    ),
    (
        {
            "bucket_name": "b-1", "endpoint_url": "http://minio:9000", "addressing_style": "path", "verify": True,
            "custom_domain": "localhost:8081", "url_protocol": "http:", "signature_version": "s3v4",
        },
        {},
        "s3://b-1",
        "http://localhost:8081/",
    ),
    (
        {"location": "static", "default_acl": "public-read"},
        {
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_STORAGE_BUCKET_NAME": "b-1",
            "AWS_QUERYSTRING_AUTH": False, "AWS_S3_MAX_MEMORY_SIZE": 100_000_000, "AWS_S3_REGION_NAME": None,
            "AWS_S3_CUSTOM_DOMAIN": None,
            "AWS_S3_OBJECT_PARAMETERS": {"CacheControl": "max-age=604800, s-maxage=604800, must-revalidate"},
        },
        "s3://b-1/static",
        "https://b-1.s3.amazonaws.com/static/",
    ),
    ({"bucket_name": "b-1", "custom_domain": False}, {}, "s3://b-1", "https://b-1.s3.amazonaws.com/"),
    # Our own option counts more than all of theirs.
    (
        {"bucket_name": "b-1", "location": "s", "base_url": "https://www.example.com/assets"},
        {"AWS_S3_CUSTOM_DOMAIN": "cdn.example.com"},
        "s3://b-1/s",
        "https://www.example.com/assets/",
    ),
]  # fmt: skip

GOOGLE_TABLE = [
    ({"bucket_name": "b-1"}, {}, "gs://b-1", "https://storage.googleapis.com/b-1/"),
    (
        {},
        {
            "GS_BUCKET_NAME": "b-1",
            "GS_LOCATION": "static",
            "GS_DEFAULT_ACL": "publicRead",
            "GS_QUERYSTRING_AUTH": True,
            "GS_EXPIRATION": 60,
            "GS_FILE_OVERWRITE": False,
        },
        "gs://b-1/static",
        "https://storage.googleapis.com/b-1/static/",
    ),
    ({"bucket_name": "b-1", "querystring_auth": False, "default_acl": None}, {}, "gs://b-1",
     "https://storage.googleapis.com/b-1/"),
    # As documented it takes the place of the host and the bucket.
    ({"bucket_name": "b-1", "location": "s"}, {"GS_CUSTOM_ENDPOINT": "https://cdn.example.com"}, "gs://b-1/s",
     f"{CDN}s/"),
    ({"bucket_name": "b-1", "endpoint_url": "http://127.0.0.1:4443"}, {}, "gs://b-1", "http://127.0.0.1:4443/b-1/"),
]  # fmt: skip

AZURE_TABLE = [
    (
        {},
        {"AZURE_ACCOUNT_NAME": "acc", "AZURE_ACCOUNT_KEY": KEY, "AZURE_CONTAINER": "static"},
        "az://static",
        "https://acc.blob.core.windows.net/static/",
    ),
    (
        {"azure_container": "static", "location": "s", "custom_domain": "cdn.example.com"},
        {"AZURE_ACCOUNT_NAME": "acc", "AZURE_ACCOUNT_KEY": KEY, "AZURE_OVERWRITE_FILES": True},
        "az://static/s",
        f"{CDN}static/s/",
    ),
    ({"azure_container": "$web", "connection_string": AZURE_KEY}, {}, "az://$web",
     "https://acc.blob.core.windows.net/$web/"),
    # Of several credentials the first, and the account that is in it.
    (
        {"azure_container": "static", "connection_string": f"AccountName=devstoreaccount1;AccountKey={KEY};{BLOB}"},
        {"AZURE_ACCOUNT_KEY": KEY, "AZURE_ACCOUNT_NAME": "other", "AZURE_SAS_TOKEN": "sv=1"},
        "az://static",
        "http://127.0.0.1:10000/devstoreaccount1/static/",
    ),
    (
        {"azure_container": "static", "account_name": "acc", "azure_ssl": False, "custom_domain": "cdn.example.com"},
        {"AZURE_ACCOUNT_KEY": KEY},
        "az://static",
        "http://cdn.example.com/static/",
    ),
    (
        {"azure_container": "static", "account_name": "acc"},
        {"AZURE_ENDPOINT_SUFFIX": "core.chinacloudapi.cn"},
        "az://static",
        "https://acc.blob.core.chinacloudapi.cn/static/",
    ),
]  # fmt: skip

SFTP_TABLE = [
    ({"host": "www1", "root_path": "/srv/static/"}, {}, "ssh://www1/srv/static", "/static/"),
    (
        {"base_url": "https://static.example.com"},
        {
            "SFTP_STORAGE_HOST": "www1",
            "SFTP_STORAGE_ROOT": "static/",
            "SFTP_STORAGE_PARAMS": {"username": "deploy", "port": 2222, "key_filename": "/key", "allow_agent": True},
        },
        "ssh://deploy@www1:2222/~/static",
        "https://static.example.com/",
    ),
    ({"host": "www1", "root_path": "/srv"}, {"SFTP_BASE_URL": "https://s.example.com/"}, "ssh://www1/srv",
     "https://s.example.com/"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options", "given", "store", "url"),
    [
        (kind, *case)
        for kind, table in (
            (S3StaticStorage, S3_TABLE),
            (GoogleStaticStorage, GOOGLE_TABLE),
            (AzureStaticStorage, AZURE_TABLE),
            (SFTPStaticStorage, SFTP_TABLE),
        )
        for case in table
    ],
)
def test_store_and_url(
    project: Path, kind: type[StaticStorage], options: dict[str, Any], given: dict[str, Any], store: str, url: str
) -> None:
    storage = made(kind, options, given)
    with override_settings(**given):
        assert place_of(storage).name == store
        assert storage.base_url == url
        (target,) = conf.targets(storage.config)
        assert str(target) == store
        # Releases are built where they always were.
        assert storage.store.root == str(project / "root")


def keys(options: dict[str, Any], given: dict[str, Any]) -> tuple[object, ...]:
    place = place_of(made(S3StaticStorage, {"bucket_name": "b-1", **options}, given))
    return place.access_key, place.secret_key, place.security_token, place.session_profile


def test_credentials_of_s3_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"AWS_ACCESS_KEY_ID": "general", "AWS_SECRET_ACCESS_KEY": "g"}
    own = {"AWS_S3_ACCESS_KEY_ID": "own", "AWS_S3_SECRET_ACCESS_KEY": "o"}
    assert keys({}, {}) == (None, None, None, None)
    assert keys({}, both) == ("general", "g", None, None)
    assert keys({}, both | own) == ("own", "o", None, None)
    assert keys({"access_key": "option", "secret_key": "p"}, both | own) == ("option", "p", None, None)
    # The first setting that is there counts, whatever its value: then boto3 looks around, and so does obstore.
    assert keys({}, both | {"AWS_S3_ACCESS_KEY_ID": None, "AWS_S3_SECRET_ACCESS_KEY": None})[:2] == (None, None)
    assert keys({}, both | {"AWS_SESSION_TOKEN": "t", "AWS_SECURITY_TOKEN": "u"})[2] == "t"
    assert keys({}, {"AWS_S3_SESSION_PROFILE": "deploy"})[3] == "deploy"
    assert keys({"session_profile": "mine"}, {"AWS_S3_SESSION_PROFILE": "deploy"})[3] == "mine"

    for name, value in {"AWS_S3_ACCESS_KEY_ID": "env", "AWS_S3_SECRET_ACCESS_KEY": "e"}.items():
        monkeypatch.setenv(name, value)
    assert keys({}, {})[:2] == ("env", "e")
    assert keys({}, both)[:2] == ("general", "g")
    assert keys({"session_profile": "mine"}, {}) == (None, None, None, "mine")


def test_a_token_goes_with_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t"}.items():
        monkeypatch.setenv(name, value)
    # What is in the environment alone the client of the store finds by itself.
    assert keys({}, {}) == (None, None, None, None)
    # A pair of which the settings have one half.
    assert keys({}, {"AWS_SECRET_ACCESS_KEY": "half"}) == ("env", "half", "t", None)
    # Settings that take a part of it from there need the rest.
    assert keys({}, {"AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "e"})[2] == "t"
    assert keys({}, {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "o"})[2] is None


def test_credentials_of_azure_in_their_order() -> None:
    every = {"AZURE_ACCOUNT_KEY": KEY, "AZURE_SAS_TOKEN": "sv=1", "AZURE_TOKEN_CREDENTIAL": object()}
    options = {"azure_container": "static", "account_name": "acc"}
    place = place_of(made(AzureStaticStorage, options, every))
    assert (place.account_key, place.sas_token, place.token_credential) == (KEY, None, None)
    place = place_of(made(AzureStaticStorage, options, every | {"AZURE_ACCOUNT_KEY": None}))
    assert (place.account_key, place.sas_token, place.token_credential) == (None, "sv=1", None)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (
            S3StaticStorage,
            {"querystring_auth": True},
            r"\['querystring_auth'\] is not honoured: static files are public",
        ),
        (S3StaticStorage, {"cloudfront_key_id": "K"}, r"\['cloudfront_key_id'\] is not honoured"),
        (S3StaticStorage, {"file_overwrite": False}, r"\['file_overwrite'\] is not honoured: .* Leave it out"),
        (S3StaticStorage, {"client_config": object()}, r"it is boto3's.* Use addressing_style"),
        (S3StaticStorage, {"transfer_config": object()}, r"Use OPTIONS\['publish'\]\['at_once'\]"),
        (S3StaticStorage, {"proxies": {"https": "http://user:hush@p"}}, r"Set HTTPS_PROXY"),
        (S3StaticStorage, {"signature_version": "s3"}, "signed with version 4"),
        (S3StaticStorage, {"gzip_content_types": ["text/css"]}, r"\['compress'\]\['skip_extensions'\]"),
        (S3StaticStorage, {"custom_domian": "x"}, r"is not an option. Did you mean 'custom_domain'"),
        (S3StaticStorage, {"serv": {}}, r"\['serv'\] is not an option. Did you mean 'serve'"),
        (S3StaticStorage, {"object_parameters": {"ContentEncoding": "gzip"}}, "cannot be the same for all files"),
        (S3StaticStorage, {"object_parameters": {"Expires": "x"}}, "is none that an object gets here"),
        (S3StaticStorage, {"custom_domain": "cdn.example.com?x"}, "is not the name of a host"),
        (S3StaticStorage, {"custom_domain": "ftp://cdn.example.com"}, "must be 'https:' or 'http:'"),
        (S3StaticStorage, {"custom_domain": "u:hush@cdn.example.com"}, "is not the name of a host"),
        (S3StaticStorage, {"secret_key": 5, "access_key": "a"}, r"\['secret_key'\] must be a string"),
        (
            S3StaticStorage,
            {"endpoint_url": "https://0.r2.cloudflarestorage.com"},
            "custom_domain is needed: Cloud",
        ),
        (S3StaticStorage, {"gzip": True, "publish": {"coding": "br"}}, "contradict each other"),
        (S3StaticStorage, {"gzip": True, "compress": {"codings": ["br"]}}, "not among compress.codings"),
        (S3StaticStorage, {"publish": {"to": "s3://b-1"}}, "to which releases are sent already"),
        (GoogleStaticStorage, {"querystring_auth": True}, "static files are public"),
        (GoogleStaticStorage, {"expiration": 60}, "static files are public"),
        (GoogleStaticStorage, {"default_acl": "public"}, "must be one of"),
        (AzureStaticStorage, {"expiration_secs": 60}, "static files are public"),
        (AzureStaticStorage, {"timeout": 60}, r"OPTIONS\['limits'\]"),
        (AzureStaticStorage, {"client_options": {"retry_total": 1}}, "Azure's own client"),
        (SFTPStaticStorage, {"interactive": True}, "logs in with keys"),
        (SFTPStaticStorage, {"uid": 5}, "Log in as their owner"),
        (SFTPStaticStorage, {"params": {"password": "hush"}}, r"params\['password'\] is not honoured"),
        (SFTPStaticStorage, {"root_path": ""}, "must be the path of a folder"),
        (SFTPStaticStorage, {"location": "static"}, r"\['location'\] is not an option"),
    ],
)
def test_what_is_refused(kind: type[StaticStorage], options: dict[str, Any], words: str) -> None:
    needed: dict[Any, dict[str, Any]] = {
        S3StaticStorage: {"bucket_name": "b-1"},
        GoogleStaticStorage: {"bucket_name": "b-1"},
        AzureStaticStorage: {"azure_container": "static", "account_name": "acc"},
        SFTPStaticStorage: {"host": "www1", "root_path": "/srv/static"},
    }
    with pytest.raises(ImproperlyConfigured, match=words) as told:
        conf.targets(kind(**needed[kind] | options).config)
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (
            S3StaticStorage,
            {
                "bucket_name": "b-1", "querystring_auth": False, "querystring_expire": 3600, "file_overwrite": True,
                "signature_version": "s3v4", "max_memory_size": 0, "use_threads": True, "proxies": None,
                "client_config": None, "transfer_config": None, "cloudfront_key": None, "file_name_charset": "utf-8",
                "security_token": "", "endpoint_url": None, "default_acl": None, "object_parameters": {},
                "gzip_content_types": [
                    "text/css", "text/javascript", "application/javascript", "application/x-javascript",
                    "image/svg+xml",
                ],
            },
        ),
        (GoogleStaticStorage, {"bucket_name": "b-1", "iam_sign_blob": False, "sa_email": None, "expiration": None}),
        (
            AzureStaticStorage,
            {"azure_container": "static", "account_name": "acc", "overwrite_files": False, "upload_max_conn": 2},
        ),
        (SFTPStaticStorage, {"host": "www1", "root_path": "/srv", "interactive": False, "params": {}}),
    ],
)  # fmt: skip
def test_what_asks_for_nothing(kind: type[StaticStorage], options: dict[str, Any]) -> None:
    assert kind(**options).remote is not None


def test_where_a_wrong_value_was_read() -> None:
    assert "bucket_name from AWS_STORAGE_BUCKET_NAME" in refusal(S3StaticStorage, {}, {"AWS_STORAGE_BUCKET_NAME": "a!"})
    assert "Or set AWS_STORAGE_BUCKET_NAME." in refusal(S3StaticStorage, {})
    r2 = {"AWS_DEFAULT_ACL": "public-read", "AWS_S3_ENDPOINT_URL": "https://0.r2.cloudflarestorage.com"}
    assert "default_acl from AWS_DEFAULT_ACL" in refusal(S3StaticStorage, {"bucket_name": "b-1"}, r2)


class OfTheProject(S3StaticStorage):
    bucket_name = "of-the-class"
    location = "static"
    default_acl = "public-read"


def test_attributes_of_a_class() -> None:
    given = {"AWS_STORAGE_BUCKET_NAME": "of-the-settings", "AWS_LOCATION": "media"}
    storage = made(OfTheProject, {}, given)
    assert place_of(storage).name == "s3://of-the-class/static"
    assert place_of(storage).default_acl == "public-read"
    assert place_of(made(OfTheProject, {"bucket_name": "of-the-options"}, given)).name == "s3://of-the-options/static"


def test_attributes_that_do_nothing_here() -> None:
    """As for an option: what asks for nothing is fine, and what the options say counts more."""

    class Signed(S3StaticStorage):
        querystring_auth = True

    class Unsigned(Signed):
        querystring_auth = False

    given = {"bucket_name": "b-1"}
    assert "Signed.querystring_auth is not honoured: static files are public" in refusal(Signed, given)
    assert place_of(made(Unsigned, given, {})).name == "s3://b-1"
    assert place_of(made(Signed, {**given, "querystring_auth": False}, {})).name == "s3://b-1"


def test_what_a_class_has_that_nobody_asks() -> None:
    """Of django-storages' own documentation: parameters of each object, and defaults of a class."""

    class Parameters(S3StaticStorage):
        def get_object_parameters(self, name: str) -> dict[str, str]:
            return {"CacheControl": "max-age=9"}

    class Defaults(GoogleStaticStorage):
        def get_default_settings(self) -> dict[str, object]:
            return {"location": "static"}

    class Location(S3StaticStorage):
        @property
        def location(self) -> str:
            return "static"

    given = {"bucket_name": "b-1"}
    assert "Parameters.get_object_parameters() would never be called. OPTIONS['serve']" in refusal(Parameters, given)
    assert "Defaults.get_default_settings() would never be called" in refusal(Defaults, given)
    assert "Location.location must be a value" in refusal(Location, given)


def test_one_coding_is_stored() -> None:
    def coding(options: dict[str, Any], given: dict[str, Any]) -> str:
        with override_settings(**given):
            (target,) = conf.targets(S3StaticStorage(bucket_name="b-1", **options).config)
        return target.shape.coding

    assert coding({}, {}) == ""
    assert coding({"gzip": True}, {}) == "gzip"
    assert coding({}, {"AWS_IS_GZIPPED": True}) == "gzip"
    assert coding({"gzip": False}, {"AWS_IS_GZIPPED": True}) == ""
    assert coding({"publish": {"coding": "br"}}, {"AWS_IS_GZIPPED": True}) == "br"
    assert coding({"publish": PublishConfig(at_once=2)}, {"AWS_IS_GZIPPED": True}) == "gzip"


def test_a_cache_control_is_that_of_plain_names() -> None:
    def headers(options: dict[str, Any], given: dict[str, Any]) -> object:
        storage = made(S3StaticStorage, {"bucket_name": "b-1", **options}, given)
        assert "CacheControl" not in place_of(storage).object_parameters
        return storage.config.serve.default_headers.get("Cache-Control")

    day = {"CacheControl": "max-age=86400", "StorageClass": "STANDARD_IA"}
    assert headers({}, {}) is None
    assert headers({"object_parameters": day}, {}) == "max-age=86400"
    assert headers({}, {"AWS_S3_OBJECT_PARAMETERS": day}) == "max-age=86400"
    assert headers({"serve": {"max_age": 5}}, {"AWS_S3_OBJECT_PARAMETERS": day}) is None
    storage = made(S3StaticStorage, {"bucket_name": "b-1", "object_parameters": day}, {})
    assert place_of(storage).fields == {"Storage-Class": "STANDARD_IA"}
    options = {"azure_container": "static", "account_name": "acc"}
    azure = made(AzureStaticStorage, options, {"AZURE_CACHE_CONTROL": "public, max-age=5"})
    assert azure.config.serve.default_headers["Cache-Control"] == "public, max-age=5"
    google = made(GoogleStaticStorage, {"bucket_name": "b-1", "object_parameters": {"cache_control": "no-cache"}}, {})
    assert google.config.serve.default_headers["Cache-Control"] == "no-cache"


# Targets.


def test_several_stores(tmp_path: Path) -> None:
    memory = MemoryStore()
    to = [
        {"url": "s3://b-1/static", "region_name": "eu-west-1", "hashed_only": True, "at_once": 8},
        {"url": "ssh://deploy@www1/srv/static", "django_manifest": ""},
        {"url": "ssh://www2/srv/static", "variants": False},
        tmp_path / "copy",
        memory,
    ]
    storage = StaticStorage(publish={"to": to, "django_manifest": "{release}/staticfiles.json"})
    found = conf.targets(storage.config)
    assert [str(target) for target in found[:3]] == [
        "s3://b-1/static", "ssh://deploy@www1/srv/static", "ssh://www2/srv/static",
    ]  # fmt: skip
    assert [target.shape for target in found] == [
        Shape(hashed_only=True), Shape(variants=True), Shape(), Shape(variants=True), Shape(),
    ]  # fmt: skip
    assert [target.at_once for target in found] == [8, 64, 64, 64, 64]
    each = "{release}/staticfiles.json"
    assert [target.django_manifest for target in found] == [each, "", each, each, each]
    assert found[4].store is memory
    assert storage.remote is None
    assert conf.targets(StaticStorage().config) == ()
    # The first is the one that releases are used from.
    both = conf.targets(S3StaticStorage(bucket_name="b-2", publish={"to": memory}).config)
    assert [str(both[0]), both[1].store] == ["s3://b-2", memory]


def test_stores_that_cannot_be(project: Path) -> None:
    def error(to: object, **options: Any) -> str:
        with pytest.raises(ImproperlyConfigured) as told:
            conf.targets(StaticStorage(publish={"to": to}, **options).config)
        assert "hush" not in str(told.value)
        return str(told.value)

    assert "OPTIONS['publish']['to'][0] is the folder in which" in error(str(project / "root"))
    assert "['to'][1] is s3://b-1, to which" in error(["s3://b-1", {"url": "s3://b-1", "region_name": "eu-west-1"}])
    assert "['to'][0]: there is no store for ftp://" in error("ftp://host/x")
    assert "credentials do not belong in the URL" in error("s3://key:hush@b-1")
    assert "['to'][0]['secret_kye'] is not an option" in error({"url": "s3://b-1", "secret_kye": "hush"})
    assert "['secret_key'] must be a string" in error({"url": "s3://b-1", "secret_key": b"hush"})
    assert "['to'][0]: publish.at_once must be from 1 to 256" in error({"url": "s3://b-1", "at_once": 999})
    assert "not among compress.codings" in error({"url": "s3://b-1", "coding": "br"}, compress={"codings": ["gzip"]})


def test_no_client_of_a_store_is_loaded(project: Path) -> None:
    """Whoever only names files needs none of them, nor has them installed."""
    code = """
import sys
from django.conf import settings
settings.configure(STATIC_URL="/static/")
from shipfiles.django import conf
from shipfiles.django.storage import *
from shipfiles.django.storage import S3StaticStorage, GoogleStaticStorage, AzureStaticStorage, SFTPStaticStorage
for storage in (
    S3StaticStorage(bucket_name="b-1"), GoogleStaticStorage(bucket_name="b-1"),
    AzureStaticStorage(azure_container="static", account_name="acc"), SFTPStaticStorage(host="h", root_path="/srv"),
):
    storage.base_url
    conf.targets(storage.config)
print(sorted({"obstore", "google.cloud", "asyncssh", "boto3", "shipfiles.build.pipeline"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_copies_are_the_same(project: Path) -> None:
    storage = S3StaticStorage(bucket_name="b-1", access_key="a", secret_key="s")
    assert place_of(pickle.loads(pickle.dumps(storage))) == place_of(storage)
    assert copy.deepcopy(storage).remote is storage.remote


# Where it is built, and where it is.


def test_the_folder_of_a_build_without_a_static_root(project: Path) -> None:
    with override_settings(STATIC_ROOT=None):
        assert S3StaticStorage(bucket_name="b-1").store.root == str(project / ".cache/shipfiles/static")
        elsewhere = S3StaticStorage(bucket_name="b-1", cache={"folder": "kept"})
        assert elsewhere.store.root == str(project / "kept/static")
        without = S3StaticStorage(bucket_name="b-1", cache={"enabled": False})
        with pytest.raises(ImproperlyConfigured, match="no folder in which a release for s3://b-1 can be built"):
            _ = without.store
        assert without.base_url == "https://b-1.s3.amazonaws.com/"


def test_references_that_were_written_for_the_site() -> None:
    def site_url(static_url: str, **options: Any) -> str:
        with override_settings(STATIC_URL=static_url):
            return static_urls.site_url(S3StaticStorage(bucket_name="b-1", **options).config)

    assert site_url("/static/") == "/static/"
    assert site_url("static/") == "/static/"
    assert site_url("/static/", location="static") == ""  # the path is the same there
    assert site_url("/static/", base_url="/static/") == ""
    assert site_url("https://cdn.example.com/static/", location="static") == ""
    assert site_url("https://b-1.s3.amazonaws.com/") == "https://b-1.s3.amazonaws.com/"
    assert static_urls.site_url(SFTPStaticStorage(host="www1", root_path="/srv").config) == ""
    assert static_urls.site_url(StaticStorage(base_url="https://cdn.example.com/assets/").config) == ""


# System checks.

MIDDLEWARE = "shipfiles.django.middleware.ShipfilesMiddleware"


def checked(backend: str, options: dict[str, Any], *, deploy: bool = True, **given: Any) -> dict[str, str]:
    storages = {**settings.STORAGES, "staticfiles": {"BACKEND": f"shipfiles.django.storage.{backend}"}}
    storages["staticfiles"]["OPTIONS"] = options
    with override_settings(**{"STORAGES": storages, "MIDDLEWARE": [], **given}):
        found = run_checks(tags=["staticfiles"], include_deployment_checks=deploy)
        assert all(m.hint for m in found if m.id != "shipfiles.E010")
        return {str(m.id).removeprefix("shipfiles."): m.msg for m in found}


def test_sound_settings_are_told_nothing(project: Path) -> None:
    for _, given, *_ in S3_TABLE[1:3]:
        assert checked("S3StaticStorage", {}, **given) == {}
    for _, given, *_ in GOOGLE_TABLE[1:2]:
        assert checked("GoogleStaticStorage", {}, **given) == {}
    assert checked("S3StaticStorage", {"bucket_name": "b-1"}, STATIC_ROOT=None) == {}


def test_settings_of_media_files_are_not_for_us(project: Path) -> None:
    media = {
        "AWS_QUERYSTRING_AUTH": True, "AWS_QUERYSTRING_EXPIRE": 5, "AWS_S3_FILE_OVERWRITE": False,
        "AWS_CLOUDFRONT_KEY": "-----BEGIN", "AWS_CLOUDFRONT_KEY_ID": "K", "AWS_S3_MAX_MEMORY_SIZE": 9,
    }  # fmt: skip
    assert checked("S3StaticStorage", {"bucket_name": "b-1"}, **media) == {}


def test_settings_that_would_matter_are_told(project: Path) -> None:
    found = checked(
        "S3StaticStorage", {"bucket_name": "b-1"}, deploy=False, AWS_S3_PROXIES={"https": "http://u:hush@proxy"}
    )
    assert list(found) == ["W023"]
    assert found["W023"].startswith("AWS_S3_PROXIES is not heeded for static files: ")
    assert "hush" not in found["W023"]
    types = {"GZIP_CONTENT_TYPES": ["text/css"]}
    assert list(checked("S3StaticStorage", {"bucket_name": "b-1", "gzip": True}, **types)) == ["W023"]
    assert list(checked("S3StaticStorage", {"bucket_name": "b-1"}, **types)) == []
    options = {"host": "www1", "root_path": "/srv"}
    assert list(checked("SFTPStaticStorage", options, SFTP_STORAGE_UID=5)) == ["W023"]
    assert list(checked("SFTPStaticStorage", options, SFTP_STORAGE_PARAMS={"password": "hush"})) == ["W023"]


@pytest.mark.parametrize(
    ("backend", "options", "fault", "url"),
    [
        ("S3StaticStorage", {"bucket_name": "b-1", "custom_domain": "cdn.example.com/"}, "a closing slash", CDN),
        ("S3StaticStorage", {"bucket_name": "b-1", "custom_domain": "https://cdn.example.com"}, "a scheme", CDN),
        ("S3StaticStorage", {"bucket_name": "b-1", "custom_domain": "http://cdn.example.com/"},
         "a scheme and a closing slash", "http" + CDN[5:]),
        ("GoogleStaticStorage", {"bucket_name": "b-1", "custom_endpoint": "https://cdn.example.com/"},
         "a closing slash", CDN),
        ("GoogleStaticStorage", {"bucket_name": "b-1", "custom_endpoint": "cdn.example.com"}, "no scheme", CDN),
        ("AzureStaticStorage", {"azure_container": "static", "account_name": "acc",
                                "custom_domain": "https://cdn.example.com/"}, "a scheme and a closing slash",
         f"{CDN}static/"),
    ],
)  # fmt: skip
def test_a_domain_that_is_more_than_one(
    project: Path, backend: str, options: dict[str, Any], fault: str, url: str
) -> None:
    found = checked(backend, options, deploy=False)
    assert list(found) == ["W024"]
    assert found["W024"].endswith(f" has {fault}; files are at {url}.")


def test_a_long_life_under_plain_names(project: Path) -> None:
    def told(control: str) -> list[str]:
        return list(checked("S3StaticStorage", {"bucket_name": "b-1", "object_parameters": {"CacheControl": control}}))

    assert told("max-age=86400") == []
    assert told("public, max-age=31536000") == ["W025"]
    assert told("max-age=60, immutable") == ["W025"]


@pytest.mark.parametrize(
    ("backend", "options", "module", "message", "extra"),
    [
        ("S3StaticStorage", {"bucket_name": "b-1"}, "obstore", "E026", "s3"),
        ("S3StaticStorage", {"bucket_name": "b-1", "session_profile": "deploy"}, "boto3", "E026", "aws"),
        ("GoogleStaticStorage", {"bucket_name": "b-1"}, "google.cloud.storage", "E026", "google"),
        ("SFTPStaticStorage", {"host": "web", "root_path": "/srv/static"}, "asyncssh", "E026", "ssh"),
        ("StaticStorage", {"serve": {"pull_from": "s3://b-1"}}, "obstore", "E026", "s3"),
        ("StaticStorage", {"publish": {"to": "s3://b-1"}}, "obstore", "W027", "s3"),
    ],
)
def test_an_extra_that_is_not_installed(
    project: Path, monkeypatch: pytest.MonkeyPatch, backend: str, options: dict[str, Any], module: str, message: str,
    extra: str,
) -> None:  # fmt: skip
    assert not {"E026", "W027"} & checked(backend, options).keys()
    # https://docs.python.org/3/reference/import.html#the-module-cache: so a module cannot be found.
    monkeypatch.setitem(sys.modules, module, None)
    assert f"needs {module}, which is not installed" in checked(backend, options)[message]
    assert not {"E026", "W027"} & checked(backend, options, deploy=False).keys()
    with override_settings(
        STORAGES={"staticfiles": {"BACKEND": f"shipfiles.django.storage.{backend}", "OPTIONS": options}}
    ):
        (found,) = check_extras()
        assert f"pip install 'shipfiles[{extra}]'" in str(found.hint)


def test_the_middleware_in_vain(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**serve: Any) -> list[str]:
        return list(checked("S3StaticStorage", {"bucket_name": "b-1", "serve": serve}, MIDDLEWARE=[MIDDLEWARE]))

    assert told() == ["W022"]
    assert told(root_files={"/favicon.ico": "favicon.ico"}) == []
    monkeypatch.setattr("shipfiles.django.checks.middleware.has_static_app", lambda: True)
    found = checked("S3StaticStorage", {"bucket_name": "b-1"})
    assert found["W022"].startswith("A StaticApp is in wsgi.py or asgi.py, but browsers fetch static files from https")


def test_other_checks_know_of_stores(project: Path) -> None:
    assert list(checked("S3StaticStorage", {})) == ["E010"]
    assert list(checked("S3StaticStorage", {"bucket_name": "b-1", "publish": {"to": "s3://b-1"}})) == ["E010"]
    options = {"bucket_name": "b-1", "custom_domain": "cdn.example.com"}
    assert list(checked("S3StaticStorage", options, STATIC_URL="https://other.example.com/static/")) == ["W003"]
    assert list(checked("S3StaticStorage", {"bucket_name": "b-1", "cache": {"enabled": False}}, STATIC_ROOT=None)) == [
        "W006"
    ]


@pytest.mark.parametrize(
    ("options", "codings"),
    [
        ({}, ()),
        ({"gzip": True}, ("gzip",)),
        ({"publish": {"coding": "br"}}, ("br",)),
        ({"publish": {"variants": True}}, ("br", "gzip")),
        ({"publish": {"to": "file:///srv/static"}}, ("br", "gzip")),
        ({"compress": {"codings": ["gzip"]}}, ("gzip",)),
        ({"compress": {"codings": []}}, ()),
    ],
)
def test_only_what_somebody_takes_is_compressed(options: dict[str, Any], codings: tuple[str, ...]) -> None:
    assert made(S3StaticStorage, {"bucket_name": "site", **options}, {}).config.compress.codings == codings


def test_for_a_web_server_all_is_compressed() -> None:
    storage = made(SFTPStaticStorage, {"host": "h", "root_path": "/srv", "base_url": "https://h/"}, {})
    assert storage.config.compress.codings == ("br", "gzip")
