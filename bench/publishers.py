"""Those who publish static files to a bucket: Shipfiles, its peers, and what does the least."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buckets import BUCKET, KEY
from products import Product, environment
from workplace import BENCH


@dataclass(frozen=True, slots=True)
class Publisher:
    """One way to publish."""

    name: str
    backend: str = ""
    """Of collectstatic; empty for a program that publishes a folder that is ready."""
    apps: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    hashes: bool = True
    """Publishes under hashed names, too."""
    slow: tuple[str, ...] = ()
    """Parts of the bench that take it minutes: it takes part in one round of each."""
    one_by_one: bool = False
    """One request after the other, so that thousands of files take half an hour."""
    local: bool = False
    """Builds into a folder first."""


_MANY = {"CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                                "OPTIONS": {"MAX_ENTRIES": 100_000}}}}  # fmt: skip
PUBLISHERS = {
    publisher.name: publisher
    for publisher in (
        Publisher(
            "shipfiles",
            "shipfiles.django.storage.S3StaticStorage",
            ("shipfiles.django",),
            {"compress": {"codings": []}},
            local=True,
        ),
        Publisher("floor"),
        Publisher("rclone sync, tuned"),
        Publisher("aws s3 sync"),
        Publisher(
            "collectfasta manifest, 20 threads",
            "storages.backends.s3.S3ManifestStaticStorage",
            ("collectfasta",),
            settings={
                "COLLECTFASTA_STRATEGY": "collectfasta.strategies.boto3.Boto3ManifestMemoryStrategy",
                "COLLECTFASTA_THREADS": 20,
                **_MANY,
            },
            slow=("many",),
        ),
        Publisher(
            "S3StaticStorage", "storages.backends.s3.S3StaticStorage", hashes=False, slow=("admin",), one_by_one=True
        ),
        Publisher(
            "S3ManifestStaticStorage", "storages.backends.s3.S3ManifestStaticStorage", slow=("admin",), one_by_one=True
        ),
    )
}
REFERENCE = "S3ManifestStaticStorage"


def command_of(
    publisher: Publisher, url: str, location: str, release: str, source: Path, ready: Path, home: Path
) -> tuple[list[str], dict[str, str]]:
    """The command that publishes to the folder ``location`` of the bucket behind ``url``, and its environment."""
    if publisher.backend:
        connection = {
            "bucket_name": BUCKET, "location": location, "endpoint_url": url, "region_name": "us-east-1",
            "access_key": KEY[0], "secret_key": KEY[1],
        }  # fmt: skip
        named = {"release_id": release} if publisher.local else {"querystring_auth": False}
        product = Product(
            publisher.name,
            publisher.backend,
            {**connection, **named, **publisher.options},
            publisher.apps,
            publisher.settings,
            stops_at_references=False,
        )
        variables = environment(product, home / "root", folders=[("", source)], home=home)
        return [sys.executable, "-m", "django", "collectstatic", "--noinput", "-v0"], variables
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    kept |= {"HOME": str(home)}
    if publisher.name == "floor":
        arguments = [str(BENCH / "publish_floor.py"), str(ready), url, BUCKET, location]
        return [sys.executable, *arguments], {**kept, "KEY": KEY[0], "SECRET": KEY[1]}
    if publisher.name.startswith("aws"):
        credentials = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1], "AWS_REGION": "us-east-1",
                       "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
        to = [f"s3://{BUCKET}/{location}", "--endpoint-url", url, "--only-show-errors"]
        return [program("aws"), "s3", "sync", str(ready), *to], {**kept, **credentials}
    # A remote of the name "b"; https://rclone.org/docs/#environment-variables
    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": url, "ACCESS_KEY_ID": KEY[0], "SECRET_ACCESS_KEY": KEY[1],
              "REGION": "us-east-1", "NO_CHECK_BUCKET": "true", "NO_HEAD": "true"}  # fmt: skip
    tuned = ["--transfers", "64", "--checkers", "64", "--fast-list", "--checksum"]
    return (
        [program("rclone"), "sync", str(ready), f"b:{BUCKET}/{location}", *tuned],
        {**kept, **{f"RCLONE_CONFIG_B_{name}": value for name, value in remote.items()}, "RCLONE_CONFIG": ""},
    )


def program(name: str) -> str:
    """The program of a package of requirements.txt; its bare name if it is missing."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name) or name
