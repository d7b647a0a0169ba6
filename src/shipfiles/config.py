"""The options, one frozen dataclass a section. An unknown key is an error that names the nearest valid one.

Every field's docstring is its line in the reference.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from .durations import parse_duration
from .errors import ConfigError, did_you_mean, nearest_names
from .header_rules import checked_rules, field_fault, is_field_name
from .media_types import is_media_type
from .paths import path_fault, url_path_fault

Coding = Literal["br", "gzip", "zstd"]
Severity = Literal["error", "warning", "note", "ignore"]
Profile = Literal["small", "fast"]

ROOT_PREFIX = "site-root/"
"""The folder of a release in which the files of ``serve.root_folder`` are."""

_TAKEN_FIELDS = frozenset({
    "accept-ranges", "access-control-allow-headers", "access-control-allow-methods", "access-control-allow-origin",
    "age", "allow", "cache-control", "connection", "content-encoding", "content-language", "content-length",
    "content-location", "content-range", "content-security-policy", "content-type", "date", "etag", "expires",
    "keep-alive", "last-modified", "link", "location", "retry-after", "server", "set-cookie",
    "strict-transport-security", "te", "trailer", "transfer-encoding", "upgrade", "vary", "www-authenticate",
    "x-content-type-options", "x-frame-options",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class CompressConfig:
    """OPTIONS["compress"]: which files get compressed siblings."""

    codings: tuple[Coding, ...] = ("br", "gzip")
    """The content codings to make: ``br``, ``gzip``, and ``zstd``, which needs ``shipfiles[zstd]`` before Python 3.14.
    An empty list makes none. A storage whose files are in a bucket, which cannot pick among them, makes only what
    ``publish`` asks for unless this says otherwise."""
    profile: Profile = "small"
    """``small`` or ``fast``: which qualities the encoders use where the next two options do not say it."""
    brotli_quality: int | None = None
    """0 (fast) to 11 (small), for all files. Default: what the profile says for each."""
    gzip_level: int | None = None
    """1 (fast) to 12 (small), for all files. Default: what the profile says."""
    zstd_level: int | None = None
    """1 (fast) to 22 (small), for all files. Default: what the profile says."""
    min_size: int = 200
    """Smaller files are left alone: their head is larger than what could be saved. Bytes."""
    max_size: int = 32 * 1024 * 1024
    """Larger files are left alone: they would hold a worker for minutes. Bytes."""
    margin: float = 0.05
    """A variant is kept only if it is smaller than the original by this part of it."""
    skip_extensions: tuple[str, ...] = ()
    """Extensions never compressed, with or without the dot, beside the types that are compressed in themselves."""
    always: tuple[str, ...] = ()
    """Extensions, with or without the dot, of which every file gets a variant in each of the codings, whatever its size
    and though it be no smaller: for a CDN that goes by the name alone and cannot ask what is there."""

    def __post_init__(self) -> None:
        for extension in self.always:
            bare = extension.removeprefix(".").casefold()
            if bare in ("", "svgz", "gz", "br", "zst") or "/" in bare or "." in bare:
                raise ConfigError(f"compress.always: {extension!r} is not an extension of files to be compressed")
            if bare in {other.removeprefix(".").casefold() for other in self.skip_extensions}:
                raise ConfigError(f"compress.always: {extension!r} is among compress.skip_extensions, too")
        if self.brotli_quality is not None:
            _between("compress.brotli_quality", self.brotli_quality, 0, 11)
        if self.gzip_level is not None:
            _between("compress.gzip_level", self.gzip_level, 1, 12)
        if self.zstd_level is not None:
            _between("compress.zstd_level", self.zstd_level, 1, 22)
        _between("compress.margin", self.margin, 0, 1)


@dataclass(frozen=True, slots=True)
class MissingRule:
    """An item of OPTIONS["rewrite"]["missing"] and ["proof"]["missing"]: what certain references to missing files mean.

    Patterns are those of the shell, case-sensitive; ``*`` also stands for slashes.
    """

    severity: Severity
    """``error`` stops the build, ``warning`` and ``note`` are reported, ``ignore`` is not."""
    files: str = "*"
    """Pattern of the logical paths of the files that refer. For a proof, of a template or module: its path, its path
    below ``BASE_DIR`` (``shop/*``), or the name by which a template is loaded."""
    references: str = "*"
    """Pattern of what is referred to: the reference as it is written, or the logical path that was looked for."""


@dataclass(frozen=True, slots=True)
class RewriteConfig:
    """OPTIONS["rewrite"]: which references are turned into hashed names, and what a broken one means."""

    css: bool = True
    """Rewrite ``url()`` and ``@import`` in style sheets."""
    javascript: bool = True
    """Rewrite import and export specifiers in JavaScript modules."""
    html: bool = True
    """Rewrite what HTML files load."""
    svg: bool = True
    """Rewrite what SVG files load."""
    json: bool = True
    """Rewrite icons in web app manifests and ``browserconfig.xml``, addresses in import maps."""
    skip: tuple[str, ...] = ()
    """Patterns of logical paths of files that are published as they are."""
    bundled: bool = True
    """Whether files that a bundler has hashed, by its manifest or by their names, keep their names and bytes."""
    bundled_names: tuple[str, ...] = ()
    """Patterns of logical paths of files that keep their names whatever these look like: they are cached for ever."""
    unbundled_names: tuple[str, ...] = ()
    """Patterns of logical paths of files that get hashed names whatever a bundler did to them."""
    max_size: int = 32 * 1024 * 1024
    """Larger files are published as they are, with a warning. Bytes."""
    own_missing: Severity = "error"
    """What a reference to a missing file means in the project's own files."""
    package_missing: Severity = "warning"
    """What a reference to a missing file means in installed packages."""
    optional_missing: Severity = "note"
    """The same, in all files, where nothing is lost without the file: a source map, an ``@import`` in a place where
    browsers ignore it, the URLs of a piece of HTML that only makes sense inside a page."""
    missing: tuple[MissingRule, ...] = ()
    """Exceptions from these three; of several rules that fit the first counts."""


@dataclass(frozen=True, slots=True)
class ProofConfig:
    """OPTIONS["proof"]: what it means that a template or Python names a static file that is not there."""

    on_collect: bool = True
    """Whether ``collectstatic`` proves the names before it publishes; ``ship check`` always does."""
    own_missing: Severity = "error"
    """What a missing name means in the project's own templates and Python."""
    package_missing: Severity = "warning"
    """What a missing name means in installed packages."""
    missing: tuple[MissingRule, ...] = ()
    """Exceptions from these two: ``files`` are templates and modules, by their paths, absolute or below ``BASE_DIR``,
    or by a template's name; ``references`` are the names of static files."""
    aliases: tuple[str, ...] = ()
    """Template tags, and functions in Python and Jinja2, that take a name as ``static`` does: ``versioned_static``."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """OPTIONS["serve"]: how files are answered."""

    max_age: int = 60
    """``Cache-Control: max-age`` of files under their plain names. Seconds."""
    immutable_max_age: int = 31_536_000
    """``Cache-Control: max-age`` of files under their hashed names. Seconds; a year is what RFC 9111 caches honour."""
    allow_all_origins: bool = True
    """Send ``Access-Control-Allow-Origin: *``: fonts and modules need it when pages come from another host."""
    charset: str = "utf-8"
    """The charset of text types; empty for none."""
    media_types: Mapping[str, str] = field(default_factory=dict)
    """Extension (``.foo``) or file name → media type, beside the built-in table; noted when files are collected."""
    pull_from: object = None
    """Another store with releases, from which a hashed name that the folder lacks is fetched: the absolute path of a
    folder, its ``file://`` URL, or a store object or its dotted path."""
    memory: int = 32 * 1024 * 1024
    """How much of small files under hashed names, with their headers, a process keeps ready to be sent; those that
    nobody asked for lately go first. 0 for nothing. Bytes."""
    release_header: str = ""
    """Name of a response header with the id of the release that the process uses, such as ``X-Release``: on static
    files and on the application's own responses. Empty for none."""
    root_folder: str | None = None
    """A folder whose files are served at the root of the site: ``robots.txt`` in it at ``/robots.txt``. They are
    collected and belong to the release, as ``site-root/robots.txt``. Relative to ``BASE_DIR``, or to the current folder
    without one."""
    root_files: Mapping[str, str] = field(default_factory=dict)
    """URL path → logical path of a static file that is served there too: ``{"/favicon.ico": "img/favicon.ico"}``."""
    index_file: str = ""
    """Name of the file, such as ``index.html``, that answers for its folder: ``/docs/`` is ``/docs/index.html``, which
    is redirected there, as is ``/docs``. At the root of the site and below ``STATIC_URL``. Empty for none."""
    single_page: str = ""
    """Logical path of the page, such as ``site-root/index.html``, that answers in place of a 404 of the application
    where a browser asks for a page. Empty for none."""
    default_headers: Mapping[str, Any] = field(default_factory=dict)
    """Headers of all files, as a rule of ``headers`` that comes before the others. Default: ``Referrer-Policy`` and
    ``Cross-Origin-Opener-Policy`` as Django's ``SecurityMiddleware`` gives them to pages, if it is in
    ``MIDDLEWARE``."""
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Pattern of logical paths → dict of headers, whose values are strings, or ``None`` to leave a header out; or the
    name of a preset: ``cors``, ``cross-origin``, ``same-origin``, ``timing``, ``inert``; or a list of these. Of several
    that fit, the later ones count more. ``*`` also stands for slashes."""
    add_headers: str | Callable[..., object] | None = None
    """A callable, or its dotted path, that is given the headers of a file (``wsgiref.headers.Headers``), its path on
    the disk and the path of its URL, and may change the first; called for each URL and content coding, and not again
    while the file cannot change."""
    cache_tags: Literal["", "Cache-Tag", "Edge-Cache-Tag", "Surrogate-Key"] = ""
    """Name of a header with tags by which a CDN can be told to forget files: ``Surrogate-Key`` (Fastly), ``Cache-Tag``
    (Cloudflare), ``Edge-Cache-Tag`` (Akamai). Empty for none."""
    follow_current: bool = False
    """Whether a process goes over to a release that becomes current while it runs, within seconds. Else it keeps the
    release that it began with."""

    def __post_init__(self) -> None:
        if self.release_header and not is_field_name(self.release_header):
            raise ConfigError(f"serve.release_header {self.release_header!r} is not the name of a header")
        if self.release_header.lower() in _TAKEN_FIELDS:
            raise ConfigError(f"serve.release_header {self.release_header!r} means something else; take X-Release")
        self._check_types()
        self._check_root()
        # Presets are written out here, once.
        object.__setattr__(self, "headers", checked_rules(self.headers, "serve.headers"))
        for name, value in self.default_headers.items():
            if fault := field_fault(name, "" if value is None else value):
                raise ConfigError(f"serve.default_headers: {fault}")

    def _check_types(self) -> None:
        for key, type_ in self.media_types.items():
            if not is_media_type(type_):
                raise ConfigError(f"serve.media_types[{key!r}] {type_!r} is not a media type, such as 'text/plain'")
            if not key or "/" in key:
                raise ConfigError(f"serve.media_types: {key!r} is neither an extension with its dot nor a file name")
        if self.charset and not is_media_type(f"text/plain; charset={self.charset}"):
            raise ConfigError(f"serve.charset {self.charset!r} is not the name of a charset")

    def _check_root(self) -> None:
        for path, logical in self.root_files.items():
            if fault := url_path_fault(path):
                raise ConfigError(f"serve.root_files: {path!r} cannot be a path of the site: {fault}")
            if fault := path_fault(logical):
                raise ConfigError(f"serve.root_files[{path!r}] {logical!r} cannot be a static file: {fault}")
        if self.index_file and ("/" in self.index_file or path_fault(self.index_file)):
            raise ConfigError(f"serve.index_file {self.index_file!r} is not the name of a file")
        if self.single_page and (fault := path_fault(self.single_page)):
            raise ConfigError(f"serve.single_page {self.single_page!r} cannot be a static file: {fault}")


@dataclass(frozen=True, slots=True)
class CacheConfig:
    """OPTIONS["cache"]: what is remembered from run to run, on this machine or wherever the folder is restored."""

    enabled: bool = True
    """Whether to remember anything."""
    folder: str | None = None
    """The folder; it may be deleted, shared between branches and kept between CI runs. Relative to ``BASE_DIR``, or to
    the current folder without one. Default: ``.cache/shipfiles``."""
    max_size: int = 1024 * 1024 * 1024
    """Compressed files that were not used for longest are removed beyond this size. Bytes."""


@dataclass(frozen=True, slots=True)
class RetainConfig:
    """OPTIONS["retain"]: which releases ``ship prune`` keeps beside the current one and the one before it."""

    keep: int = 5
    """At least so many of the newest releases."""
    younger_than: str = "7d"
    """All that were made, or were still current, less than this ago: pages live on in caches. ``7d``, ``12h``,
    ``30m``."""
    on_collect: bool = False
    """Whether ``collectstatic`` prunes when its release is current. If that fails, the release stays, and the command
    says so."""

    def __post_init__(self) -> None:
        try:
            parse_duration(self.younger_than)
        except ValueError as error:
            raise ConfigError(f"retain.younger_than: {error}") from None

    @property
    def age(self) -> timedelta:
        """``younger_than`` as a length of time."""
        return parse_duration(self.younger_than)


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """OPTIONS["publish"]: where releases are sent besides, and in what form."""

    to: object = field(default=(), repr=False)
    """Stores that get each release too; one or a list of them. Each is a URL (``s3://bucket/folder``, ``gs://``,
    ``az://``, ``ssh://user@host/folder``, ``file://``), the path of a folder, a store object or its dotted path; or a
    dict with ``url``, the store's own options, and what is different there of the options below."""
    hashed_only: bool = False
    """Whether files are sent under their hashed names alone. What is loaded by its plain name, without ``{% static %}``
    or a reference that can be rewritten, is not found there then."""
    variants: bool | None = None
    """Whether compressed files are sent beside theirs, as ``.br``, ``.gz`` and ``.zst``, for a web server that picks
    them. Default: to folders and ``ssh://`` yes; to buckets, which cannot pick, no."""
    coding: Literal["", "br", "gzip", "zstd"] = ""
    """The content coding in which files are stored under their own names, with ``Content-Encoding``, whatever a browser
    accepts: what django-storages calls ``gzip``. Empty for none. Files that it would not make smaller stay as they
    are."""
    django_manifest: str = ""
    """Where a manifest that stock Django can read is put as well: a key in which ``{release}`` stands for the id, such
    as ``{release}/staticfiles.json``. Empty for none."""
    at_once: int = 64
    """Requests that are under way at the same time, to each store."""

    def __post_init__(self) -> None:
        to = tuple(self.to) if isinstance(self.to, (list, tuple)) else (self.to,)
        object.__setattr__(self, "to", to)
        for i, target in enumerate(to):
            where = f"publish.to[{i}]"
            # What it is instead is not said: it may hold secrets.
            if isinstance(target, Mapping):
                if not (isinstance(url := target.get("url"), str) and url):
                    raise ConfigError(f"{where} needs the key 'url', a string such as 's3://bucket/folder'")
            elif target is None or target == "" or isinstance(target, (bytes, int, float)):
                raise ConfigError(f"{where} must be a URL, the path of a folder, a dict with 'url', or a store")
        if self.coding and self.variants:
            raise ConfigError(
                f"publish.variants: files that are stored as {self.coding} (publish.coding) have no variants beside "
                "them. Set one of the two"
            )
        _between("publish.at_once", self.at_once, 1, 256)
        if fault := _manifest_pattern_fault(self.django_manifest):
            raise ConfigError(f"publish.django_manifest {self.django_manifest!r} cannot be used: {fault}")

    def differing(self, given: Mapping[str, Any], where: str) -> tuple[PublishConfig, dict[str, Any]]:
        """For one store of ``to``: these options with what ``given`` says, its dict; and the rest of that, without the
        URL, which are the store's own. Raises `ConfigError`.
        """
        own = {f.name for f in dataclasses.fields(self)} - {"to"}
        rest = {name: value for name, value in given.items() if name not in own and name != "url"}
        mine = {name: getattr(self, name) for name in own}
        return from_mapping(PublishConfig, mine | {n: v for n, v in given.items() if n in own}, where), rest


@dataclass(frozen=True, slots=True)
class PurgeConfig:
    """OPTIONS["purge"]: which CDNs and caches are to forget what a new release, or a rollback, has changed."""

    caches: object = field(default=(), repr=False)
    """One or a list of them. Each is a dict with ``purger``, that is ``"cloudfront"``, ``"cloudflare"``, ``"fastly"``,
    ``"varnish"`` or the dotted path of a class of your own, and what that one needs; or such an object."""
    pages: tuple[str, ...] = ()
    """URLs of pages that are purged with each release, since they name its files: ``/``, ``/about/``."""
    site_url: str = ""
    """Where the site is, ``https://www.example.com``: what URLs begin with whose settings name no host."""
    by_tag: bool = False
    """Whether files are purged by their tags (``serve.cache_tags``) instead of their URLs, where a cache knows tags."""
    automatic: bool = True
    """Whether every command that makes another release the current one purges; else only ``ship purge`` does."""

    def __post_init__(self) -> None:
        caches = tuple(self.caches) if isinstance(self.caches, (list, tuple)) else (self.caches,)
        object.__setattr__(self, "caches", caches)
        for i, given in enumerate(caches):
            # What it is instead is not said: it may hold secrets.
            if isinstance(given, Mapping) and not (isinstance(name := given.get("purger"), str) and name):
                raise ConfigError(f"purge.caches[{i}] needs the key 'purger', such as 'cloudfront'")
            if not isinstance(given, Mapping) and not callable(getattr(given, "purge", None)):
                raise ConfigError(f"purge.caches[{i}] must be a dict with 'purger', or an object that purges")
        if self.site_url and not re.fullmatch(r"https?://[^/?#\s@*]+/?", self.site_url):
            raise ConfigError("purge.site_url must be a scheme and a host, such as 'https://www.example.com'")
        for page in self.pages:
            if re.match(r"[^/?#]*//[^/?#]*@", page):
                raise ConfigError(
                    "purge.pages: one of them holds a name or a password: no cache knows pages by such URLs"
                )
            if not re.fullmatch(r"https?://[^/?#\s@*]+(?:/[^#\s*]*)?|/(?!/)[^#\s*]*", page):
                raise ConfigError(f"purge.pages: {page!r} is neither a path that begins with a slash nor a URL")
        for name, url in (("site_url", self.site_url), *(("pages", page) for page in self.pages)):
            try:
                _ = urlsplit(url).port
            except ValueError as error:
                raise ConfigError(f"purge.{name}: {url!r} is no URL: {error}") from None


def _manifest_pattern_fault(pattern: str) -> str:
    """Why ``pattern`` is no key with ``{release}`` for the id; empty if it is, or if it is empty."""
    key = pattern.replace("{release}", "r")
    if not pattern:
        return ""
    if "{" in key or "}" in key:
        return "{release} is all that may stand in braces"
    if key.endswith("/"):
        return "it must name a file, such as '{release}/staticfiles.json'"
    return path_fault(key)


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """STORAGES["staticfiles"]["OPTIONS"], with the defaults that Django's settings give."""

    location: str | None = None
    """The folder of the releases. Default: ``STATIC_ROOT``."""
    base_url: str | None = None
    """The URL of that folder. Default: ``STATIC_URL``."""
    served_prefix: str | None = None
    """The path below which requests for static files arrive, where that of their URL is another: behind a CDN or proxy
    that changes paths. Default: the path of ``base_url`` without ``FORCE_SCRIPT_NAME``."""
    file_permissions_mode: int | None = None
    """Mode of published files. Default: ``FILE_UPLOAD_PERMISSIONS``."""
    directory_permissions_mode: int | None = None
    """Mode of folders made. Default: ``FILE_UPLOAD_DIRECTORY_PERMISSIONS``."""
    manifest_name: str = "staticfiles.json"
    """Name of the manifest that stock Django can read."""
    manifest_strict: bool = True
    """Whether a name that the manifest lacks is an error; else its plain URL is given if such a file is there."""
    check_names: bool = True
    """With ``DEBUG`` and in tests, whether a name that no finder has is the error that it will be in production."""
    workers: int = 0
    """Threads for reading, compressing and writing; 0 for one for each processor that this process may use."""
    release_id: str | None = None
    """The id of the release that ``collectstatic`` makes and that a process uses. Default: what the strategy tells."""
    release_id_strategy: str | Callable[[], str] | None = None
    """A callable without arguments that tells it, or its dotted path, such as
    ``shipfiles.release.identity.git_commit``. Default: the id is made from the files, and a process uses the current
    release."""
    release_file: str | None = None
    """A file that ``collectstatic`` writes with the manifest of the release that it made, for processes that find it in
    their image: they use that release. Relative to ``BASE_DIR``, or to the current folder without one."""
    compress: CompressConfig = field(default_factory=CompressConfig)
    rewrite: RewriteConfig = field(default_factory=RewriteConfig)
    proof: ProofConfig = field(default_factory=ProofConfig)
    serve: ServeConfig = field(default_factory=ServeConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    retain: RetainConfig = field(default_factory=RetainConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)
    purge: PurgeConfig = field(default_factory=PurgeConfig)

    def __post_init__(self) -> None:
        if self.publish.coding and self.publish.coding not in self.compress.codings:
            raise ConfigError(
                f"publish.coding is {self.publish.coding!r}, which is not among compress.codings: nothing is made in it"
            )
        if fault := path_fault(self.manifest_name):
            raise ConfigError(f"manifest_name {self.manifest_name!r} cannot be used: {fault}")
        if self.served_prefix is not None and not (self.served_prefix[:1] == self.served_prefix[-1:] == "/"):
            raise ConfigError(f"served_prefix {self.served_prefix!r} must begin and end with a slash")


C = TypeVar("C")


def from_mapping(kind: type[C], given: Mapping[str, Any], where: str = "OPTIONS") -> C:
    """An instance of the config dataclass ``kind`` from a plain mapping, sections nested.

    Raises `ConfigError` for a key that ``kind`` does not have and for a value of the wrong type, naming the key.
    """
    hashable: Any = kind  # which mypy does not know of dataclasses
    hints = _hints(hashable)
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in given.items():
        place = f"{where}[{key!r}]"
        if key not in known:
            raise ConfigError(f"{place} is not an option{did_you_mean(nearest_names(str(key), known))}", sorted(known))
        values[key] = _checked(hints[key], value, place)
    for field_ in dataclasses.fields(kind):  # type: ignore[arg-type]
        needed = field_.default is dataclasses.MISSING and field_.default_factory is dataclasses.MISSING
        if needed and field_.name not in values:
            raise ConfigError(f"{where} needs the key {field_.name!r}")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(_placed(str(error), where)) from None


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    # They are strings until somebody asks, and to read them takes longer than all else that is done with options.
    return get_type_hints(kind)


_SECTION_AND_OPTION = re.compile(r"(\w+)\.(\w+)")


def _placed(text: str, where: str) -> str:
    """``text`` with its place in settings, ``where``; if it begins with an option as a section's class calls it,
    ``serve.max_age``, with that option's: ``OPTIONS['serve']['max_age']``.
    """
    named = _SECTION_AND_OPTION.match(text)
    if named is None or not where.endswith(f"[{named[1]!r}]"):
        return f"{where}: {text}"
    return f"{where}[{named[2]!r}]{text[named.end() :]}"


def _checked(hint: Any, value: Any, place: str) -> Any:
    """``value`` as a value of the type ``hint``. Raises `ConfigError`, which calls it ``place``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"{place} must be a dict of options, not {value!r}")
        return from_mapping(hint, value, place)
    if origin is Literal:
        if value in arguments:
            return value
        known = [str(a) for a in arguments]
        raise ConfigError(
            f"{place} must be one of {', '.join(map(repr, arguments))}, not {value!r}"
            + did_you_mean(nearest_names(str(value), known))
        )
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
            raise ConfigError(f"{place} must be a list, not {value!r}")
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return tuple(_checked(arguments[0], item, f"{place}[{i}]") for i, item in enumerate(items))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise ConfigError(f"{place} must be a dict with strings as keys, not {value!r}")
        if arguments[1] is str and not all(isinstance(text, str) for text in value.values()):
            raise ConfigError(f"{place} must be a dict of strings, not {value!r}")
        return dict(value)
    kinds = arguments or (hint,)
    return _checked_scalar(kinds, _length(value, place) if timedelta in kinds else value, place)


def _length(value: Any, place: str) -> Any:
    """``value`` as a length of time, if it is written as a text or in seconds. Raises `ConfigError`."""
    try:
        if isinstance(value, str):
            return parse_duration(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return timedelta(seconds=value)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{place}: {error}") from None
    return value


_IN_WORDS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "True or False",
    timedelta: "a timedelta, '2h' or seconds",
}


def _checked_scalar(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    if type(None) in kinds and value is None:
        return None
    if str in kinds and hasattr(value, "__fspath__"):
        return str(value)
    if callable(value) and any(get_origin(kind) is Callable for kind in kinds):
        return value
    accepted = tuple(k for k in kinds if isinstance(k, type) and k is not type(None))
    wrong_truth = isinstance(value, bool) and bool not in accepted
    if wrong_truth or not isinstance(value, (*accepted, int) if float in accepted else accepted):
        words = [_IN_WORDS.get(kind, kind.__name__) for kind in accepted]
        words += ["a callable"] * any(get_origin(kind) is Callable for kind in kinds)
        raise ConfigError(f"{place} must be {' or '.join(words)}, not {value!r}")
    if isinstance(value, int) and not isinstance(value, bool) and value < 0:
        raise ConfigError(f"{place} must not be negative, but is {value}")
    return value


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} must be from {low} to {high}, not {value}")
