"""The options of a media storage, one frozen dataclass a section.

Every field's docstring is its line in the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from ..errors import ConfigError
from ..media_types import is_media_type
from ..paths import path_fault

Access = Literal["public", "signed", "private"]
Mechanism = Literal["stream", "x-accel-redirect", "x-sendfile", "redirect"]


@dataclass(frozen=True, slots=True)
class NamesConfig:
    """OPTIONS["names"]: under which names uploads are stored."""

    content: bool = False
    """Whether a file is named by the digest of its bytes, so that equal files are stored once. Its extension stays."""
    prefix: str = ""
    """A folder that all names begin with, in which ``%Y``, ``%m``, ``%d`` and the other codes of ``strftime`` stand for
    the time of the upload: ``%Y/%m``."""
    shards: int = 0
    """How many folders of two hexadecimal digits, made from the name, are put before it: 0 to 4."""

    def __post_init__(self) -> None:
        if not 0 <= self.shards <= 4:
            raise ConfigError(f"names.shards must be 0 to 4, not {self.shards}.")
        if self.prefix and (fault := path_fault(self.prefix.strip("/"))):
            raise ConfigError(f"names.prefix: {self.prefix!r} is no folder: {fault}.")


@dataclass(frozen=True, slots=True)
class SignedConfig:
    """OPTIONS["signed"]: what URLs of ``access`` ``signed`` are like."""

    expires: timedelta = timedelta(hours=1)
    """How long a URL works at least, as ``timedelta``, ``"2h"`` or seconds: up to 7 days in S3's and Google's buckets,
    to 6 in Azure with a ``token_credential``. What credentials for a time have signed, such as those of a role, works
    no longer than they do."""
    rounding: timedelta | None = None
    """URLs that are made within so long are the same, so that browsers keep what they have; each works so much longer.
    Written as ``expires``. Default: a quarter of that. 0 makes another URL each second."""
    key: str | None = field(default=None, repr=False)
    """What URLs of files on this machine are signed with. Default: a key made of Django's SECRET_KEY, and those of
    SECRET_KEY_FALLBACKS are good, too."""
    secure_link: bool = False
    """Whether nginx's ``secure_link`` module checks the URLs of files on this machine, not the application. Needs a
    ``key``, which nginx knows, too."""

    def __post_init__(self) -> None:
        if self.expires <= timedelta(0):
            raise ConfigError(f"signed.expires must be some time, not {self.expires!r}.")
        if self.rounding is not None and self.rounding < timedelta(0):
            raise ConfigError(f"signed.rounding must be some time or 0, not {self.rounding!r}.")
        if self.secure_link and not self.key:
            raise ConfigError("signed.secure_link needs signed.key, which nginx's configuration has, too.")


@dataclass(frozen=True, slots=True)
class DeliveryConfig:
    """OPTIONS["delivery"]: how a view that has said yes hands a file over."""

    mechanism: Mechanism = "stream"
    """``stream``: the application sends it; ``x-accel-redirect``: nginx or Caddy does; ``x-sendfile``: Apache with
    mod_xsendfile does; ``redirect``: the browser is sent to a signed URL of the store."""
    internal_url: str = "/protected/"
    """Below which path nginx or Caddy has the files for itself, for ``x-accel-redirect``."""


@dataclass(frozen=True, slots=True)
class SafetyConfig:
    """OPTIONS["safety"]: what uploads may do in a browser, and which are taken."""

    media_types: Mapping[str, str] = field(default_factory=dict)
    """Extension, with its dot → media type, beside those that are known."""
    inline: tuple[str, ...] = ()
    """Media types that are shown in the browser, and scripts and style sheets that pages can use, though others wrote
    them: ``image/svg+xml``. What this site answers is in a sandbox even so, and runs no script; what a bucket answers
    is not."""
    check_content: bool = False
    """Whether uploads are refused whose first bytes are something else than their name says: a ``.png`` that is HTML.
    A picture of another kind than its name says is taken, with the type of its bytes."""
    max_size: int | None = None
    """Larger uploads are refused. Bytes."""
    extensions: tuple[str, ...] = ()
    """If any are given, uploads with others are refused; with the dot."""

    def __post_init__(self) -> None:
        for option, types in (("media_types", self.media_types.values()), ("inline", self.inline)):
            for text in types:
                if not is_media_type(text):
                    raise ConfigError(f"safety.{option}: {text!r} is no media type, such as 'image/svg+xml'.")
        for option, extensions in (("extensions", self.extensions), ("media_types", self.media_types)):
            for extension in extensions:
                if not extension.startswith(".") or "/" in extension:
                    raise ConfigError(f"safety.{option}: {extension!r} is no extension, such as '.svg'.")
        if self.max_size is not None and self.max_size < 0:
            raise ConfigError(f"safety.max_size must not be below 0: {self.max_size}.")


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """OPTIONS of a media storage."""

    location: str | None = None
    """The folder of the files. Default: ``MEDIA_ROOT``."""
    base_url: str | None = None
    """The URL below which browsers find them. Default: ``MEDIA_URL``; for a bucket, its own address."""
    file_permissions_mode: int | None = None
    """Permissions of new files. Default: ``FILE_UPLOAD_PERMISSIONS``."""
    directory_permissions_mode: int | None = None
    """Permissions of new folders. Default: ``FILE_UPLOAD_DIRECTORY_PERMISSIONS``."""
    store: object = None
    """Another place than ``location``: the URL or dotted path of a store, or a store itself."""
    store_options: Mapping[str, Any] = field(default_factory=dict)
    """The options of a store that is given by its URL."""
    overwrite: bool = False
    """Whether a file that is saved under a name that is taken replaces the other; else it gets another name. Django
    calls it ``allow_overwrite``, which is read, too."""
    access: Access = "public"
    """``public``: whoever knows the URL; ``signed``: whoever has one that was signed, for a while; ``private``: whom
    the view lets that ``protected`` made. Default for a bucket: ``signed``, unless its options say otherwise."""
    serve: bool = False
    """Whether the middleware and the apps serve the files below ``base_url``: ``public`` ones to everybody, ``signed``
    ones to who has a good link, ``private`` ones never."""
    shared: bool | None = None
    """Whether all instances of the site see the same ``location``, on a disk that they share: True or, where there is
    one instance and will be no other, False. Nothing but a check asks for it."""
    names: NamesConfig = field(default_factory=NamesConfig)
    signed: SignedConfig = field(default_factory=SignedConfig)
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)
    inspect: tuple[str | Callable[..., None], ...] = ()
    """Callables, or their dotted paths, that see every upload before it can be seen by others, such as a virus scanner:
    each is called with an open file and its name, and raises ``UploadRefused`` for one that shall not be stored, else
    returns None."""
    cache_control: str = ""
    """Cache-Control of the files. Default: what browsers and caches may do on their own for public files, ``private,
    max-age=…`` for as long as a URL works for signed ones, ``private, no-store`` for private ones."""
