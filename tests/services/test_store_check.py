"""``ship store check`` against servers that enforce permissions, and what the guides to stores say to grant."""

from __future__ import annotations

import json
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.doctor.probe import examine
from shipfiles.doctor.question import Question
from shipfiles.doctor.steps import Examined
from shipfiles.edge.nginx import configuration
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.paths import PROBES
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Store
from tests.guides import block, policy

from .nginx import run_nginx
from .object_servers import S3_KEY, azure_store, end, google_store, s3_store, start_moto, start_seaweed
from .servers import free_port
from .sites import sent
from .ssh_server import SshServer, started

pytestmark = pytest.mark.services

boto3 = pytest.importorskip("boto3")
BUCKET = "example-static"
ADMIN = {"access_key": "admin", "secret_key": "admin"}


def names(found: Examined) -> set[str]:
    return {step.name for step in found.missing}


def clean(store: Store) -> bool:
    """Whether no probe has left anything."""
    return list(store.list(f"{PROBES}/")) == []


# SeaweedFS


def client(service: str, url: str, key: dict[str, str]) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key["access_key"],
        aws_secret_access_key=key["secret_key"],
    )  # fmt: skip


def at(url: str, key: dict[str, str]) -> Store:
    return open_store(f"s3://{BUCKET}/static", "tests", {**key, "endpoint_url": url, "limits": {"retries": 1}})


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a SeaweedFS that nobody else has, with a bucket as the guide makes one."""
    told = start_seaweed(tmp_path_factory.mktemp("seaweed"))
    try:
        admin = client("s3", told["url"], S3_KEY)
        admin.create_bucket(Bucket=BUCKET)
        admin.put_bucket_policy(Bucket=BUCKET, Policy=block("minio.md", "public"))
        admin.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=policy("minio.md", "cors"))
        yield told["url"]
    finally:
        for pid in told["pids"]:
            end(pid)


def identity(name: str) -> dict[str, str]:
    """The credentials of one in the guide."""
    (found,) = [one for one in policy("minio.md", "seaweedfs")["identities"] if one["name"] == name]
    (key,) = found["credentials"]
    return {"access_key": key["accessKey"], "secret_key": key["secretKey"]}


def test_seaweed_as_the_guide_says(bucket: str) -> None:
    store = at(bucket, identity("publisher"))
    found = examine(Question(store, f"{bucket}/{BUCKET}/static/", "https://www.example.com"))
    assert found.missing == [], found.steps
    assert found.left == []
    assert clean(store)


def test_who_may_only_read(bucket: str) -> None:
    store = at(bucket, identity("web"))
    assert examine(Question(store, uses=["web"])).missing == []
    found = examine(Question(store))
    assert names(found) == {"create", "delete"}
    (step,) = [step for step in found.steps if step.name == "create"]
    assert "access denied" in step.why
    assert step.grant.startswith("grant s3:PutObject")
    assert found.left == []


def test_who_may_not_list(bucket: str) -> None:
    found = examine(Question(at(bucket, {"access_key": "no-list", "secret_key": "lists nothing"})))
    assert names(found) == {"list"}, found.steps
    (step,) = found.missing
    assert step.grant.startswith("grant s3:ListBucket on the bucket itself")
    assert clean(at(bucket, S3_KEY))


def test_a_bucket_of_which_nothing_may_be_deleted(bucket: str) -> None:
    """By its policy, as those have it who keep everything."""
    admin = client("s3", bucket, S3_KEY)
    admin.create_bucket(Bucket="kept")
    denied = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::kept/*"
    }  # fmt: skip
    allowed = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
               "Resource": ["arn:aws:s3:::kept", "arn:aws:s3:::kept/*"]}  # fmt: skip
    admin.put_bucket_policy(Bucket="kept", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allowed, denied]}))
    options = {"access_key": "no-list", "secret_key": "lists nothing", "endpoint_url": bucket, "limits": {"retries": 1}}
    store = open_store("s3://kept/static", "tests", options)
    found = examine(Question(store))
    assert "delete" in names(found), found.steps
    assert sorted(found.left) == sorted(stored.key for stored in store.list(f"{PROBES}/"))
    assert found.left


def test_a_bucket_that_is_not_public(seaweed: str) -> None:
    found = examine(Question(s3_store(seaweed, "private"), f"{seaweed}/bucket/private/", uses=["publish", "pages"]))
    assert names(found) == {"public"}


CDN = """
proxy_cache_path cache keys_zone=c:1m;
server {{
  listen 127.0.0.1:{port};
  gzip on; gzip_types text/javascript; gzip_proxied any; gzip_min_length 1000;
  location / {{
    proxy_pass {url}; proxy_cache c; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status;
    proxy_ignore_headers Vary;
    {more}
  }}
}}
"""


@pytest.mark.parametrize(
    ("more", "missing_there"),
    [
        # It keeps what it got without an Origin, and gives that to pages elsewhere.
        ("", {"cors"}),
        ("proxy_cache_key $uri$http_origin;", set()),
        ('proxy_hide_header Access-Control-Allow-Origin; add_header Access-Control-Allow-Origin "*";', set()),
        # A lifetime of its own, as some give to what they keep.
        ('proxy_cache_key $uri$http_origin; proxy_hide_header Cache-Control; add_header Cache-Control "max-age=9";',
         {"headers"}),
    ],
    ids=["forgets the origin", "keeps answers by origin", "sends CORS itself", "own lifetime"],
)  # fmt: skip
def test_a_cache_in_front(bucket: str, tmp_path: Path, more: str, missing_there: set[str]) -> None:
    port = free_port()
    with run_nginx(tmp_path, CDN.format(port=port, url=bucket, more=more), port):
        public = f"http://127.0.0.1:{port}/{BUCKET}/static/"
        found = examine(Question(at(bucket, identity("publisher")), public, "https://www.example.com"))
    assert names(found) == missing_there, found.steps
    said = {step.name: step for step in found.steps}
    assert "x-cache: MISS" in said["public"].why
    assert said["compressed"].why == "with gzip"
    if missing_there == {"cors"}:
        assert "from a request without an Origin" in said["cors"].why
    if missing_there == {"headers"}:
        assert "'max-age=9' instead of 'max-age=60, public'" in said["headers"].why
        assert "x-cache: " in said["headers"].grant


@pytest.mark.parametrize(("more", "state"), [("proxy_cache_valid 404 1h;", "missing"), ("", "ok")])
def test_a_cache_that_keeps_errors(bucket: str, tmp_path: Path, more: str, state: str) -> None:
    port = free_port()
    with run_nginx(tmp_path, CDN.format(port=port, url=bucket, more=f"proxy_cache_key $uri$http_origin; {more}"), port):
        question = Question(at(bucket, identity("publisher")), f"http://127.0.0.1:{port}/{BUCKET}/static/")
        found = examine(question, pause=lambda seconds: None)
    assert found.missing == [], found.steps
    assert [step.state for step in found.steps if step.name == "early"] == [state]


# What moto enforces: the actions and resources of IAM's policies


def for_moto(document: dict[str, Any]) -> dict[str, Any]:
    """The same with a right to delete on the bucket itself, if there is one on objects in it.

    Of a request to delete several, S3 looks at each object, moto at the bucket:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html.
    """
    if "s3:DeleteObject" not in json.dumps(document):
        return document
    more = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}"}
    return {**document, "Statement": [*document["Statement"], more]}


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """The address of moto's server, and the keys of users with the policies of the guides, which it enforces."""
    told = start_moto(tmp_path_factory.mktemp("enforcing"))
    url = told["url"]
    try:
        client("s3", url, ADMIN).create_bucket(Bucket=BUCKET)
        iam, keys = client("iam", url, ADMIN), {}
        policies = {
            "publisher": policy("s3.md", "publisher"), "web": policy("s3.md", "web"),
            "wasabi": policy("wasabi.md", "publisher"), "minio": policy("minio.md", "publisher"),
        }  # fmt: skip
        for statement in policies["publisher"]["Statement"]:
            others = [other for other in policies["publisher"]["Statement"] if other is not statement]
            policies[f"without {statement['Sid']}"] = {"Version": "2012-10-17", "Statement": others}
        for name, document in policies.items():
            user = name.replace(" ", "-")
            iam.create_user(UserName=user)
            iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=json.dumps(for_moto(document)))
            key = iam.create_access_key(UserName=user)["AccessKey"]
            keys[name] = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        # https://docs.getmoto.org/en/latest/docs/iam.html: from now on, all requests are looked at.
        fields = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(f"{url}/moto-api/reset-auth", method="POST", data=b"0", headers=fields)
        urllib.request.urlopen(asked, timeout=10).close()
        yield url, keys
    finally:
        for pid in told["pids"]:
            end(pid)


