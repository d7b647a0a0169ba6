"""Signed URLs of buckets, beside the clients of those who check them: botocore, Google's, Azure's documentation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
import botocore.signers
import google.auth.credentials
import google.auth.crypt
import google.cloud.storage
import google.oauth2.service_account
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.errors import ConfigError, Denied, NoAnswer, StoreError
from shipfiles.stores.azure import Azure
from shipfiles.stores.google import Google
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.opening import open_store
from shipfiles.stores.s3 import S3
from shipfiles.stores.signing.aws import AwsKey, s3_url
from shipfiles.stores.store import Grant, Signs, Store
from tests.bucket import Answer, Asked, Bucket, serving

SECRET = "not-to-be-shown"
KEY = {"access_key": "AKIDEXAMPLE", "secret_key": SECRET}
NOON = int(datetime(2026, 11, 22, 12, 0, tzinfo=UTC).timestamp())
HOUR = Grant(NOON + 3600, NOON)
ODD = "Ä/a b+c%20d~e&f=g?h#i'(j)*!@:;,$日本/x.pdf"
DISPOSITION = "attachment; filename=\"a &+%.pdf\"; filename*=UTF-8''%C3%A4.pdf"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials in the environment, nor at home, nor where a machine in a cloud would have them."""
    for name in os.environ:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "STORAGE_EMULATOR", "CLOUDSDK")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def signed(store: Store, key: str, grant: Grant = HOUR) -> str:
    assert isinstance(store, Signs)
    return store.signed_url(key, grant)


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return str(key.private_bytes(serialization.Encoding.PEM, form, plain).decode())


# S3.


def test_the_example_of_amazon() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "An example"."""
    start = int(datetime(2013, 5, 24, tzinfo=UTC).timestamp())
    key = AwsKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    url = s3_url("https://examplebucket.s3.amazonaws.com", "/test.txt", Grant(start + 86400, start), key, "us-east-1")
    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
        "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def botocores(url: str, grant: Grant, key: AwsKey, region: str, more: Mapping[str, str]) -> str:
    """The signature that botocore makes for ``url``, at the time of ``grant``."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items())
    request = botocore.awsrequest.AWSRequest(grant.method, f"{url}?{query}" if query else url)
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(grant.starts))
    credentials = botocore.credentials.Credentials(key.id, key.secret, key.token)
    auth = botocore.auth.S3SigV4QueryAuth(credentials, "s3", region, grant.expires - grant.starts)
    auth._modify_request_before_signing(request)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


keys = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=12).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1, max_size=4,
).map("/".join)  # fmt: skip
grants = st.builds(
    Grant, st.integers(NOON + 1, NOON + 7 * 86400), st.just(NOON), st.sampled_from(["GET", "HEAD"]),
    st.text(max_size=20), st.text(max_size=20),
)  # fmt: skip


