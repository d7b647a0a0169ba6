"""What our own links to uploads are signed with, and what they bind: for who makes them and for who checks them."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.encoding import filepath_to_uri

from ..media.config import SignedConfig

_SALT = "shipfiles.media.links"


def link_keys(config: SignedConfig) -> tuple[bytes, ...]:
    """With what links are signed: the first signs, and any of them may have signed a link that is checked."""
    if config.key:
        return (config.key.encode(),)
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return tuple(salted_hmac(_SALT, "", secret=secret, algorithm="sha256").digest() for secret in secrets)


def plain_url(base_url: str, name: str) -> str:
    """The URL of ``name``, as Django's ``FileSystemStorage`` has it, without a signature."""
    return urljoin(base_url, (filepath_to_uri(name) or "").lstrip("/"))


def link_path(base_url: str, name: str) -> str:
    """What a link to ``name`` binds: the path of its URL, not quoted, whatever mount point or proxy takes off of it."""
    return unquote(urlsplit(plain_url(base_url, name)).path, errors="surrogateescape")
