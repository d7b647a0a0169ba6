"""Purging CloudFront on moto's server, with the rules that moto does not know: the contract, and what goes wrong."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from shipfiles.edge import cloudfront as module
from shipfiles.edge.cloudfront import CloudFront, paths_of
from shipfiles.edge.purger import Purger
from shipfiles.errors import ConfigError, PurgeError
from shipfiles.testing.purger import PurgerContract
from tests.bucket import Answer, Asked, stalls
from tests.guides import FOLDER, blocks

from .cdn_apis import running
from .cloudfront_api import KEY, CloudFrontApi, error

pytestmark = pytest.mark.services

SITE = "https://www.example.com"
SECRETS = (KEY["AWS_SECRET_ACCESS_KEY"],)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, _descriptions: Any) -> None:
    """The credentials of the tests alone, found as AWS's own tools find them."""
    monkeypatch.setattr("botocore.session.create_loader", lambda _paths: _descriptions)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in KEY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def _descriptions() -> Any:
    """What botocore reads of its files is read once: for a purge it makes no difference, for sixty it does."""
    import botocore.loaders

    return botocore.loaders.Loader()


@pytest.fixture(scope="module")
def distribution(moto: str) -> str:
    """The id of one in moto."""
    import boto3

    client = boto3.client(
        "cloudfront", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    origin = {"Id": "o", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    made = client.create_distribution(
        DistributionConfig={
            "CallerReference": "tests", "Comment": "", "Enabled": True, "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "MinTTL": 0},
        }
    )  # fmt: skip
    return made["Distribution"]["Id"]


@pytest.fixture
def api(moto: str, distribution: str) -> Iterator[CloudFrontApi]:
    with running(CloudFrontApi(moto, distribution)) as api:
        yield api


def to(api: CloudFrontApi, **options: Any) -> CloudFront:
    return CloudFront(**{"distribution_id": api.name, "endpoint_url": api.url} | options)


def asked_for(api: CloudFrontApi) -> list[tuple[str, list[str]]]:
    """Reference and items of each request."""
    name = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"
    trees = [ET.fromstring(asked.body) for asked in api.asked]
    return [
        (tree.findtext(f"{name}CallerReference") or "", [item.text or "" for item in tree.iter(f"{name}Path")])
        for tree in trees
    ]


def failed(purger: Purger, urls: list[str], reference: str = "r1") -> PurgeError:
    with pytest.raises(PurgeError) as found:
        purger.purge(urls, reference=reference)
    assert not [secret for secret in KEY.values() if secret in f"{found.value} {found.value!r}"]
    return found.value


class TestCloudFront(PurgerContract):
    secrets = SECRETS
    # A * may only end a path, and then stands for all that follows: see below.
    paths = tuple(path for path in PurgerContract.paths if "*" not in path)

    @pytest.fixture
    def front(self, api: CloudFrontApi) -> CloudFrontApi:
        return api

    @pytest.fixture
    def purger(self, api: CloudFrontApi) -> Purger:
        return to(api)


def test_files_that_are_known_by_what_was_asked_for(api: CloudFrontApi) -> None:
    """The description says which characters to escape, and not what becomes of others that browsers escape."""
    api.is_as_asked = True
    urls = [SITE + path for path in TestCloudFront.paths]
    for url in urls:
        api.keep(url)
    to(api).purge(urls, reference="r1")
    assert [url for url in urls if api.has(url)] == []


@pytest.mark.parametrize(
    ("url", "paths"),
    [
        (f"{SITE}/a.css", ["/a.css"]),
        (SITE, ["/"]),
        (f"{SITE}/?x=1&y=%20", ["/?x=1&y=%20"]),
        ("https://www.example.com:8443/a/b.css#c", ["/a/b.css"]),
        # Unsafe, RFC 1738, 2.2: blank < > " # % { } | \ ^ ~ [ ] `
        (f"{SITE}/%20%3C%3E%22%23%25%7B%7D%7C%5C%5E%7E%5B%5D%60", ["/%20%3C%3E%22%23%25%7B%7D%7C%5C%5E%7E%5B%5D%60"]),
        (f"{SITE}/a~b", ["/a%7Eb"]),
        (f"{SITE}/%c3%a4", ["/%C3%A4", "/%c3%a4"]),
        ("https://www.example.com/ä b", ["/%C3%A4%20b"]),
        # Nothing else is to be escaped, and Django does.
        (f"{SITE}/a%2Bb%2Cc.css", ["/a+b,c.css", "/a%2Bb%2Cc.css"]),
        (f"{SITE}/a%2Fb%3Fc%2A", ["/a%2Fb%3Fc%2A"]),
        (f"{SITE}/st*r.css", ["/st*"]),
    ],
)
def test_paths_as_the_description_has_them(url: str, paths: list[str]) -> None:
    """A leading slash, the query, unsafe characters escaped and no others; and as browsers ask where that differs."""
    assert [*paths_of(url)] == paths


def test_a_name_with_a_star_takes_more_with_it(api: CloudFrontApi) -> None:
    """And it is said."""
    urls = [f"{SITE}/st*r.css", f"{SITE}/star.css", f"{SITE}/other.css"]
    for url in urls:
        api.keep(url)
    done = to(api).purge(urls[:1], reference="r1")
    assert [api.has(url) for url in urls] == [False, False, True]
    assert "more was purged" in " ".join(done.notes)
    assert "more was purged" not in " ".join(to(api).purge(urls[2:], reference="r1").notes)


def test_hosts_are_the_distributions(api: CloudFrontApi) -> None:
    """A path is purged once, whatever hosts it has; if it is left, all of its URLs are."""
    urls = [f"https://{host}.example.com/a.css" for host in ("www", "static", "cdn")]
    to(api).purge(urls, reference="r1")
    assert [items for _, items in asked_for(api)] == [["/a.css"]]
    api.refuse(True)
    assert list(failed(to(api), urls).left) == urls


def test_references(api: CloudFrontApi) -> None:
    """The same for the same purge, in whatever order; another for each batch, each content and each purge."""
    urls = [f"{SITE}/{number}.css" for number in range(1500)]
    to(api).purge(urls, reference="r1")
    to(api).purge(urls[::-1], reference="r1")
    first, again = asked_for(api)[:2], asked_for(api)[2:]
    assert [len(items) for _, items in first] == [1000, 500]
    assert first == again
    assert len(api.used) == 2
    to(api).purge(urls[:1], reference="r1")
    to(api).purge(urls[:1], reference="r2")
    assert len(api.used) == 4
    assert all(reference.startswith(("r1-", "r2-")) for reference in api.used)


@pytest.mark.parametrize("refuses_again", [False, True])
def test_an_answer_that_is_lost(api: CloudFrontApi, refuses_again: bool) -> None:
    """The invalidation was made: it is asked for again, and is the same."""
    api.refuses_again = refuses_again
    lost: list[Answer] = []

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        if lost:
            return do()
        lost.append(do())
        return None

    api.fault = fault
    api.keep(f"{SITE}/a.css")
    done = to(api).purge([f"{SITE}/a.css"], reference="r1")
    assert done.requests == 2
    assert len(done.ids) == (0 if refuses_again else 1)
    assert len({reference for reference, _ in asked_for(api)}) == len(api.used) == 1
    assert not api.has(f"{SITE}/a.css")


@pytest.mark.parametrize(
    "answer",
    [
        error(400, "Throttling", "Rate exceeded"), error(503, "ServiceUnavailable", "try again"),
        Answer(201, b"<html>"), Answer(200, b"\0" * 9), None,
    ],
)  # fmt: skip
def test_what_passes_is_asked_again(api: CloudFrontApi, answer: Answer | None) -> None:
    """Too many requests, faults of the service, and what is no answer of its."""
    given = [answer]
    api.fault = lambda asked, do: given.pop() if given else do()
    done = to(api).purge([f"{SITE}/a.css"], reference="r1")
    assert done.requests == 2
    assert len(done.ids) == 1


def test_others_are_in_progress(api: CloudFrontApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """3,000 paths at a time, whoever asked: it is waited for, and what there is no time for is named."""
    api.is_slow = True
    urls = [f"{SITE}/{number:04}.css" for number in range(3500)]
    for url in urls:
        api.keep(url)
    found = failed(to(api, time_limit=3), urls)
    assert "TooManyInvalidationsInProgress" in str(found)
    assert list(found.left) == [url for url in urls if api.has(url)] == urls[3000:]
    monkeypatch.setattr(module, "_TAKES_A_WHILE", 0.05)
    seen: list[int] = []

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        seen.append(1)
        if len(seen) == 3:
            api.in_progress.clear()
        return do()

    api.fault = fault
    assert to(api).purge(urls[3000:], reference="r1").requests == 3
    assert not any(map(api.has, urls))


def test_fifteen_wildcards_in_progress(api: CloudFrontApi) -> None:
    """Everything is one of them."""
    api.in_progress = [[f"/{number}/*"] for number in range(14)]
    api.is_slow = True
    to(api).purge_all(reference="r1")
    with pytest.raises(PurgeError, match="TooMany") as found:
        to(api, time_limit=1).purge_all(reference="r2")
    assert found.value.left == ()


def test_exactly_what_is_refused_is_left(api: CloudFrontApi) -> None:
    """A path that is too long, and one that the service does not want among many."""
    urls = [f"{SITE}/{number}.css" for number in range(100)]
    long, odd = f"{SITE}/{'x' * 4000}", f"{SITE}/odd.css"
    for url in (*urls, long, odd):
        api.keep(url)

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        return error(400, "InvalidArgument", "one or more invalid paths") if b"/odd.css" in asked.body else do()

    api.fault = fault
    found = failed(to(api), [*urls[:50], long, odd, *urls[50:]])
    assert list(found.left) == [long, odd]
    assert "4,000 characters" in str(found)
    assert not any(map(api.has, urls))
    to(api).purge([f"{SITE}/{'x' * 3999}"], reference="r1")


def test_tags_are_paths_with_a_sign(api: CloudFrontApi) -> None:
    """At most 256 characters."""
    to(api).purge_tags(["static", "static:a.css"], reference="r1")
    assert [items for _, items in asked_for(api)] == [["#static", "#static:a.css"]]
    with pytest.raises(PurgeError) as found:
        to(api).purge_tags(["static", "x" * 257], reference="r1")
    assert found.value.left == ("x" * 257,)


def test_who_may_not(api: CloudFrontApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once refused, nothing more is asked; it is said what to allow, and the token of a session is shown to nobody."""
    urls = [f"{SITE}/{number}.css" for number in range(2500)]
    api.refuse(True)
    found = failed(to(api), urls)
    assert "cloudfront:CreateInvalidation" in str(found)
    assert list(found.left) == urls
    assert len(api.asked) == 1
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token/of=the+session")
    api.fault = lambda asked, do: error(
        403,
        "SignatureDoesNotMatch",
        f"The Canonical String: x-amz-security-token:{asked.headers['x-amz-security-token']}",
    )
    assert "token/of" not in str(failed(to(api), urls[:1]))


def test_no_such_distribution(api: CloudFrontApi) -> None:
    """As moto says it."""
    found = failed(to(api, distribution_id="E0000000000000"), [f"{SITE}/a.css"])
    assert "NoSuchDistribution" in str(found)
    assert len(api.asked) == 1


def test_no_credentials(api: CloudFrontApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a profile that is not there."""
    for name in KEY:
        monkeypatch.delenv(name)
    assert "no AWS credentials" in str(failed(to(api), [f"{SITE}/a.css"]))
    assert "profile" in str(failed(to(api, session_profile="nobody"), [f"{SITE}/a.css"]))
    assert api.asked == []


def test_who_never_answers_ends_the_purge_in_time(api: CloudFrontApi) -> None:
    """Whatever botocore itself would wait for."""
    api.fault = stalls(5)
    before = time.monotonic()
    found = failed(to(api, time_limit=0.5), [f"{SITE}/a.css"])
    assert time.monotonic() - before < 4
    assert list(found.left) == [f"{SITE}/a.css"]


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be is said at once, and so is what is not installed."""
    for given in ("", "../E1", "https://d111111abcdef8.cloudfront.net", "E1 "):
        with pytest.raises(ConfigError, match="distribution_id"):
            CloudFront(given)
    with pytest.raises(ConfigError, match="endpoint_url"):
        CloudFront("E1", endpoint_url="http://cloudfront.example.com")
    with pytest.raises(ConfigError, match="region_name"):
        CloudFront("E1", region_name="us east")
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ConfigError, match=r"pip install 'shipfiles\[cloudfront\]'"):
        CloudFront("E1")


def test_the_policy_of_the_guide() -> None:
    """It allows what is asked for, and nothing else."""
    (text,) = [one.text for one in blocks(FOLDER.parent / "purging.md") if one.name == "cloudfront_policy"]
    (statement,) = json.loads(text)["Statement"]
    assert statement["Action"] == "cloudfront:CreateInvalidation"
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudfront.html
    assert re.fullmatch(r"arn:aws:cloudfront::\d{12}:distribution/E\w{13}", statement["Resource"])
