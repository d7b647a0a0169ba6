"""What must be known in front of the application, from Django's settings: the policy for a web server or a CDN."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from django.conf import settings

from ..config import Coding, StaticConfig
from ..doctor.public import public_fault
from ..edge.policy import EdgePolicy, MediaPolicy, Mode, StaticPolicy, static_policy
from ..errors import ConfigError
from ..paths import url_unquote
from ..release.target import Target
from ..stores.azure import Azure
from ..stores.google import Google
from ..stores.local import LocalStore
from ..stores.objects import ObjectStore
from ..stores.s3 import S3
from ..stores.ssh_store import SshStore
from . import conf
from .addresses import of_azure, of_google, of_s3
from .checks.media_entry import media_of_settings
from .media_all import closed_folders, storages_of_settings
from .media_storage import MediaStorage
from .static_urls import told_url, url_setting

_BEST_FIRST: tuple[Coding, ...] = ("br", "zstd", "gzip")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HOST = re.compile(r"(?:\*\.)?(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?|\[[0-9A-Fa-f:.]+\]")
_PORT = re.compile(r":[0-9]{1,5}\Z")
_LISTEN = re.compile(r"(?:(?:[A-Za-z0-9.-]+|\*|\[[0-9A-Fa-f:.]+\]):)?([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says, which settings cannot."""

    is_server: bool = True
    """Whether it is for a web server, which may have the files on its disk; a CDN or a cache never has."""
    mode: Mode | None = None
    """``None`` for what the settings are for."""
    include_media: bool = False
    server_name: str | None = None
    listen: str = ""
    root: str = ""
    prefix: str = ""
    application: str = ""
    certificate: tuple[str, str] | None = None
    max_upload: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The policy, and what people should know of it."""

    policy: EdgePolicy
    notes: Sequence[str] = field(default=())
    """What no configuration can say, or was left out."""


def edge_policy(config: StaticConfig | None, wanted: Wanted) -> Found:
    """The policy for the static files of ``config``, ``None`` where the storage is not ours, and for uploads.

    Raises `ConfigError` for what does not go together, and ``ImproperlyConfigured`` for wrong settings.
    """
    mode = wanted.mode or _usual_mode(config, wanted)
    _check(mode, wanted)
    notes: list[str] = []
    static, host, bucket = None, "", ""
    if config is None or _has_uploads_alone(config, mode, wanted):
        where = "is not a storage of ours" if config is None else "has its files in a bucket, which answers by itself"
        notes.append(f"STORAGES['staticfiles'] {where}: this is about uploads alone.")
    else:
        static, host, is_here = _static(config, mode, wanted)
        if mode == "dedicated" and not wanted.is_server:
            bucket = _bucket_url(config, wanted)
        notes += _unsaid(static)
        if mode == "proxy" and not wanted.is_server and config.served_prefix and not wanted.prefix:
            arrives = _checked_prefix(config.served_prefix, "OPTIONS['served_prefix']")
            if arrives != static.prefix:
                notes.append(
                    f"Browsers ask for static files below {static.prefix}, and the application answers them below "
                    f"{arrives} (served_prefix): these texts change no paths, so that the CDN, or what is between the "
                    "two, must."
                )
        if wanted.include_media and mode == "dedicated" and not is_here:
            raise ConfigError(
                "--include-media: uploads are on the disk of this machine, and --mode dedicated is for a server that "
                "has static files alone. Ask for each with a command of its own."
            )
    media: tuple[MediaPolicy, ...] = ()
    if wanted.include_media:
        media, left_out = _uploads()
        notes += left_out
        if not media:
            raise ConfigError(
                "--include-media: no storage of STORAGES is shipfiles.django.storage.MediaStorage with a folder on "
                f"this machine and a URL. {' '.join(left_out)}".rstrip()
            )
    return Found(
        EdgePolicy(
            mode=mode,
            static=static,
            media=media,
            host=host if wanted.server_name is None else _checked_host(wanted.server_name),
            listen=_checked_listen(wanted.listen),
            application="" if bucket else _checked_application(wanted.application),
            bucket=bucket,
            certificate=_checked_files(wanted.certificate),
            max_upload=wanted.max_upload or _max_upload(),
        ),
        notes,
    )


def _usual_mode(config: StaticConfig | None, wanted: Wanted) -> Mode:
    """What the settings are for, where nobody says it."""
    if config is None:
        return "static-server"
    if isinstance(config, conf.RemoteConfig):
        elsewhere = not wanted.is_server or _is_ssh(conf.targets(config)[0])
        return "dedicated" if elsewhere else "static-server"
    targets = conf.targets(config)
    if names_host(_base_url(config)) and any(map(_is_ssh, targets) if wanted.is_server else targets):
        return "dedicated"
    return "static-server" if wanted.is_server else "proxy"


def _check(mode: Mode, wanted: Wanted) -> None:
    if not wanted.is_server:
        _check_cdn(wanted)
    if mode == "static-server" and not wanted.is_server:
        raise ConfigError(
            "--mode static-server is for a web server that has the files on its disk. A CDN or a cache fetches them: "
            "say --mode proxy if it does so from the application or the web server in front of it, or --mode dedicated "
            "if from a bucket or a server for static files alone."
        )
    if mode == "dedicated" and wanted.application and wanted.is_server:
        raise ConfigError(
            "--app: --mode dedicated is a host for static files alone, without an application. Leave one of the two."
        )
    if mode == "proxy" and wanted.is_server and not wanted.application:
        raise ConfigError(
            "--mode proxy: say where the application listens, which has the files: --app http://127.0.0.1:8000."
        )
    if mode == "proxy" and wanted.root:
        raise ConfigError("--root: with --mode proxy the application has the files, and no folder is read.")


def _check_cdn(wanted: Wanted) -> None:
    if wanted.include_media:
        raise ConfigError("--include-media is for web servers, which have uploads on their disk; a CDN has none.")
    given = {"--root": wanted.root, "--listen": wanted.listen, "--certificate": wanted.certificate}
    if names := [name for name, value in given.items() if value]:
        raise ConfigError(f"{' and '.join(names)}: these are for web servers. A CDN, or a cache, has its own.")


def _has_uploads_alone(config: StaticConfig, mode: Mode, wanted: Wanted) -> bool:
    return wanted.include_media and mode == "static-server" and isinstance(config, conf.RemoteConfig)


# Static files.


def _static(config: StaticConfig, mode: Mode, wanted: Wanted) -> tuple[StaticPolicy, str, bool]:
    """How static files are answered, the host of their URLs where it is known, and whether they are on this machine."""
    codings: Iterable[Coding] = config.compress.codings
    root, is_here = "", True
    if mode == "static-server":
        if isinstance(config, conf.RemoteConfig) and not wanted.root:
            raise ConfigError(_of_bucket(config.remote.where))
        root = wanted.root or conf.static_root(config)
    elif mode == "dedicated":
        target = _target(config, wanted)
        if target is not None:
            codings = _codings_of(target, codings, is_server=wanted.is_server)
            is_here = isinstance(target.store, LocalStore)
        root = wanted.root or (_root_of(target) if target is not None and wanted.is_server else "")
    url = _base_url(config)
    if mode != "dedicated" and isinstance(config, conf.RemoteConfig):
        url = told_url(url_setting("STATIC_URL"))
    prefix = _prefix(config, url, mode, wanted)
    made = static_policy(
        _checked_path(root, "The folder of the releases") if root else "",
        prefix,
        config.serve,
        config.rewrite,
        [coding for coding in _BEST_FIRST if coding in codings],
        config.compress.always,
    )
    made = replace(made, manifest_name=config.manifest_name)
    # A site's own web server answers under the name that the pages have, whatever CDN is before it.
    host = _host_of(url) if mode == "dedicated" or not wanted.is_server else ""
    return made, host, is_here


def _of_bucket(where: str) -> str:
    if where.startswith("ssh://"):
        return (
            f"--mode static-server: the files are on {where}, not on this machine. Say --mode dedicated for the web "
            "server there, or --root FOLDER if this one has them too."
        )
    return (
        f"--mode static-server: the files are in {where}, which answers by itself, and no web server has them. Say "
        "'ship config cloudfront', 'cloudflare', 'fastly' or 'varnish' for the cache in front of it; --mode proxy for "
        "a web server in front of the application; or send releases to a server of yours, too, with "
        "OPTIONS['publish']['to'] ssh://, and say --mode dedicated."
    )


def _target(config: StaticConfig, wanted: Wanted) -> Target | None:
    """The store whose files a host for static files alone answers with; ``None`` if only --root says which."""
    targets = conf.targets(config)
    if not wanted.is_server:
        # The origin: the storage's own, or the only one there is.
        return targets[0] if targets else None
    found = [target for target in targets if _is_folder(target)]
    if ssh := [target for target in found if _is_ssh(target)]:
        found = ssh
    if len(found) == 1 or (found and isinstance(config, conf.RemoteConfig) and found[0] is targets[0]):
        return found[0]
    if wanted.root:
        return None
    if found:
        raise ConfigError(
            f"--mode dedicated: releases are sent to {', '.join(str(target.store) for target in found)}. Say the "
            "folder of the one that is meant, on its machine, with --root."
        )
    there = f" They are sent to {', '.join(str(target.store) for target in targets)}, which answers by itself."
    raise ConfigError(
        "--mode dedicated: no server gets the releases. Let OPTIONS['publish']['to'] be one, "
        f"ssh://user@host/srv/static, or say the folder on its disk with --root.{there if targets else ''}"
    )


def _bucket_url(config: StaticConfig, wanted: Wanted) -> str:
    """Where a CDN asks for the files in a bucket; empty if they are on a server. Raises `ConfigError`."""
    target = _target(config, wanted)
    if target is None or not isinstance(target.store, ObjectStore):
        if not wanted.application:
            raise ConfigError(
                "--mode dedicated: say where the server answers that has the files, and is asked for them: --app "
                "https://origin.example.com."
            )
        return ""
    if wanted.application:
        if fault := public_fault(wanted.application):
            raise ConfigError(f"--app: {fault}.")
        return f"{wanted.application.rstrip('/')}/"
    place = target.store.service
    try:
        if isinstance(place, S3):
            return of_s3(place)
        if isinstance(place, Google):
            return of_google(place)
        if isinstance(place, Azure):
            return of_azure(place, "")[0]
    except ConfigError as error:
        raise ConfigError(f"{error} Say the address of the folder at which it is asked with --app.") from None
    raise ConfigError(f"Say at which address {target.store} is asked, with --app.")


def _is_ssh(target: Target) -> bool:
    return isinstance(target.store, SshStore)


def _is_folder(target: Target) -> bool:
    return isinstance(target.store, (SshStore, LocalStore))


def _codings_of(target: Target, codings: Iterable[Coding], *, is_server: bool) -> Iterable[Coding]:
    """Those whose variants are sent to ``target``. Raises `ConfigError`."""
    if target.shape.coding and is_server:
        raise ConfigError(
            f"The files on {target.store} are stored as {target.shape.coding} under their own names "
            "(publish.coding), and a web server cannot know which of them: that is for buckets. Remove publish.coding, "
            "and compressed files lie beside the others."
        )
    return codings if target.shape.variants else ()


def _root_of(target: Target) -> str:
    store = target.store
    root = store.root_path if isinstance(store, SshStore) else store.root if isinstance(store, LocalStore) else ""
    if not root.startswith("/"):
        raise ConfigError(
            f"{target.store} begins in a user's home, and no configuration can say where that is: say the folder with "
            "--root, or its absolute path in OPTIONS."
        )
    return root.rstrip("/") or "/"


def _base_url(config: StaticConfig) -> str:
    return told_url(config.base_url or url_setting("STATIC_URL"))


def names_host(url: str) -> bool:
    """Whether ``url`` says on which host files are."""
    return bool(urlsplit(url).netloc)


def _prefix(config: StaticConfig, url: str, mode: Mode, wanted: Wanted) -> str:
    """The path of the URLs, as requests arrive here."""
    text, where = wanted.prefix, "--prefix"
    if not text:
        # With a CDN in front, which may change paths, `served_prefix` is what arrives at the site's own servers.
        arrives = mode != "dedicated" and wanted.is_server and names_host(url)
        text = (config.served_prefix if arrives else None) or urlsplit(url).path
        where = "The path of STATIC_URL"
    return _checked_prefix(text, where)


def _checked_prefix(text: str, where: str) -> str:
    path = url_unquote(text if text.endswith("/") else f"{text}/")
    if path is None or not path.startswith("/") or _CONTROL.search(path) or "//" in path or "/../" in path:
        raise ConfigError(f"{where} must be a path such as /static/, not {text!r}.")
    return path


def _host_of(url: str) -> str:
    host = urlsplit(url).hostname or ""
    try:
        return f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ConfigError(f"{host!r} in STATIC_URL is not the name of a host.") from None


def _unsaid(static: StaticPolicy) -> list[str]:
    """What of the options no configuration can say."""
    serve = static.serve
    options = {
        "add_headers": (serve.add_headers is not None, "is a function of the application's"),
        "release_header": (bool(serve.release_header), "changes with each release, and a configuration does not"),
        "pull_from": (serve.pull_from is not None, "is a store that the application asks"),
    }
    return [
        f"OPTIONS['serve'][{name!r}] {why}: it is not heeded there."
        for name, (is_set, why) in options.items()
        if is_set
    ]


# Uploads.


def _uploads() -> tuple[tuple[MediaPolicy, ...], list[str]]:
    """Those of STORAGES that are on this machine's disk, and what is said of those left out."""
    found: list[MediaPolicy] = []
    notes: list[str] = []
    closed = closed_folders()
    known = dict(storages_of_settings())
    for alias in settings.STORAGES:
        storage = known.get(alias)
        if storage is None and alias != "staticfiles":
            notes.append(f"STORAGES[{alias!r}] is left out: it is not shipfiles.django.storage.MediaStorage on disk.")
        elif storage is not None and not isinstance(storage.store, LocalStore):
            notes.append(f"STORAGES[{alias!r}] is left out: its files are in {storage.store}, not on this disk.")
        elif storage is not None and not storage.base_url and storage.config.access != "private":
            notes.append(f"STORAGES[{alias!r}] is left out: it has no URL, as neither MEDIA_URL nor base_url says one.")
        elif storage is not None:
            found.append(_upload(alias, storage, closed))
    return tuple(found), notes