@pytest.mark.parametrize("name", ["publisher", "wasabi", "minio"])
def test_the_publisher_may_all_that_is_needed(enforcing: tuple[str, dict[str, dict[str, str]]], name: str) -> None:
    url, keys = enforcing
    found = examine(Question(at(url, keys[name])))
    assert found.missing == [], found.steps
    assert found.left == []


def test_web_processes_may_read(enforcing: tuple[str, dict[str, dict[str, str]]]) -> None:
    url, keys = enforcing
    assert examine(Question(at(url, keys["web"]), uses=["web"])).missing == []
    assert "create" in names(examine(Question(at(url, keys["web"]))))


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("without TellWhatIsThere", {"list"}),
        ("without Publish", {"create"}),
        ("without Prune", {"delete"}),
    ],
)
def test_no_statement_can_be_left_out(
    enforcing: tuple[str, dict[str, dict[str, str]]], name: str, needed: set[str]
) -> None:
    url, keys = enforcing
    found = examine(Question(at(url, keys[name])))
    assert needed <= names(found)
    assert bool(found.left) == (name == "without Prune")


def test_another_folder_is_not_the_publishers(enforcing: tuple[str, dict[str, dict[str, str]]]) -> None:
    url, keys = enforcing
    options = {**keys["publisher"], "endpoint_url": url, "limits": {"retries": 1}}
    assert "create" in names(examine(Question(open_store(f"s3://{BUCKET}/media", "tests", options))))


