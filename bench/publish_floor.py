"""The least that publishing can be: one index is read, what it does not have is put, 64 at once, the index is written.

No hashing of names, no release, no check, no second thoughts: nobody should publish so.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
from obstore.store import S3Store


def main() -> None:
    """Publish a folder under a location of a bucket."""
    folder, url, bucket, location = sys.argv[1:]
    config = {"aws_endpoint_url_s3": url, "access_key_id": os.environ["KEY"], "secret_access_key": os.environ["SECRET"]}
    store = S3Store(bucket, prefix=location, config=config, client_options={"allow_http": True})  # type: ignore[arg-type]
    files = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*") if path.is_file()}
    digests = {key: hashlib.sha256(path.read_bytes()).hexdigest() for key, path in files.items()}
    try:
        there = json.loads(bytes(obstore.get(store, "index.json").bytes()))
    except FileNotFoundError:
        there = {}
    missing = [key for key, digest in digests.items() if there.get(key) != digest]
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda key: obstore.put(store, key, files[key].read_bytes()), missing))
    if missing:
        obstore.put(store, "index.json", json.dumps(digests).encode())


if __name__ == "__main__":
    main()