def _upload(alias: str, storage: MediaStorage, closed: Iterable[str]) -> MediaPolicy:
    root = os.path.abspath(storage.location)
    path = urlsplit(told_url(str(storage.base_url or ""))).path
    # Of private ones whose view hands them over, no URL has to be known.
    prefix = _checked_prefix(path, f"STORAGES[{alias!r}]: the path of the URL") if path else ""
    if prefix == "/":
        raise ConfigError(
            f"STORAGES[{alias!r}] has no path of its own in MEDIA_URL or OPTIONS['base_url'], such as /media/: all "
            "addresses of the site would be those of uploads."
        )
    if storage.config.access == "public" and os.path.realpath(root) in map(os.path.realpath, closed):
        raise ConfigError(
            f"STORAGES[{alias!r}] is public, and its folder {root} is that of another storage, of which not everybody "
            "may see everything. Give one of them another OPTIONS['location']."
        )
    return MediaPolicy(
        alias=alias,
        root=_checked_path(root, f"STORAGES[{alias!r}]: the folder"),
        prefix=prefix,
        config=replace(storage.config),
        closed=tuple(_inside(root, closed)),
    )


def _inside(root: str, folders: Iterable[str]) -> Iterable[str]:
    """Those of ``folders`` that are below ``root``, as paths below it."""
    real = os.path.join(os.path.realpath(root), "")
    for folder in folders:
        other = os.path.join(os.path.realpath(folder), "")
        if other != real and other.startswith(real):
            yield os.path.join(root, other[len(real) :]).rstrip(os.sep)