# Canned ACLs, which moto heeds


@pytest.mark.parametrize(("options", "missing_there"), [({"default_acl": "public-read"}, set()), ({}, {"public"})])
def test_a_canned_acl(moto: str, options: dict[str, str], missing_there: set[str]) -> None:
    store = s3_store(moto, "acl", **options)
    found = examine(Question(store, f"{moto}/bucket/acl/", origin=moto))
    assert names(found) == missing_there, found.steps
    assert clean(store)


# The others


def test_azurite(azurite: str) -> None:
    store = azure_store(azurite)
    found = examine(Question(store))
    assert found.missing == [], found.steps
    assert clean(store)


def test_fake_gcs(fake_gcs: str) -> None:
    store = google_store(fake_gcs)
    found = examine(Question(store))
    assert found.missing == [], found.steps
    assert clean(store)


# A server over SSH, and nginx before its folder


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with started() as running:
        # The key as the guide has it, restricted to SFTP.
        restriction = block("ssh.md", "authorized_keys").partition(" ssh-ed25519")[0]
        key = (running.folder / "id.pub").read_text()
        (running.folder / "authorized").write_text(f"{restriction} {key}")
        yield running


def ssh_store(server: SshServer, root: Path) -> Store:
    return open_store(f"ssh://server{root}", "tests", {"config_file": str(server.folder / "config")})


@pytest.fixture
def nginx(server: SshServer, tmp_path: Path) -> Iterator[str]:
    """nginx as the guide has it, for the folder ``srv/static`` of the server."""
    port, root = free_port(), f"{server.folder}/srv/static"
    static = static_policy(root, "/static/", ServeConfig(), RewriteConfig(), ("br", "gzip"))
    told = EdgePolicy("dedicated", static, listen=f"127.0.0.1:{port}")
    with run_nginx(tmp_path, configuration(told), port):
        yield f"http://127.0.0.1:{port}/static/"


def test_a_server_as_the_guide_says(server: SshServer, nginx: str, tmp_path: Path) -> None:
    root = server.root("srv") / "static"
    store = ssh_store(server, root)
    found = examine(Question(store, nginx, "https://www.example.com"))
    assert names(found) == {"public"}
    (step,) = [step for step in found.steps if step.name == "public"]
    assert "publish something, and check again" in step.grant
    sent(store, tmp_path / "site", {"app.js": b"export default 1;\n" * 50})
    found = examine(Question(store, nginx, "https://www.example.com"))
    assert found.missing == [], found.steps
    assert clean(store)
    (name,) = [path.name for path in root.glob("app.*.js")]
    asked = urllib.request.Request(f"{nginx}{name}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.headers["Cache-Control"] == "max-age=31536000, public, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"


def test_a_folder_where_the_user_may_not_write(server: SshServer) -> None:
    root = server.root("closed")
    root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    found = examine(Question(ssh_store(server, root)))
    assert "create" in names(found)
    (step,) = [step for step in found.steps if step.name == "create"]
    assert step.grant == "let this user write in that folder"
