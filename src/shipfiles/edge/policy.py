"""What a web server or a CDN must know to answer as we do: made from the options, and the same for every release.

Nothing here knows a server's language. Patterns are regular expressions that PCRE and RE2 read alike, without looks
around and without atomic groups. They are about the path of a file below the prefix, undone of its percent signs, and
fit anywhere in it unless they begin with ``^`` or end with ``$``.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..config import Coding, RewriteConfig, ServeConfig
from ..digest import HASH_LENGTH
from ..http.headers import cache_control, cross_origin_headers, immutable_cache_control
from ..manifest import SUFFIXES
from ..media.config import MediaConfig
from ..media_types import DEFAULT, content_type, known_types

Mode = Literal["static-server", "proxy", "dedicated"]
"""``static-server``: the web server has the files and stands before the application; ``proxy``: the application has
them, and the web server keeps what it answers; ``dedicated``: a host for static files alone, without an application."""


class Rule(NamedTuple):
    """What files whose path fits ``pattern`` get."""

    pattern: str
    value: str | None
    """``None`` for no such field."""


class Field(NamedTuple):
    """A header field of all answers with a file."""

    name: str
    rules: tuple[Rule, ...]
    """The first that fits the logical path counts."""
    value: str | None
    """That of all others."""


class Lifetime(NamedTuple):
    """Whether files whose path fits ``pattern`` are immutable."""

    pattern: str
    immutable: bool


@dataclass(frozen=True, slots=True)
class StaticPolicy:
    """How static files are answered."""

    root: str
    """The folder with the releases, on the machine of the web server."""
    prefix: str
    """The path of their URLs, between slashes, percent signs undone."""
    serve: ServeConfig
    codings: tuple[Coding, ...]
    """Those whose variants may lie beside a file, best first: the order among those that a client likes as much."""
    types: Mapping[str, str]
    """Extension, without its dot and in lower case → Content-Type."""
    names: Mapping[str, str]
    """File name in lower case → Content-Type; counts more than the extension."""
    default_type: str
    """Content-Type of all others."""
    lifetimes: tuple[Lifetime, ...]
    """Which names are immutable: the first that fits counts, and what fits none is not."""
    immutable: str
    """Cache-Control of immutable names, whatever else is said."""
    fields: tuple[Field, ...]
    """Header fields of files with what the options say of them by pattern. Cache-Control among them is that of names
    that are not immutable; Content-Type, Content-Encoding, ETag and Vary are not among them."""
    always: tuple[str, ...] = ()
    """Extensions, without their dots and in lower case, of which every file has a variant in each coding: what can be
    picked by the name alone."""
    manifest_name: str = "staticfiles.json"
    """The file in ``root`` with the names that stock Django can read, which is nobody's business."""

    @property
    def suffixes(self) -> Mapping[Coding, str]:
        """Coding → what a variant's name ends with."""
        return {coding: SUFFIXES[coding] for coding in self.codings}


@dataclass(frozen=True, slots=True)
class MediaPolicy:
    """How the uploads of one storage on this machine's disk are answered."""

    alias: str
    """Its name in STORAGES."""
    root: str
    prefix: str
    """The path of their URLs, between slashes, percent signs undone."""
    config: MediaConfig
    """``access``, ``serve``, ``delivery`` and ``signed`` decide who answers; the fields come from `media.safety`."""
    closed: tuple[str, ...] = ()
    """Folders within ``root`` of which not everybody may see everything."""


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """All of it."""

    mode: Mode
    static: StaticPolicy | None
    """``None`` where only uploads are meant."""
    media: tuple[MediaPolicy, ...] = ()
    host: str = ""
    """Name of the host, as a browser writes it; empty for any."""
    listen: str = ""
    """Address and port, ``127.0.0.1:8080``, or the port; empty for the server's usual one."""
    application: str = ""
    """URL of the application, ``http://127.0.0.1:8000``, to which goes what is no file; empty for none."""
    bucket: str = ""
    """URL of the folder with the static files in a bucket, ``https://name.s3.eu-central-1.amazonaws.com/static/``, if a
    CDN asks for them there; empty if it asks the application."""
    certificate: tuple[str, str] | None = None
    """Files with the certificate and its key."""
    max_upload: int = 0
    """Bytes that the body of a request to the application may have; 0 leaves the server's own limit."""


HASHED = rf"\.[0-9a-f]{{{HASH_LENGTH}}}(\.[^./]*)?$"
"""The form of our hashed names; what `shipfiles.digest.looks_hashed` asks."""
# As `shipfiles.bundler_names`, without what needs a look around: a UUID has 32 digits, and a source map's name is no
# bundler's. Bundlers' eight characters take a manifest to be told from words, and no web server reads one.
_BUNDLED = r"[^./]\.([0-9a-f]{16}|[0-9a-f]{20}|[0-9a-f]{40}|[0-9a-f]{64})(\.[a-z]+)?\.[A-Za-z][A-Za-z0-9]*$"
_NEVER_BUNDLED = r"\.(map|gz|br|zst)$"

