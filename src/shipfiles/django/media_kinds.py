"""django-storages' classes that have one of our media storages in their place: what their options mean for uploads.

What is the same for static files is in `kinds`. Keys and names stay as they are there, so that nothing has to be moved;
who may read stays, too, and where nobody can tell it is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ConfigError
from ..media.config import Access, MediaConfig
from ..paths import url_quote
from ..stores.opening import checked_place
from . import kinds
from .django_storages import KindOf, Other, Values

if TYPE_CHECKING:
    from ..serve.origins import Place

_FOLDER: Mapping[str, Other] = {
    "file_permissions_mode": Other("objects have no permissions of files", "Leave it out."),
    "directory_permissions_mode": Other("there are no folders", "Leave it out."),
    "serve": Other("browsers are sent to the bucket", "Leave it out.", (False,)),
    "shared": Other("all instances see one bucket", "Leave it out.", (True,)),
}
"""What is for a folder of this machine alone."""
_ELSEWHERE = frozenset({"location", "access", "overwrite", "store", "store_options", *_FOLDER})
OURS = frozenset(f.name for f in dataclasses.fields(MediaConfig)) - _ELSEWHERE
"""The options that mean the same in all classes."""

_WHO: Mapping[str, tuple[str, ...]] = {"access": (), "overwrite": (), "allow_overwrite": ()}
"""Options of ours that decide with theirs what is done."""


@dataclass(frozen=True, slots=True)
class MediaMeant:
    """What a project's options and settings mean."""

    place: Place
    access: Access
    url: str = ""
    """Where browsers find the files of whom nobody asks for a signature; empty for ``MEDIA_URL``."""
    expires: timedelta | None = None
    """How long a signed URL works, if it is said."""
    longest: timedelta | None = None
    """How long it can work at most, if there is a limit."""
    overwrite: bool | None = None
    """Whether files are replaced, if it is said."""
    cache_control: str = ""
    """What files are answered with, if it is said."""
    replaces: bool = False
    """Whether django-storages replaces files if nobody says whether."""
    faults: tuple[str, ...] = ()
    """What was read as it was meant, and is written otherwise than django-storages would take it."""


_WEEK = timedelta(days=7)
"""https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, X-Amz-Expires;
https://docs.cloud.google.com/storage/docs/access-control/signed-urls, the same."""
_TYPES = {
    "type": "Each has its own, by its name; OPTIONS['safety']['media_types'] adds some.",
    "encoding": "Files are stored as they are given.",
}
_STORED = "files are stored as they are given"
_LEAVE = "Leave it out."
_PARTS = "parts of large files are sent at the same time, a few at once"
_METHODS = {
    "get_default_settings": "Give what it returns as attributes of the class, or in OPTIONS.",
    "get_object_parameters": "What is the same for all is object_parameters; a file's type comes of its name and of "
    "OPTIONS['safety']['media_types'].",
}


def _truth(values: Values, name: str, default: bool) -> bool:
    """Whether ``name`` says yes. Raises `ConfigError` for what is neither that nor no."""
    value = values.get(name, default)
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{name} must be True or False, not {value!r}.")
    return bool(value)


def _refuse_gzip(values: Values) -> None:
    """Raise `ConfigError` if files are to be stored otherwise than they are given."""
    if values.get("gzip"):
        raise ConfigError(
            "gzip is not honoured for media files: their size, their ranges and what a program reads would be those of "
            "compressed bytes. Leave it out (False) and let a CDN compress what it sends. Files that were stored so "
            "are read as they are stored: save them again without gzip before you switch"
        )


def _seconds(values: Values, name: str) -> timedelta | None:
    """The time that ``name`` says; ``None`` if it says none. Raises `ConfigError`."""
    value = values.get(name)
    if value is None or value == 0:
        return None
    if isinstance(value, timedelta):
        found = value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found = timedelta(seconds=value)
    else:
        raise ConfigError(f"{name} must be a number of seconds or a timedelta, not {value!r}.")
    if found <= timedelta(0):
        raise ConfigError(f"{name} must be some time, not {value!r}.")
    return found


