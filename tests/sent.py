"""A release as it is in a store that it was sent to, put there by hand: what reads such stores is tested with it."""

from __future__ import annotations

from functools import partial
from typing import Any

from shipfiles.config import ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.manifest import Manifest, dump
from shipfiles.records import read_release
from shipfiles.release.fields import fields_of
from shipfiles.release.items import Shape, items_of, sent_manifest
from shipfiles.release.outcome import size_of
from shipfiles.release.pointing import Pointing, current_id
from shipfiles.release.publish import record_of
from shipfiles.stores.store import Store, read_all

CONFIG = ServeConfig()


def send_by_hand(built: Store, release: str, target: Store, shape: Shape) -> Manifest:
    """Make ``release`` of the store ``built`` the current one of ``target``; its manifest there."""
    manifest = read_release(partial(read_all, built), release)
    assert manifest is not None
    sent = sent_manifest(manifest, shape)
    for item in items_of(sent):
        body = next(body for key in item.sources if (body := read_all(built, key)) is not None)
        assert digest_bytes(body) == item.digest
        target.put(item.key, body, digest=item.digest, fields=fields_of(item, CONFIG))
    pointing = Pointing(target, current_id(target), lambda _: None, lambda _: None)
    body = dump(sent)
    pointing.manifest(body)
    pointing.record(record_of(release, digest_bytes(body), [size_of(entry) for entry in sent.entries.values()], 0))
    pointing.point(release, digest_bytes(body))
    return sent


def check_sent(store: Store, manifest: Manifest, *, plain: bool = True, fields: bool = True) -> None:
    """Every object of a release that was sent is there, as its manifest says, and is answered as files are served."""
    for item in items_of(manifest):
        if item.hashed or plain:
            body: Any = read_all(store, item.key)
            assert body is not None, item.key
            assert (len(body), digest_bytes(body)) == (item.size, item.digest), item.key
            stored = store.head(item.key)
            if fields:
                assert stored is not None
                assert stored.fields == fields_of(item, CONFIG), item.key