NOTHING = r"[^\s\S]"
"""What no character fits."""
HIDDEN = r"(^|/)\."
"""Paths of which nothing is shown: of records and manifests, and whatever else begins with a dot. But see
`WELL_KNOWN`."""
WELL_KNOWN = "site-root/.well-known/"
"""RFC 8615: what is below it, at the root of the site, is meant to be seen."""


def static_policy(
    root: str,
    prefix: str,
    serve: ServeConfig,
    rewrite: RewriteConfig,
    codings: Iterable[Coding],
    always: Iterable[str] = (),
) -> StaticPolicy:
    """How static files below ``prefix`` are answered that lie in ``root``; ``always``: as in OPTIONS["compress"]."""
    extensions, names = known_types(serve.media_types)
    return StaticPolicy(
        root=root,
        prefix=prefix,
        serve=serve,
        codings=tuple(codings),
        types={extension[1:]: content_type(type_, serve.charset) for extension, type_ in extensions.items()},
        names={name: content_type(type_, serve.charset) for name, type_ in names.items()},
        default_type=content_type(DEFAULT, serve.charset),
        lifetimes=tuple(_lifetimes(rewrite)),
        immutable=immutable_cache_control(serve),
        fields=tuple(_fields(serve)),
        always=tuple(sorted({extension.removeprefix(".").casefold() for extension in always})),
    )


def _lifetimes(rewrite: RewriteConfig) -> Iterable[Lifetime]:
    yield Lifetime(HASHED, immutable=True)
    for pattern in rewrite.unbundled_names:
        yield Lifetime(pattern_of(pattern), immutable=False)
    for pattern in rewrite.bundled_names:
        yield Lifetime(pattern_of(pattern), immutable=True)
    if rewrite.bundled:
        yield Lifetime(_NEVER_BUNDLED, immutable=False)
        yield Lifetime(_BUNDLED, immutable=True)


def _fields(serve: ServeConfig) -> Iterable[Field]:
    values: dict[str, tuple[str, str | None]] = {
        # No file is called so, and so it is not the page that answers everywhere.
        "cache-control": ("Cache-Control", cache_control("/", serve, immutable=False)),
        **{name.lower(): (name, value) for name, value in cross_origin_headers(serve)},
        "x-content-type-options": ("X-Content-Type-Options", "nosniff"),
    }
    values |= {name.lower(): (name, value) for name, value in serve.default_headers.items()}
    rules: dict[str, list[Rule]] = {}
    for pattern, fields in reversed([*serve.headers.items()]):
        for name, value in fields.items():
            values.setdefault(name.lower(), (name, None))
            rules.setdefault(name.lower(), []).append(Rule(pattern_of(pattern), value))
    if serve.single_page and "cache-control" not in {name.lower() for name in serve.default_headers}:
        page = Rule(f"^{re.escape(serve.single_page)}$", cache_control(serve.single_page, serve, immutable=False))
        rules.setdefault("cache-control", []).append(page)
    for key, (name, value) in values.items():
        yield Field(name, tuple(rules.get(key, ())), value)


def pattern_of(glob: str) -> str:
    """The regular expression of a pattern of ``fnmatch``: ``*`` also stands for slashes."""
    found, at = [], 0
    while at < len(glob):
        char = glob[at]
        at += 1
        end = glob.find("]", at + 1 + (glob[at : at + 1] == "!")) if char == "[" else -1
        if end >= 0:
            found.append(_class(glob[at:end]))
            at = end + 1
        else:
            found.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
    return re.sub(r"^\^\.\*|\.\*\$$", "", f"^{''.join(found)}$")


def _class(inside: str) -> str:
    """What ``[`` and ``]`` with ``inside`` between them stand for. Which ranges are none, and what becomes of the rest
    then, ``fnmatch`` says."""
    translated = fnmatch.translate(f"[{inside}]")
    found = translated[translated.index(":") + 1 : translated.rindex(")")]
    if not found.startswith("["):
        return "." if found == "." else NOTHING
    body = found[1:-1]
    negated, body = body[:1] == "^", body.removeprefix("^")
    # Python needs none of these to be escaped; PCRE would find classes of POSIX in them.
    escaped = re.sub(
        r"\\.|[][^]", lambda match: match[0] if len(match[0]) == 2 else f"\\{match[0]}", body, flags=re.DOTALL
    )
    return f"[{'^' if negated else ''}{escaped}]"