def _overwrite(values: Values, theirs: str) -> bool | None:
    """Whether files are replaced, in any of the words for it; ``None`` if none is said. Raises `ConfigError`."""
    said = {name: _truth(values, name, False) for name in ("overwrite", "allow_overwrite", theirs) if name in values}
    options = {name: value for name, value in said.items() if not values.sources.get(name)} or said
    if len(set(options.values())) > 1:
        raise ConfigError(f"{' and '.join(options)} contradict each other: they are words for one thing.")
    return next(iter(options.values()), None)


def _access(values: Values, derived: Access, option: str = "", signs: bool = True) -> Access:
    """Who may read: as OPTIONS["access"] says, else as django-storages had it.

    ``option`` is that which says whether URLs are signed, if one does. Raises `ConfigError`.
    """
    said: Access | None = values.get("access")
    if said == "signed" and values.text("base_url"):
        raise ConfigError(
            "access 'signed' and base_url contradict each other: that is where browsers find files without a "
            "signature. Where URLs are signed for another address than the store's own, give that as signing_url."
        )
    if said == "signed" and not signs and not values.sources.get(option):
        raise ConfigError(f"access 'signed' and {option} {values.get(option)!r} contradict each other.")
    return derived if said is None else said


def _shown(access: Access, url: str, values: Values) -> str:
    """Where browsers find files without a signature: at ``url``, if that is for everybody."""
    return url if access == "public" else values.text("base_url")


def _without_folder(url: str, prefix: str) -> str:
    """The address of a bucket, of which ``url`` is that of the folder ``prefix``."""
    return url.removesuffix(url_quote(prefix)).rstrip("/")


def _check_acl(place: Place, access: Access) -> None:
    """Raise `ConfigError` if everybody may read what only a view should give."""
    if access == "private" and (acl := open_acl(place)):
        raise ConfigError(
            f"default_acl {acl!r} lets everybody read what access 'private' is to keep. Leave it out; files that are "
            "in the bucket already keep theirs until it is changed there."
        )


_OPEN = frozenset({"public-read", "public-read-write", "authenticated-read", "publicRead", "authenticatedRead"})
"""ACLs that let everybody read, or everybody who has an account of the provider."""


def open_acl(place: object) -> str:
    """The ACL of new objects in ``place`` if it lets everybody read; else empty."""
    parameters = getattr(place, "object_parameters", {})
    given = parameters.get("ACL") or parameters.get("acl") or getattr(place, "default_acl", None)
    return given if isinstance(given, str) and given in _OPEN else ""


MediaKind: TypeAlias = KindOf[MediaMeant]

# S3.


def _s3(values: Values) -> MediaMeant:
    from ..stores.s3 import S3

    _refuse_gzip(values)
    kinds.choose_key(values)
    control = kinds.cache_control(
        values, "CacheControl", {"ContentType": _TYPES["type"], "ContentEncoding": _TYPES["encoding"]}
    )
    own = {name: values.pop(name) for name in _CLOUDFRONT if values.get(name) not in (None, "")}
    options = values.only(S3)
    place = checked_place(S3, options, "OPTIONS")
    asked = _truth(values, "querystring_auth", True)
    domain = bool(values.text("custom_domain"))
    is_public = not asked or values.text("base_url") or (domain and not own)
    access = _access(values, "public" if is_public else "signed", "querystring_auth", asked)
    url, faults = kinds.s3_url(values, place) if access == "public" or domain else ("", ())
    if access == "signed" and domain:
        if not own:
            raise ConfigError(
                "access 'signed' needs cloudfront_key and cloudfront_key_id where browsers are sent to custom_domain: "
                "the bucket's own signatures are good at its own address. Give them, or leave that out."
            )
        place = checked_place(S3, {**options, **own, "signing_url": _without_folder(url, place.prefix)}, "OPTIONS")
    _check_acl(place, access)
    return MediaMeant(
        place,
        access,
        _shown(access, url, values),
        _seconds(values, "querystring_expire"),
        longest=None if own and domain else _WEEK,
        overwrite=_overwrite(values, "file_overwrite"),
        cache_control=control,
        replaces=True,
        faults=faults,
    )