def _max_upload() -> int:
    """The largest body that the application takes, as far as its storages say it; 0 if one of them takes any."""
    known = {media.alias: media.config.safety.max_size for media in media_of_settings()}
    sizes = [known.get(alias) for alias in settings.STORAGES if alias != "staticfiles"]
    limits = [size for size in sizes if size is not None]
    if not limits or len(limits) < len(sizes):
        return 0
    # The other fields of the form, and the boundaries between them.
    return max(limits) + (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 65536


# What the command line says.


def _checked_path(path: str, what: str) -> str:
    if not path.startswith("/") or _CONTROL.search(path):
        raise ConfigError(f"{what} must be an absolute path, without control characters, not {path!r}.")
    return path


def _checked_host(text: str) -> str:
    try:
        host = text if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        host = ""
    if text and not _HOST.fullmatch(host):
        raise ConfigError(f"--server-name must be the name of a host, www.example.com, not {text!r}.")
    return host


def _checked_listen(text: str) -> str:
    matched = _LISTEN.fullmatch(text)
    if text and not (matched and 0 < int(matched[1]) < 65536):
        raise ConfigError(f"--listen must be a port, or an address and a port: 127.0.0.1:8080, not {text!r}.")
    return text


def _checked_application(text: str) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host, port = _PORT.sub("", parts.netloc), parts.port
    except ValueError:
        host, port = "", None
    good = parts.scheme in ("http", "https") and _HOST.fullmatch(host) and port != 0
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment:
        # What it is instead is not said: it may hold a password.
        raise ConfigError("--app must be a scheme, a host and a port, and nothing else: http://127.0.0.1:8000.")
    return f"{parts.scheme}://{parts.netloc}"


def _checked_files(files: tuple[str, str] | None) -> tuple[str, str] | None:
    if files is None:
        return None
    certificate, key = files
    return _checked_path(certificate, "--certificate"), _checked_path(key, "--certificate-key")
