"""What the options of object stores mean: which addresses are asked, with which credentials, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from shipfiles.errors import ConfigError
from shipfiles.stores.azure import Azure
from shipfiles.stores.local import LocalStore
from shipfiles.stores.objects import ObjectStore
from shipfiles.stores.opening import open_store
from shipfiles.stores.providers import PROVIDERS, ProviderName
from shipfiles.stores.s3 import S3
from shipfiles.stores.s3_objects import CopyingObjectStore

KEY = {"access_key": "id", "secret_key": "not-to-be-shown"}
ACCOUNT = {"account_name": "name", "account_key": "bm90LXRvLWJlLXNob3du"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of AWS or Azure in the environment, nor at home."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


class Given:
    """In obstore's place: what a store would have been made with."""

    def __init__(self) -> None:
        self._store = self
        self.arguments: tuple[str, ...] = ()
        self.options: dict[str, Any] = {}

    def S3Store(self, *arguments: str, **options: Any) -> None:
        self.arguments, self.options = arguments, options

    AzureStore = S3Store


def given(service: S3 | Azure) -> dict[str, Any]:
    """All that obstore is told, its sections put together."""
    module = Given()
    service.client(module, {}, service.limits)
    options = module.options
    return options | options["config"] | options["client_options"] | options["retry_config"]


@pytest.mark.parametrize(
    ("options", "address", "virtual"),
    [
        ({}, None, True),
        ({"bucket_name": "with.dots"}, None, False),
        ({"addressing_style": "path"}, None, False),
        ({"endpoint_url": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000", False),
        ({"endpoint_url": "https://s3.example.com/"}, "https://s3.example.com", False),
        (
            {"endpoint_url": "https://s3.example.com:8443", "addressing_style": "virtual"},
            "https://bucket.s3.example.com:8443",
            True,
        ),
        # The forms on the pages that shipfiles.stores.providers names.
        ({"provider": "aws"}, None, True),
        ({"provider": "backblaze", "region_name": "us-west-004"}, "https://s3.us-west-004.backblazeb2.com", False),
        ({"provider": "digitalocean", "region_name": "nyc3"}, "https://nyc3.digitaloceanspaces.com", False),
        ({"provider": "hetzner", "region_name": "fsn1"}, "https://fsn1.your-objectstorage.com", False),
        ({"provider": "scaleway", "region_name": "nl-ams"}, "https://s3.nl-ams.scw.cloud", False),
        ({"provider": "wasabi", "region_name": "eu-central-2"}, "https://s3.eu-central-2.wasabisys.com", False),
        (
            {"provider": "cloudflare", "endpoint_url": "https://0123.r2.cloudflarestorage.com"},
            "https://0123.r2.cloudflarestorage.com",
            False,
        ),
    ],
)
def test_where_a_bucket_is_asked(options: dict[str, Any], address: str | None, virtual: bool) -> None:
    told = given(S3(**{"bucket_name": "bucket", **KEY, **options}))
    assert told.get("aws_endpoint_url_s3") == address
    assert told["virtual_hosted_style_request"] is virtual
    assert told["allow_http"] is (address or "").startswith("http:")


def test_the_region_of_cloudflare() -> None:
    assert given(S3("b-1", provider="cloudflare", endpoint_url="https://a.example", **KEY))["region"] == "auto"
    assert given(S3("b-1", region_name="eu-west-1", **KEY))["region"] == "eu-west-1"
    assert "region" not in given(S3("b-1", **KEY))


def test_who_is_sent_a_checksum() -> None:
    sent = {name for name, provider in PROVIDERS.items() if provider.checksum}
    assert sent == {"", "aws"}
    assert given(S3("b-1", **KEY))["checksum_algorithm"] == "sha256"
    assert "checksum_algorithm" not in given(S3("b-1", provider="wasabi", region_name="eu-west-1", **KEY))


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://s3.us-west-004.backblazeb2.com", "backblaze"),
        ("https://0123.eu.r2.cloudflarestorage.com", "cloudflare"),
        ("https://bucket.nyc3.digitaloceanspaces.com", "digitalocean"),
        ("https://hel1.your-objectstorage.com", "hetzner"),
        ("https://s3.pl-waw.scw.cloud", "scaleway"),
        ("https://s3.wasabisys.com", "wasabi"),
        ("https://s3.eu-central-1.amazonaws.com", "aws"),
        ("https://notamazonaws.com", ""),
        ("http://127.0.0.1:9000", ""),
    ],
)
def test_a_provider_is_known_by_its_address(address: str, provider: ProviderName) -> None:
    assert S3("b-1", endpoint_url=address).preset is PROVIDERS[provider]