@settings(deadline=None)
@given(keys, grants, st.sampled_from(["path", "virtual"]), st.none() | st.text("a/+=", min_size=1))
def test_botocore_signs_the_same(key: str, grant: Grant, style: str, token: str | None) -> None:
    options = {**KEY, "security_token": token, "addressing_style": style, "region_name": "eu-west-3"}
    url = signed(open_store("s3://bucket/a", "tests", options), key, grant)
    host = "bucket.s3.eu-west-3.amazonaws.com/" if style == "virtual" else "s3.eu-west-3.amazonaws.com/bucket/"
    address, _, query = url.partition("?")
    assert address == f"https://{host}a/{quote(key)}"
    told = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
    signature = told.pop("X-Amz-Signature")
    more = {"response-content-disposition": grant.content_disposition, "response-content-type": grant.content_type}
    more = {name: value for name, value in more.items() if value}
    assert {name: told.pop(name) for name in more} == more
    assert told.pop("X-Amz-Security-Token", None) == token
    assert told.keys() == {f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders")}
    assert signature == botocores(address, grant, AwsKey(KEY["access_key"], SECRET, token), "eu-west-3", more)


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ({}, "https://bucket.s3.us-east-1.amazonaws.com/"),
        ({"bucket_name": "with.dots"}, "https://s3.us-east-1.amazonaws.com/with.dots/"),
        ({"region_name": "cn-north-1"}, "https://bucket.s3.cn-north-1.amazonaws.com.cn/"),
        ({"endpoint_url": "http://127.0.0.1:9000/"}, "http://127.0.0.1:9000/bucket/"),
        ({"endpoint_url": "HTTP://MinIO:80/"}, "http://minio:80/bucket/"),
        ({"endpoint_url": "http://minio:9000/s3"}, "http://minio:9000/s3/bucket/"),
        ({"endpoint_url": "http://minio:9000", "addressing_style": "virtual"}, "http://bucket.minio:9000/"),
        (
            {"endpoint_url": "http://minio:9000", "signing_url": "https://files.example.com/bucket"},
            "https://files.example.com/bucket/",
        ),
        ({"provider": "wasabi", "region_name": "eu-central-1"}, "https://s3.eu-central-1.wasabisys.com/bucket/"),
        (
            {"endpoint_url": "https://id.r2.cloudflarestorage.com", "region_name": "eu"},
            "https://id.r2.cloudflarestorage.com/bucket/",
        ),
    ],
)  # fmt: skip
def test_addresses(options: dict[str, Any], address: str) -> None:
    place = S3(**{"bucket_name": "bucket", **KEY, **options})
    url = signed(place.store(), "a.txt")
    assert url.partition("?")[0] == address + "a.txt"
    region = {"cloudflarestorage": "auto", "wasabisys": "eu-central-1", "amazonaws.com.cn": "cn-north-1"}
    expected = next((name for part, name in region.items() if part in address), "us-east-1")
    assert f"%2F20261122%2F{expected}%2Fs3%2F" in url
    signature = parse_qs(url)["X-Amz-Signature"][0]
    assert signature == botocores(address + "a.txt", HOUR, AwsKey(KEY["access_key"], SECRET), expected, {})


def test_a_requester_who_pays_says_so() -> None:
    """In the query, signed: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html."""
    url = signed(S3("bucket", **KEY, object_parameters={"RequestPayer": "requester"}).store(), "a")
    more = {"x-amz-request-payer": "requester"}
    address = url.partition("?")[0]
    assert parse_qs(url)["X-Amz-Signature"] == [
        botocores(address, HOUR, AwsKey(KEY["access_key"], SECRET), "us-east-1", more)
    ]


@pytest.mark.parametrize("store", ["s3://bucket", "gs://bucket"])
def test_version_4_lasts_a_week(store: str) -> None:
    options = KEY if store.startswith("s3") else {"hmac_access_id": "GOOG1", "hmac_secret": SECRET}
    opened = open_store(store, "tests", options)
    assert "Expires=604800&" in signed(opened, "a", Grant(NOON + 7 * 86400, NOON))
    with pytest.raises(ConfigError, match="at most 7 days"):
        signed(opened, "a", Grant(NOON + 7 * 86400 + 1, NOON))
    with pytest.raises(ConfigError, match="some time"):
        signed(opened, "a", Grant(NOON, NOON))
    with pytest.raises(ConfigError, match="GET and HEAD"):
        signed(opened, "a", Grant(NOON + 9, NOON, "PUT", content_type="a/b"))
    with pytest.raises(StoreError):
        signed(opened, "../a")
    with pytest.raises(StoreError, match="control character"):
        signed(opened, "a\nb")


def test_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3("bucket").store()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert "Credential=first%2F20261122%2Fus-east-1%2F" in signed(S3("bucket", region_name="us-east-1").store(), "a")
    assert "Credential=first%2F20261122%2Feu-west-1%2F" in signed(store, "a")
    # One for a time is followed by another; what the former signed is not given again.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "second")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token of the second")
    url = signed(store, "a")
    assert "Credential=second%2F" in url
    assert "X-Amz-Security-Token=token%20of%20the%20second&" in url
    assert SECRET not in url