_CLOUDFRONT = ("cloudfront_key", "cloudfront_key_id", "cloudfront_signer")
"""Heeded where there is a ``custom_domain``, as there."""


def _only(others: Mapping[str, Other], names: Iterable[str]) -> dict[str, Other]:
    return {name: others[name] for name in names}


def _named(other: Other, setting: str) -> Other:
    """``other`` with a setting of it, which is of uploads: none of static files is told of it."""
    return dataclasses.replace(other, setting=setting)


S3: MediaKind = KindOf(
    settings={
        **kinds.S3.settings,
        "querystring_auth": ("AWS_QUERYSTRING_AUTH",),
        "querystring_expire": ("AWS_QUERYSTRING_EXPIRE",),
        "cloudfront_key": ("AWS_CLOUDFRONT_KEY",),
        "cloudfront_key_id": ("AWS_CLOUDFRONT_KEY_ID",),
        "cloudfront_signer": (),
        "file_overwrite": ("AWS_S3_FILE_OVERWRITE",),
        **_WHO,
    },
    environment=kinds.S3.environment,
    more=(*kinds.S3.more, "signing_url"),
    others={
        **_FOLDER,
        **_only(kinds.S3.others, ("signature_version", "file_name_charset", "proxies")),
        "max_memory_size": _named(kinds.S3.others["max_memory_size"], "AWS_S3_MAX_MEMORY_SIZE"),
        "gzip_content_types": Other(_STORED, _LEAVE, kinds.S3.others["gzip_content_types"].nothing),
        "use_threads": Other(_PARTS, _LEAVE, (True,), "AWS_S3_USE_THREADS"),
        "transfer_config": Other(f"it is boto3's, which is not used; {_PARTS}", _LEAVE, (), "AWS_S3_TRANSFER_CONFIG"),
        "client_config": kinds.S3.others["client_config"],
    },
    meant=_s3,
    methods=_METHODS,
    ours=OURS,
)

# Google Cloud Storage.


def _google(values: Values) -> MediaMeant:
    from ..stores.google import Google

    _refuse_gzip(values)
    control = kinds.cache_control(
        values, "cache_control", {"content_type": _TYPES["type"], "content_encoding": _TYPES["encoding"]}
    )
    options = values.only(Google)
    place = checked_place(Google, options, "OPTIONS")
    asked = _truth(values, "querystring_auth", True)
    is_public = not asked or place.acl == "publicRead" or values.text("base_url")
    access = _access(values, "public" if is_public else "signed", "querystring_auth", asked)
    _check_acl(place, access)
    url, faults = kinds.google_url(values, place)
    if access == "signed" and values.text("custom_endpoint"):
        place = checked_place(Google, {"signing_url": _without_folder(url, place.prefix), **options}, "OPTIONS")
    return MediaMeant(
        place,
        access,
        _shown(access, url, values),
        _seconds(values, "expiration") or timedelta(days=1),
        longest=_WEEK,
        overwrite=_overwrite(values, "file_overwrite"),
        cache_control=control,
        replaces=True,
        faults=faults,
    )


GOOGLE: MediaKind = KindOf(
    settings={
        **kinds.GOOGLE.settings,
        "querystring_auth": ("GS_QUERYSTRING_AUTH",),
        "expiration": ("GS_EXPIRATION",),
        "iam_sign_blob": ("GS_IAM_SIGN_BLOB",),
        "sa_email": ("GS_SA_EMAIL",),
        "file_overwrite": ("GS_FILE_OVERWRITE",),
        **_WHO,
    },
    more=(*kinds.GOOGLE.more, "hmac_access_id", "hmac_secret", "signing_url"),
    others={
        **_FOLDER,
        "max_memory_size": _named(kinds.GOOGLE.others["max_memory_size"], "GS_MAX_MEMORY_SIZE"),
        "gzip_content_types": Other(_STORED, _LEAVE, kinds.GOOGLE.others["gzip_content_types"].nothing),
    },
    meant=_google,
    methods=_METHODS,
    ours=OURS,
)