def test_who_is_trusted_with_conditions() -> None:
    assert {name for name, provider in PROVIDERS.items() if not provider.conditional} == {"backblaze"}
    assert {name for name, provider in PROVIDERS.items() if not provider.proven} == {
        "backblaze", "digitalocean", "wasabi",
    }  # fmt: skip


def test_an_address_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://general.example.com")
    assert S3("b-1").endpoint() == "https://general.example.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
    assert S3("b-1").endpoint() == "https://s3.example.com"
    assert S3("b-1", endpoint_url="https://own.example.com").endpoint() == "https://own.example.com"
    assert S3("b-1", provider="aws").endpoint() is None
    assert S3("b-1", provider="wasabi", region_name="eu-west-1").endpoint() == "https://s3.eu-west-1.wasabisys.com"


def test_keys_are_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    assert given(S3("b-1", **KEY))["credential_provider"]() == {
        "access_key_id": "id", "secret_access_key": "not-to-be-shown", "token": None, "expires_at": None,
    }  # fmt: skip
    assert given(S3("b-1", **KEY, security_token="mine"))["credential_provider"]()["token"] == "mine"


@pytest.mark.parametrize(
    "name", ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"]
)
def test_what_obstore_finds_itself_is_left_to_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "something")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert given(S3("b-1"))["credential_provider"] is None


def test_without_anything_the_role_of_the_machine_is_left_to_obstore() -> None:
    assert given(S3("b-1"))["credential_provider"] is None


def test_encryption_and_certificates(tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"-----BEGIN CERTIFICATE-----")
    told = given(S3("b-1", verify=str(chain), object_parameters={"ServerSideEncryption": "AES256"}, **KEY))
    assert told["root_certificate"] == b"-----BEGIN CERTIFICATE-----"
    assert told["server_side_encryption"] == "AES256"
    assert given(S3("b-1", verify=False, **KEY))["allow_invalid_certificates"] is True
    assert given(S3("b-1", **KEY))["allow_invalid_certificates"] is False
    with pytest.raises(ConfigError, match=r"verify: .*nowhere.pem cannot be read"):
        given(S3("b-1", verify=str(tmp_path / "nowhere.pem"), **KEY))


def test_how_long_a_store_is_waited_for() -> None:
    options = {**KEY, "limits": {"connect": 1, "request": 2.5, "retries": 3, "total": 4}}
    store = open_store("s3://bucket", "here", options)
    assert isinstance(store, ObjectStore)
    told = given(store._service)  # type: ignore[arg-type]
    assert [told[name].total_seconds() for name in ("connect_timeout", "timeout", "retry_timeout")] == [1, 2.5, 4]
    assert told["max_retries"] == 3


R2 = "0123456789abcdef.r2.cloudflarestorage.com"


@pytest.mark.parametrize(
    ("endpoint", "bare"),
    [
        # https://developers.cloudflare.com/r2/api/s3/api/: the dashboard's "S3 API" ends with the bucket
        (f"https://{R2}/example-static", f"https://{R2}"),
        (f"https://{R2}/example-static/static/", f"https://{R2}"),
        # https://docs.digitalocean.com/products/spaces/reference/aws-sdks/: the "Origin Endpoint" begins with it
        ("https://example-static.fra1.digitaloceanspaces.com", "https://fra1.digitaloceanspaces.com"),
        ("https://EXAMPLE-static.s3.fr-par.scw.cloud/", "https://s3.fr-par.scw.cloud"),
        ("http://example-static.minio.example.com:9000", "http://minio.example.com:9000"),
        ("https://example.com/storage/v1/s3/example-static", "https://example.com/storage/v1/s3"),
    ],
)
def test_a_bucket_in_the_endpoint(endpoint: str, bare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=f"^endpoint_url holds .* write '{re.escape(bare)}' instead"):
        S3("example-static", endpoint_url=endpoint)
    assert S3("example-static", endpoint_url=bare).endpoint() == bare
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(ConfigError, match=r"^AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL holds the name of the bucket"):
        S3("example-static")