def test_keys_of_a_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id=D\naws_secret_access_key={SECRET}\n"
        f"[media]\naws_access_key_id=M\naws_secret_access_key={SECRET}\naws_session_token=T\nregion=ap-south-1\n"
    )
    assert "Credential=D%2F20261122%2Fus-east-1%2F" in signed(S3("bucket").store(), "a")
    url = signed(S3("bucket", session_profile="media").store(), "a")
    assert url.startswith("https://bucket.s3.ap-south-1.amazonaws.com/a?")
    assert "Credential=M%2F20261122%2Fap-south-1%2F" in url
    key = AwsKey("M", SECRET, "T")
    assert parse_qs(url)["X-Amz-Signature"] == [botocores(url.partition("?")[0], HOUR, key, "ap-south-1", {})]
    # A profile that is named comes before the environment, as it does for the store itself.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "E")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert "Credential=M%2F" in signed(S3("bucket", session_profile="media").store(), "a")
    with pytest.raises(ConfigError, match="'unknown'"):
        signed(S3("bucket", session_profile="unknown").store(), "a")


def test_keys_that_a_program_renews(tmp_path: Path) -> None:
    """``credential_process``: each answer is good for a moment only, so that boto3 asks again for the next URL.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
    """
    count, program = tmp_path / "count", tmp_path / "program"
    program.write_text(
        "#!/bin/sh\n"
        f"echo x >> {count}\nn=$(wc -l < {count})\n"
        'printf \'{"Version": 1, "AccessKeyId": "K%s", "SecretAccessKey": "s", "SessionToken": "T%s", '
        f'"Expiration": "\'"$(date -u -d "+30 seconds" +%Y-%m-%dT%H:%M:%SZ)"\'"}}\' $n $n\n'
    )
    program.chmod(0o755)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(f"[default]\ncredential_process = {program}\n")
    store = S3("bucket").store()
    first, second = signed(store, "a"), signed(store, "a")
    used = [parse_qs(url)["X-Amz-Credential"][0].partition("/")[0] for url in (first, second)]
    assert used[0] != used[1]
    assert len(count.read_text().split()) >= 2


def test_nothing_to_sign_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Nothing to sign URLs with: give access_key and secret_key"):
        signed(S3("bucket").store(), "a")
    (tmp_path / "boto3.py").write_text("raise ImportError('No module named boto3')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in __import__("sys").modules if name.partition(".")[0] == "boto3"]:
        monkeypatch.delitem(__import__("sys").modules, name)
    with pytest.raises(ConfigError, match=r"shipfiles\[aws\]"):
        signed(S3("bucket").store(), "a")


@pytest.mark.parametrize(
    "options",
    [
        {"signing_url": "https://files.example.com"},
        {"provider": "cloudflare", "endpoint_url": "https://id.r2.cloudflarestorage.com", "signing_url": "https://a.b"},
        {"signing_url": "https://a.b", "cloudfront_key_id": "K"},
        {"cloudfront_key_id": "K", "cloudfront_key": SECRET},
        {"signing_url": "https://a.b", "cloudfront_key_id": "K", "cloudfront_key": SECRET, "cloudfront_signer": KEY},
        {"signing_url": "ftp://a.b"},
    ],
)
def test_addresses_that_take_no_signature(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"signing_url|cloudfront_") as told:
        S3("bucket", **KEY, **options)
    assert SECRET not in str(told.value)


def test_what_stores_do_not_sign() -> None:
    assert not isinstance(MemoryStore(), Signs)
    assert isinstance(S3("bucket").store(), Signs)


# CloudFront.


def cloudfront(key: object, **options: Any) -> Store:
    place = S3("bucket", location="media", signing_url="https://d1.cloudfront.net/", cloudfront_key=key, **options)
    return place.store()


@pytest.mark.parametrize("form", [str, str.encode])
def test_cloudfront_as_botocore_signs(form: Callable[[str], object]) -> None:
    key = rsa_key()
    sign = botocore.signers.CloudFrontSigner("K2", lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA1()))
    until = datetime.fromtimestamp(HOUR.expires, UTC)
    plain = sign.generate_presigned_url(f"https://d1.cloudfront.net/media/{quote(ODD)}", date_less_than=until)
    store = cloudfront(form(pem(key)), cloudfront_key_id="K2")
    assert signed(store, ODD) == plain
    by_signer = S3("bucket", location="media", signing_url="https://d1.cloudfront.net", cloudfront_signer=sign).store()
    assert signed(by_signer, ODD) == plain
    query = f"response-content-disposition={quote(DISPOSITION, safe='')}&response-content-type=a%2Fb"
    asked = sign.generate_presigned_url(f"https://d1.cloudfront.net/media/a?{query}", date_less_than=until)
    assert signed(store, "a", Grant(HOUR.expires, 0, "GET", DISPOSITION, "a/b")) == asked
    with pytest.raises(ConfigError, match="GET and HEAD"):
        signed(store, "a", Grant(HOUR.expires, NOON, "PUT"))


