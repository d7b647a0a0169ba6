"""Uploads of several storages, some in one another's folder or below one another's URL, and the policy for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shipfiles.config import from_mapping
from shipfiles.edge.policy import EdgePolicy, MediaPolicy
from shipfiles.media.config import MediaConfig

MECHANISMS = ("stream", "x-accel-redirect", "x-sendfile")
LINK_KEY = "key-of-links+/=()<>#"
SAFETY = {
    "inline": ["image/svg+xml", "text/css"],
    "media_types": {".step": "model/step", ".json": "text/html", ".x y": "image/png", ".7Q": "application/pdf"},
}


def aliases(root: Path, mechanism: str) -> dict[str, dict[str, Any]]:
    """STORAGES' OPTIONS by alias."""
    handed = {"delivery": {"mechanism": mechanism, "internal_url": "/inside/"}}
    signed = {"delivery": {"mechanism": mechanism, "internal_url": "/inside-links/"}}
    public = {"access": "public", "serve": True}
    return {
        "default": {**public, "location": str(root / "media"), "base_url": "/media/"},
        # Below the URLs of another, and elsewhere.
        "shown": {
            **public, "location": str(root / "shown"), "base_url": "/media/sh own/é/", "safety": SAFETY,
            "cache_control": "public, max-age=60",
        },
        # In the folder of another, and below its URLs; another one is only in its folder.
        "private": {**handed, "location": str(root / "media/private"), "base_url": "/media/private/",
                    "access": "private", "cache_control": "private, no-cache"},
        "lent": {**signed, "location": str(root / "media/lent"), "base_url": "/lent/", "access": "signed"},
        "streamed": {"location": str(root / "streamed"), "base_url": "/streamed/", "access": "private"},
        "links": {"location": str(root / "links"), "base_url": "/links/", "access": "signed",
                  "signed": {"secure_link": True, "key": LINK_KEY}},
        # Public below private: the inner one is what counts.
        "logos": {**public, "location": str(root / "streamed/logos"), "base_url": "/streamed/logos/"},
    }  # fmt: skip


def policy_for(root: Path, mechanism: str, application: str) -> EdgePolicy:
    """All of them."""
    given = aliases(root, mechanism)
    closed = tuple(one["location"] for one in given.values() if one["access"] != "public")
    media = (
        MediaPolicy(alias, one["location"], one["base_url"], from_mapping(MediaConfig, one), closed)
        for alias, one in given.items()
    )
    return EdgePolicy("static-server", None, tuple(media), application=application)