@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [
        ("fra1", "https://fra1.digitaloceanspaces.com"),
        ("0123456789abcdef", f"https://{R2}"),
        ("static", "https://static-files.example.com/statics"),
        ("127", "http://127.0.0.1:9000"),
    ],
)
def test_a_bucket_that_only_seems_to_be_in_the_endpoint(bucket: str, endpoint: str) -> None:
    assert S3(bucket, endpoint_url=endpoint).endpoint() == endpoint


def test_a_bucket_named_like_the_store_of_ones_own() -> None:
    """Only who has set up the server can know; a provider's addresses are known."""
    own = "https://static.example.com"
    with pytest.raises(ConfigError, match="If that is the store's own address, set addressing_style to 'path'"):
        S3("static", endpoint_url=own)
    assert S3("static", endpoint_url=own, addressing_style="path").endpoint() == own
    with pytest.raises(ConfigError, match=r"instead of 'https://[^']*'\.$"):
        S3("static", endpoint_url="https://static.fra1.digitaloceanspaces.com", addressing_style="path")


@pytest.mark.parametrize(
    ("options", "endpoint", "how"),
    [
        (ACCOUNT, "https://name.blob.core.windows.net", "access_key"),
        ({"account_name": "name", "sas_token": "?sv=1&sig=x"}, "https://name.blob.core.windows.net", "sas_token"),
        (
            {**ACCOUNT, "endpoint_suffix": "core.chinacloudapi.cn"},
            "https://name.blob.core.chinacloudapi.cn",
            "access_key",
        ),
        ({**ACCOUNT, "azure_ssl": False}, "http://name.blob.core.windows.net", "access_key"),
        ({**ACCOUNT, "endpoint_url": "http://127.0.0.1:10000/name"}, "http://127.0.0.1:10000/name", "access_key"),
        (
            {
                "connection_string": "DefaultEndpointsProtocol=https;AccountName=name;"
                "AccountKey=bm90LXRvLWJlLXNob3du==;EndpointSuffix=core.windows.net"
            },
            "https://name.blob.core.windows.net",
            "access_key",
        ),
        (
            {
                "connection_string": "BlobEndpoint=https://name.blob.core.windows.net/;AccountName=name;"
                "SharedAccessSignature=sv=1&sig=x"
            },
            "https://name.blob.core.windows.net/",
            "sas_token",
        ),
    ],
)
def test_where_a_container_is_asked(options: dict[str, Any], endpoint: str, how: str) -> None:
    told = given(Azure("container", **options))
    assert (told["account_name"], told["endpoint"], told["credential_type"]) == ("name", endpoint, how)
    assert told["allow_http"] is endpoint.startswith("http:")
    if how == "sas_token":
        assert told["sas_key"] == "sv=1&sig=x"
    elif "connection_string" in options:
        assert told["account_key"] == "bm90LXRvLWJlLXNob3du=="


def test_a_credential_of_azure_identity() -> None:
    class Token:
        token = "bearer"
        expires_on = 1_795_262_400

    class Credential:
        def get_token(self, scope: str) -> Token:
            # https://learn.microsoft.com/en-us/azure/storage/blobs/authorize-access-azure-active-directory
            assert scope == "https://storage.azure.com/.default"
            return Token()

    told = given(Azure("container", account_name="name", token_credential=Credential()))["credential_provider"]()
    assert told["token"] == "bearer"
    assert told["expires_at"].timestamp() == 1_795_262_400


def test_a_url_and_options() -> None:
    store = open_store("s3://bucket/a/b/", "here", KEY)
    assert (str(store), type(store)) == ("s3://bucket/a/b", CopyingObjectStore)
    assert str(open_store("s3://bucket", "here", {**KEY, "location": "/static/"})) == "s3://bucket/static"
    assert str(open_store("s3://bucket/static", "here", {**KEY, "location": "static", "bucket_name": "bucket"}))
    assert str(open_store("az://container/x", "here", ACCOUNT)) == "az://container/x"
    hetzner = open_store("s3://bucket", "here", {**KEY, "provider": "hetzner", "region_name": "fsn1"})
    assert type(hetzner) is ObjectStore
    assert isinstance(open_store("/somewhere", "here"), LocalStore)