def test_cloudfront_with_an_ecdsa_key() -> None:
    """With SHA-256, which the URL says: the page on canned policies, "Hash-Algorithm"."""
    key = ec.generate_private_key(ec.SECP256R1())
    url = signed(cloudfront(pem(key), cloudfront_key_id="K3"), "a b")
    told = dict(parse_qsl(urlsplit(url).query))
    assert told.keys() == {"Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm"}
    assert told["Hash-Algorithm"] == "SHA256"
    policy = (
        '{"Statement":[{"Resource":"https://d1.cloudfront.net/media/a%20b",'
        f'"Condition":{{"DateLessThan":{{"AWS:EpochTime":{HOUR.expires}}}}}}}]}}'
    )
    signature = base64.b64decode(told["Signature"].translate(str.maketrans("-_~", "+=/")))
    key.public_key().verify(signature, policy.encode(), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(signature, policy.replace("a%20b", "c").encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("key", [SECRET, SECRET.encode(), f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n", 1, "ed25519"])
def test_keys_that_cloudfront_does_not_take(key: object) -> None:
    key = pem(ed25519.Ed25519PrivateKey.generate()) if key == "ed25519" else key
    with pytest.raises(ConfigError, match="cloudfront_key") as told:
        signed(cloudfront(key, cloudfront_key_id="K"), "a")
    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None


# Azure.

ACCOUNT_KEY = base64.b64encode(SECRET.encode()).decode()


def test_azure_in_the_words_of_its_page() -> None:
    """https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas, "Version 2020-12-06 and later"."""
    store = Azure("media", account_name="name", account_key=ACCOUNT_KEY, location="in").store()
    grant = Grant(NOON + 3600, NOON, "GET", DISPOSITION, "application/pdf")
    url = urlsplit(signed(store, ODD, grant))
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"https://name.blob.core.windows.net/media/in/{quote(ODD)}"
    told = dict(parse_qsl(url.query, strict_parsing=True))
    text = f"""r

2026-11-22T13:00:00Z
/blob/name/media/in/{ODD}


https
2020-12-06
b



{DISPOSITION}


application/pdf"""
    signature = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
    assert told == {
        "sp": "r", "se": "2026-11-22T13:00:00Z", "spr": "https", "sv": "2020-12-06", "sr": "b", "rscd": DISPOSITION,
        "rsct": "application/pdf", "sig": signature,
    }  # fmt: skip
    for method, permissions in (("HEAD", "r"), ("PUT", "cw"), ("DELETE", "d")):
        assert f"?sp={permissions}&" in signed(store, "a", Grant(NOON + 9, NOON, method))
    for refused in (Grant(NOON, NOON), Grant(NOON + 9, NOON, "PUT", content_type="a/b")):
        with pytest.raises(ConfigError):
            signed(store, "a", refused)


def test_azure_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Azure("media", account_name="name", account_key=ACCOUNT_KEY, signing_url="https://f.example.com/media/")
    url = signed(place.store(), "a")
    assert url.startswith("https://f.example.com/media/a?sp=r&")
    connection = f"AccountName=name;AccountKey={ACCOUNT_KEY};BlobEndpoint=https://f.example.com"
    assert signed(Azure("media", connection_string=connection).store(), "a") == url
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY)
    from_environment = Azure("media", account_name="name", endpoint_url="https://f.example.com")
    assert signed(from_environment.store(), "a") == url
    # The key of another account may be in the environment; a token says who is to be asked with what.
    with pytest.raises(ConfigError, match="Nothing to sign URLs with: give account_key") as told:
        signed(Azure("media", account_name="name", sas_token="sig=" + SECRET).store(), "a")
    assert SECRET not in str(told.value)
    with pytest.raises(ConfigError, match="Base64"):
        signed(Azure("media", account_name="name", account_key=SECRET).store(), "a")


class Delegating(Bucket):
    """Azure, which gives keys to sign with: ``asked`` has what it was asked."""

    status = 200

    def done(self, asked: Asked) -> Answer:
        """https://learn.microsoft.com/en-us/rest/api/storageservices/get-user-delegation-key."""
        assert (asked.method, asked.path) == ("POST", "/?restype=service&comp=userdelegationkey")
        assert asked.headers["authorization"] == f"Bearer {SECRET}"
        start, expiry = (
            asked.body.decode().partition(f"<{name}>")[2].partition("<")[0] for name in ("Start", "Expiry")
        )
        if self.status != 200:
            return Answer(self.status, SECRET.encode())
        key = {
            "SignedOid": "oid", "SignedTid": "tid", "SignedStart": start, "SignedExpiry": expiry, "SignedService": "b",
            "SignedVersion": "2020-12-06", "Value": ACCOUNT_KEY,
        }  # fmt: skip
        told = "".join(f"<{name}>{value}</{name}>" for name, value in key.items())
        body = f'\ufeff<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>{told}</UserDelegationKey>'
        return Answer(200, body.encode())


class Somebody:
    """A credential as azure-identity has them."""

    def get_token(self, *scopes: str) -> Any:
        assert scopes == ("https://storage.azure.com/.default",)
        return type("AccessToken", (), {"token": SECRET, "expires_on": NOON})


def test_azure_for_somebody_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas, "Version 2020-12-06"."""
    clock = [float(NOON)]
    monkeypatch.setattr("shipfiles.stores.signing.azure_delegation.time.time", lambda: clock[0])
    with serving(Delegating()) as azure:
        given = {"account_name": "name", "token_credential": Somebody(), "endpoint_url": azure.url}
        store = Azure("media", **given).store()
        url = urlsplit(signed(store, ODD, Grant(NOON + 3600, NOON, "GET", DISPOSITION, "a/b")))
        told = dict(parse_qsl(url.query, strict_parsing=True))
        key = ("oid", "tid", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z", "b", "2020-12-06")
        lines = ["r", "", "2026-11-22T13:00:00Z", f"/blob/name/media/{ODD}", *key, "", "", "", "", "https,http"]
        lines += ["2020-12-06", "b", "", "", "", DISPOSITION, "", "", "a/b"]
        signature = hmac.new(SECRET.encode(), "\n".join(lines).encode(), hashlib.sha256).digest()
        assert told["sig"] == base64.b64encode(signature).decode()
        assert tuple(told[name] for name in ("skoid", "sktid", "skt", "ske", "sks", "skv")) == key
        signed(store, "b")
        assert len(azure.asked) == 1
        with pytest.raises(ConfigError, match="at most 6 days"):
            signed(store, "a", Grant(NOON + 7 * 86400, NOON))
        # On the next day with another; as long as there is none to be had, with the one there is.
        clock[0] += 86400
        azure.status = 503
        assert "ske=2026-11-29" in signed(store, "a")
        with pytest.raises(NoAnswer, match="503"):
            signed(store, "a", Grant(NOON + 7 * 86400, NOON))
        azure.status = 403
        with pytest.raises(Denied, match="generateUserDelegationKey") as refused:
            signed(store, "a")
        assert SECRET not in str(refused.value)
        azure.status = 200
        assert "ske=2026-11-30" in signed(store, "a")
        azure.fault = lambda asked, do: Answer(302, headers={"Location": azure.url + "/elsewhere"})
        with pytest.raises(Denied, match="302"):
            signed(Azure("media", **given).store(), "a")
        assert not [asked for asked in azure.asked if "elsewhere" in asked.path]
    with pytest.raises(NoAnswer):
        signed(Azure("media", **given).store(), "a")
    with pytest.raises(NoAnswer, match="gives no token"):
        signed(Azure("media", account_name="name", token_credential=object()).store(), "a")


# Google.


@pytest.fixture(scope="module")
def account() -> dict[str, str]:
    """What is in the file of a service account's key."""
    return {
        "type": "service_account",
        "client_email": "signer@project.iam.gserviceaccount.com",
        "private_key": pem(rsa_key()),
        "private_key_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
        "project_id": "project",
    }


@pytest.mark.parametrize(
    "grant", [HOUR, Grant(NOON + 9, NOON, "HEAD", DISPOSITION, "a/b; c=d"), Grant(NOON + 9, NOON, "PUT")]
)
@pytest.mark.parametrize("bound", [None, "https://files.example.com"])
def test_google_as_its_client_signs(
    account: dict[str, str], grant: Grant, bound: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google.cloud.storage._signing, "get_v4_now_dtstamps", lambda: ("20261122T120000Z", "20261122"))
    credentials = google.oauth2.service_account.Credentials.from_service_account_info(account)
    client = google.cloud.storage.Client("project", credentials)
    theirs = client.bucket("bucket").blob(f"in/{ODD}").generate_signed_url(
        expiration=grant.expires - grant.starts, version="v4", method=grant.method, bucket_bound_hostname=bound,
        response_disposition=grant.content_disposition or None, response_type=grant.content_type or None,
    )  # fmt: skip
    for form in (account, credentials):
        place = Google("bucket", location="in", credentials=form, signing_url=bound)
        assert signed(place.store(), ODD, grant) == theirs


def test_google_with_an_hmac_key() -> None:
    """https://docs.cloud.google.com/storage/docs/authentication/signatures: the key of HMAC signatures."""
    url = signed(Google("bucket", hmac_access_id="GOOG1E", hmac_secret=SECRET).store(), "a b")
    address, _, query = url.partition("?")
    assert address == "https://storage.googleapis.com/bucket/a%20b"
    query, _, signature = query.partition("&X-Goog-Signature=")
    assert query == (
        "X-Goog-Algorithm=GOOG4-HMAC-SHA256&X-Goog-Credential=GOOG1E%2F20261122%2Fauto%2Fstorage%2Fgoog4_request"
        "&X-Goog-Date=20261122T120000Z&X-Goog-Expires=3600&X-Goog-SignedHeaders=host"
    )
    asked = f"GET\n/bucket/a%20b\n{query}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD"
    text = "GOOG4-HMAC-SHA256\n20261122T120000Z\n20261122/auto/storage/goog4_request\n"
    text += hashlib.sha256(asked.encode()).hexdigest()
    key = ("GOOG4" + SECRET).encode()
    for part in ("20261122", "auto", "storage", "goog4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert signature == key.hex()


class Token(google.auth.credentials.Credentials):
    """Credentials with a token and without a key, as a machine in Google's cloud has them."""

    def __init__(self, email: str = "") -> None:
        super().__init__()
        self.token, self.service_account_email = "the token", email

    def refresh(self, request: object) -> None:
        self.token = "the token"


class Keeper(Bucket):
    """Google's service that signs with keys which it keeps; ``asked`` has what it was asked."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        super().__init__()
        self.key = key
        self.refuses = False
        self.signed: list[str] = []

    def done(self, asked: Asked) -> Answer:
        assert asked.headers["authorization"] == "Bearer the token"
        if self.refuses:
            return Answer(403, b'{"error": {"message": "' + SECRET.encode() + b'"}}')
        self.signed.append(asked.path)
        payload = base64.b64decode(json.loads(asked.body)["payload"])
        signature = self.key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return Answer(200, json.dumps({"signedBlob": base64.b64encode(signature).decode()}).encode())


def test_google_signs_itself(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    private = serialization.load_pem_private_key(account["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    email = account["client_email"]
    with serving(Keeper(private)) as keeper:
        monkeypatch.setattr("google.auth.iam._IAM_SIGN_ENDPOINT", keeper.url + "/{}:signBlob")
        by_key = signed(Google("bucket", credentials=account).store(), "a")
        store = Google("bucket", credentials=Token(email), iam_sign_blob=True).store()
        assert signed(store, "a") == by_key
        assert signed(store, "a") == by_key
        assert len(keeper.signed) == 1
        other = Google("bucket", credentials=Token(), iam_sign_blob=True, sa_email=email).store()
        assert signed(other, "a") == by_key
        assert all(quote(email, safe="@") in path for path in keeper.signed)
        keeper.refuses = True
        with pytest.raises(StoreError, match=r"iam\.serviceAccounts\.signBlob") as told:
            signed(other, "b")
        assert SECRET not in str(told.value)
        with pytest.raises(ConfigError, match="sa_email"):
            signed(Google("bucket", credentials=Token(), iam_sign_blob=True).store(), "a")


def test_google_without_a_key() -> None:
    for keyless in (Token("a@b"), google.auth.credentials.AnonymousCredentials()):
        with pytest.raises(ConfigError, match="iam_sign_blob"):
            signed(Google("bucket", credentials=keyless).store(), "a")
    with pytest.raises(ConfigError, match="No credentials of Google"):
        signed(Google("bucket").store(), "a")
    for options in ({"hmac_secret": SECRET}, {"hmac_secret": SECRET, "hmac_access_id": "a", "iam_sign_blob": True}):
        with pytest.raises(ConfigError, match="hmac_") as told:
            Google("bucket", **options)
        assert SECRET not in str(told.value)


# All.


def test_what_was_signed_is_not_signed_again() -> None:
    """A thousand URLs are remembered, whoever asks."""
    calls = []

    class Counting:
        def generate_presigned_url(self, url: str, date_less_than: datetime) -> str:
            calls.append(url)
            return f"{url}?{date_less_than.timestamp():.0f}"

    store = S3("bucket", signing_url="https://d1.cloudfront.net", cloudfront_signer=Counting()).store()
    first = signed(store, "a")
    threads = [Thread(target=lambda: [signed(store, str(n)) for n in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signed(store, "a") == first
    assert calls.count("https://d1.cloudfront.net/a") == 1
    assert signed(store, "a", Grant(HOUR.expires + 1, NOON)) != first
    for n in range(1000):
        signed(store, f"other/{n}")
    signed(store, "a")
    assert calls.count("https://d1.cloudfront.net/a") == 3


def test_no_secret_is_shown() -> None:
    places = [
        S3("bucket", **KEY, security_token=SECRET),
        S3("bucket", signing_url="https://a.b", cloudfront_key_id="K", cloudfront_key=SECRET),
        Azure("media", account_name="name", account_key=ACCOUNT_KEY),
        Google("bucket", hmac_access_id="a", hmac_secret=SECRET),
    ]
    for place in places:
        text = repr(place) + repr(place.store()) + str(place.store())
        assert SECRET not in text
        assert ACCOUNT_KEY not in text
    assert SECRET not in repr(AwsKey("id", SECRET, SECRET))