# Azure Blob Storage.


def _azure(values: Values) -> MediaMeant:
    from ..stores.azure import Azure

    kinds.choose_credential(values)
    control = kinds.cache_control(
        values, "cache_control", {"content_type": _TYPES["type"], "content_encoding": _TYPES["encoding"]}
    )
    control = control or values.text("cache_control")
    values.drop("cache_control")
    options = values.only(Azure)
    place = checked_place(Azure, options, "OPTIONS")
    expires = _seconds(values, "expiration_secs")
    if expires is None and place.sas_token is not None and values.get("access") is None:
        raise ConfigError(
            "access is needed with sas_token: django-storages puts the token itself into every URL, and Shipfiles does "
            "not. 'private' lets a view decide; 'public' is for a container that everybody may read; for 'signed' "
            "give account_key in place of the token, and expiration_secs."
        )
    access = _access(values, "public" if expires is None else "signed")
    url, faults = kinds.azure_url(values, place)
    if access == "signed" and values.text("custom_domain"):
        place = checked_place(Azure, {"signing_url": _without_folder(url, place.prefix), **options}, "OPTIONS")
    return MediaMeant(
        place,
        access,
        _shown(access, url, values),
        expires,
        overwrite=_overwrite(values, "overwrite_files"),
        cache_control=control,
        faults=faults,
    )


AZURE: MediaKind = KindOf(
    settings={
        **kinds.AZURE.settings,
        "expiration_secs": ("AZURE_URL_EXPIRATION_SECS",),
        "overwrite_files": ("AZURE_OVERWRITE_FILES",),
        **_WHO,
    },
    more=(*kinds.AZURE.more, "signing_url"),
    others={
        **_FOLDER,
        **_only(kinds.AZURE.others, ("timeout", "api_version", "client_options")),
        "max_memory_size": _named(kinds.AZURE.others["max_memory_size"], "AZURE_BLOB_MAX_MEMORY_SIZE"),
        "upload_max_conn": Other(_PARTS, _LEAVE, (2,), "AZURE_UPLOAD_MAX_CONN"),
        "default_content_type": Other(
            "a type that nobody knows is application/octet-stream", _TYPES["type"], ("application/octet-stream",)
        ),
    },
    meant=_azure,
    methods=_METHODS,
    ours=OURS,
)

# SFTP.


def _ssh(values: Values) -> MediaMeant:
    access: Access = values.get("access") or "public"
    return MediaMeant(
        kinds.ssh_place(values), access, values.text("base_url"), overwrite=_overwrite(values, "overwrite")
    )


SFTP: MediaKind = KindOf(
    settings={**kinds.SFTP.settings, **_WHO},
    more=kinds.SFTP.more,
    others={
        **kinds.SFTP.others,
        "file_permissions_mode": Other("file_mode says it of files on a server", "Use that."),
        "directory_permissions_mode": Other("dir_mode says it of folders on a server", "Use that."),
        "serve": Other("files of a server are given out by it, or by a view", "Leave it out.", (False,)),
        "shared": Other("all instances see one server", "Leave it out.", (True,)),
    },
    meant=_ssh,
    methods=kinds.SFTP.methods,
    unheeded=kinds.SFTP.unheeded,
    ours=OURS,
)

OF_SCHEME: Mapping[str, MediaKind] = {
    scheme: dataclasses.replace(kind, settings=dict.fromkeys(kind.settings, ()), environment={})
    for scheme, kind in {"s3": S3, "gs": GOOGLE, "az": AZURE, "ssh": SFTP}.items()
}
"""Those of a store that is given by its URL: no setting or variable says which or whose it is."""

WORDS = frozenset(
    {name for kind in OF_SCHEME.values() for name in (*kind.settings, *kind.more, *kind.others)}
    - {f.name for f in dataclasses.fields(MediaConfig)}
    - {"allow_overwrite"}
)
"""The options that belong to a store."""
