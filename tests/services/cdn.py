"""CDNs on this machine before a bucket of SeaweedFS that anybody may read: nginx as docs/cdn.md configures it, and
Varnish as ``ship config varnish`` does."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge.cdn_rules import varnish as generated
from shipfiles.edge.policy import EdgePolicy, static_policy
from tests.guides import FOLDER, blocks, policy
from tests.rolling.deployment import Product

from .nginx import run_nginx
from .object_servers import S3_KEY
from .servers import free_port
from .varnish import run_varnish

GUIDE = FOLDER.parent / "cdn.md"
_HOST = "example-static.s3.eu-central-1.amazonaws.com"

Change = tuple[str, str]
"""What is written otherwise than in the guide: a part of its text, which is there, and what stands in its place."""


@dataclass(frozen=True)
class Bucket:
    """A bucket as the guide to S3 makes one: of the folder ``static`` everybody may read each file."""

    server: str
    """The address of SeaweedFS."""
    name: str
    client: Any

    def options(self, location: str, **more: object) -> dict[str, object]:
        """OPTIONS of our storages and django-storages' for a folder in it."""
        return {
            **S3_KEY, "bucket_name": self.name, "endpoint_url": self.server, "region_name": "us-east-1",
            "location": location, **more,
        }  # fmt: skip

    def allow(self, *origins: str) -> None:
        """Make the rules for CORS those of the guide to S3, for these ``origins`` if there are any."""
        rules = policy("s3.md", "cors")
        if origins:
            rules["CORSRules"][0]["AllowedOrigins"] = origins
        self.client.put_bucket_cors(Bucket=self.name, CORSConfiguration=rules)


def make_bucket(server: str) -> Bucket:
    """A new one in SeaweedFS at ``server``."""
    import boto3

    name = f"cdn-{secrets.token_hex(4)}"
    client = boto3.client(
        "s3", endpoint_url=server, region_name="us-east-1", aws_access_key_id=S3_KEY["access_key"],
        aws_secret_access_key=S3_KEY["secret_key"],
    )  # fmt: skip
    client.create_bucket(Bucket=name)
    client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy("s3.md", "public")).replace("example-static", name))
    return Bucket(server, name, client)


def changed(text: str, changes: Iterable[Change]) -> str:
    """The configuration ``text`` with ``changes``."""
    for old, new in changes:
        assert old in text, f"not in the configuration: {old}"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def nginx(folder: Path, bucket: Bucket, *changes: Change, port: int = 0) -> Iterator[int]:
    """nginx, with its files in ``folder``, which is made. Gives its port."""
    port = port or free_port()
    folder.mkdir(exist_ok=True)
    (text,) = [one.text for one in blocks(GUIDE) if one.name == "nginx"]
    wanted = (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("    ssl_certificate /etc/ssl/static.example.com.pem;\n", ""),
        ("    ssl_certificate_key /etc/ssl/static.example.com.key;\n", ""),
        ("/var/cache/nginx/static", str(folder / "cache")),
        (f"https://{_HOST}/", f"{bucket.server}/{bucket.name}/"),
        *changes,
    )
    with run_nginx(folder, changed(text, wanted), port):
        yield port


RELAYED_BY_NGINX: tuple[Change, ...] = (
    ('proxy_set_header Origin "";', ""),
    ("proxy_ignore_headers Vary;", ""),
    ("proxy_hide_header Vary;", ""),
    ("proxy_hide_header Access-Control-Allow-Origin;", ""),
    ('add_header Access-Control-Allow-Origin "*" always;', ""),
)
"""It leaves CORS to the bucket."""


@contextlib.contextmanager
def varnish(folder: Path, bucket: Bucket, *changes: Change, port: int = 0) -> Iterator[int]:
    """Varnish, with its files in ``folder``, which is made. Gives its port."""
    static = static_policy("", "/", ServeConfig(), RewriteConfig(), ())
    told = EdgePolicy("dedicated", static, bucket=f"{bucket.server}/{bucket.name}/static/")
    with run_varnish(folder, changed(generated.texts(told)["default.vcl"], changes), port or free_port()) as port:
        yield port


RELAYED_BY_VARNISH: tuple[Change, ...] = (
    ("unset req.http.Origin;", ""),
    ("unset beresp.http.Vary;", ""),
    ('set resp.http.Vary = "Accept-Encoding";', ""),
    ('set resp.http.Access-Control-Allow-Origin = {"*"};', ""),
)
"""As `RELAYED_BY_NGINX`."""

CDNS: Mapping[str, Callable[..., AbstractContextManager[int]]] = {"nginx": nginx, "varnish": varnish}
RELAYED: Mapping[str, tuple[Change, ...]] = {"nginx": RELAYED_BY_NGINX, "varnish": RELAYED_BY_VARNISH}


def to_bucket(bucket: Bucket, location: str, **options: object) -> Product:
    """Shipfiles, which publishes to the folder ``location`` of ``bucket``."""
    return Product(
        "shipfiles", "shipfiles.django.storage.S3StaticStorage", bucket.options(location, **options),
        apps=("shipfiles.django",), has_releases=True,
    )  # fmt: skip