@pytest.mark.parametrize(
    ("place", "options", "said"),
    [
        ("s3://bucket", {"acces_key": "x"}, "here['acces_key'] is not an option. Did you mean 'access_key'"),
        ("s3://bucket", {"file_overwrite": True}, "here['file_overwrite'] is not an option"),
        ("s3://bucket", {"access_key": "id"}, "access_key and secret_key belong together"),
        ("s3://bucket", {"security_token": "not-to-be-shown"}, "security_token belongs to an access_key"),
        ("s3://bucket", {**KEY, "session_profile": "work"}, "two credentials"),
        ("s3://bucket", {"access_key": "id", "secret_key": b"not-to-be-shown"}, "here['secret_key'] must be a string"),
        ("s3://bucket", {"bucket_name": "other"}, "bucket_name is 'other' in the options and 'bucket'"),
        ("s3://bucket/a", {"location": "b"}, "location is 'b' in the options and 'a'"),
        ("s3://bucket/a/../b", {}, "location 'a/../b' cannot be used"),
        ("s3:///a", {}, "here needs the key 'bucket_name'"),
        ("s3://b_/a", {}, "cannot be the name of a bucket"),
        ("s3://id:not-to-be-shown@bucket/a", {}, "credentials do not belong in the URL"),
        ("s3://bucket/a?region=x", {}, "options are given besides"),
        ("s3://bucket", {"endpoint_url": "https://id:not-to-be-shown@s3.example.com"}, "must not hold credentials"),
        ("s3://bucket", {"endpoint_url": "s3.example.com"}, "must be the address of a store"),
        ("s3://bucket", {"endpoint_url": "https://s3.example.com:port"}, "endpoint_url is no URL"),
        ("s3://bucket", {"endpoint_url": "https://[::1"}, "endpoint_url is no URL"),
        ("s3://bucket", {"region_name": "evil.example/"}, "cannot be the name of a region"),
        ("s3://bucket", {"addressing_style": "dns"}, "addressing_style must be one of auto, path, virtual"),
        ("s3://bucket", {"provider": "minio"}, "here['provider'] must be one of"),
        ("s3://bucket", {"provider": "wasabi"}, "provider 'wasabi' needs region_name"),
        ("s3://bucket", {"provider": "cloudflare"}, "https://ACCOUNT_ID.r2.cloudflarestorage.com"),
        (
            "s3://bucket",
            {"provider": "backblaze", "region_name": "us-west-004", "default_acl": "public-read"},
            "objects have no ACL at this provider",
        ),
        ("s3://bucket", {"use_ssl": False}, "AWS is asked with encryption only"),
        ("s3://bucket", {"object_parameters": {"CacheControll": "x"}}, "Did you mean 'CacheControl'"),
        ("s3://bucket", {"object_parameters": {"CacheControl": 60}}, "object_parameters['CacheControl'] cannot be 60"),
        ("s3://bucket", {"object_parameters": {"ContentType": "a\nb"}}, "characters that a header cannot have"),
        ("s3://bucket", {"limits": {"connect": -1}}, "must not be negative"),
        ("az://container", {}, "account_name is needed"),
        ("az://Container", ACCOUNT, "cannot be the name of a container"),
        ("az://container", {"account_name": "evil.example/"}, "cannot be the name of a storage account"),
        ("az://container", {**ACCOUNT, "sas_token": "not-to-be-shown"}, "account_key and sas_token are several"),
        ("az://container", {**ACCOUNT, "connection_string": "AccountName=name"}, "several credentials"),
        ("az://container", {**ACCOUNT, "expiration_secs": 5}, "here['expiration_secs'] is not an option"),
        ("az://container", {**ACCOUNT, "object_parameters": {"CacheControl": "x"}}, "Did you mean 'cache_control'"),
        ("file:///somewhere", {"location": "a"}, "a folder has no options"),
        ("/somewhere", {"location": "a"}, "only a store at s3://, gs://, az:// or ssh:// has options"),
        ("ftp://host/a", {}, "there is no store for ftp:// yet"),
    ],
)
def test_what_is_refused(place: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        open_store(place, "here", options)
    assert "not-to-be-shown" not in str(caught.value)


def test_no_secret_is_shown() -> None:
    assert "not-to-be-shown" not in repr(S3("b-1", **KEY, security_token="not-to-be-shown"))
    assert "bm90" not in repr(Azure("container", **ACCOUNT))
    assert "sig=" not in repr(Azure("container", account_name="name", sas_token="sig=x"))
    assert "bm90" not in repr(Azure("container", connection_string="AccountName=name;AccountKey=bm90"))
