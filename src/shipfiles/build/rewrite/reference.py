"""What the text of a reference means: one set of rules for every language.

Languages differ in how they write a URL down; from there on the rules are the URL Standard's (WHATWG), which is what
browsers follow, and RFC 3986 for its parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from ...model import ReferenceKind
from ...paths import folder_of, resolve, url_quote, url_unquote

# RFC 3986 section 3.1.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
# A URL with a host, as the URL Standard's "special authority slashes" leave it once "\" is "/".
_HOST = re.compile(r"(?:[hH][tT][tT][pP][sS]?:)?//(?!/)[^/]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What nearly all references look like: a path that needs no second look.
_ORDINARY = re.compile(r"/?(?!/)[\w\-./%@]*[\w\-%@]")
# What a template engine or a build tool, not a browser, reads: Django, Jinja, Handlebars, Angular, Vue; ES; ERB, EJS,
# PHP; Thymeleaf; "{root}" for a path's segment; "%PUBLIC_URL%", which is no percent-encoding at its one end or the
# other; "__BASE__".
_TEMPLATE = re.compile(
    r"\{\{|\{%|\$\{|<%|<\?|\[\[|(?:\A|/)\{[A-Za-z_]\w*\}|(?<![A-Za-z0-9_])__[A-Z][A-Z0-9_]*?__(?![A-Za-z0-9_])"
    r"|%(?![0-9A-Fa-f]{2})[A-Za-z][\w.]*%|%[A-Za-z][\w.]*%(?![0-9A-Fa-f]{2})"
)
# Without one of these no `_TEMPLATE` is in an ordinary URL.
_MAY_BE_TEMPLATE = re.compile(r"__|%")
# What the URL Standard drops before it parses: C0 controls and spaces round the text, tabs and newlines within.
_AROUND = "".join(map(chr, range(0x21)))
_WITHIN = re.compile(r"[\t\n\r]")
_SUFFIX = re.compile(r"[?#]")
_ENCODED_SLASH = re.compile(r"%2[fF]|%5[cC]")
_SLASHES = re.compile(r"/{2,}")
# RFC 3986 unreserved, reserved and "%", less what would end an unquoted url() or a string: ' ( ) and less [ and ].
_KEPT = "%/?#:@!$&*+,;=~"
_UNSAFE = re.compile(rf"[^A-Za-z0-9_.\-{re.escape(_KEPT)}]")


@dataclass(frozen=True, slots=True)
class Target:
    """The logical path that a reference names. Whether a file has that path is not known here."""

    logical: str


@dataclass(frozen=True, slots=True)
class Unresolvable:
    """A reference that cannot name any of our files, though it should. ``what`` says why."""

    what: str


def has_template(text: str) -> bool:
    """Whether a template engine or a build tool has still to put something into ``text``, so that it names nothing."""
    return _TEMPLATE.search(text) is not None


def is_relative(url: str) -> bool:
    """Whether what ``url`` names depends on where it stands: it has no scheme, no host and no path from the root."""
    path, _ = _split(url)
    return not path.startswith("/") and not _SCHEME.match(path)


def is_local(url: str, kind: ReferenceKind) -> bool:
    """Whether ``url`` could name a file of this site: it has a path with a name at its end, and no scheme but HTTP's.

    Whether a host is that of STATIC_URL is not known here. A module's specifier (kinds ``module`` and
    ``dynamic-import``) must also begin with ``/``, ``./`` or ``../`` or be a whole URL: any other is bare, and an
    import map or a bundler gives it its meaning (HTML Standard, "resolve a module specifier"). What a template engine
    or a build tool has still to fill in names no file.
    """
    if kind in ("module", "dynamic-import") and not url.startswith(("/", "./", "../")) and not _SCHEME.match(url):
        return False
    if _ORDINARY.fullmatch(url):
        return not (_MAY_BE_TEMPLATE.search(url) and has_template(url))
    if has_template(url):
        return False
    path, _ = _split(url)
    if (_SCHEME.match(path) or path.startswith("//")) and not _HOST.match(path):
        return False
    return _path_of(path).rpartition("/")[2] not in ("", ".", "..")


def target_of(url: str, base: str, static_url: str, via: str = "") -> Target | Unresolvable | None:
    """What ``url`` names in the file at the logical path ``base``, where the site's files are under ``static_url``.

    ``static_url`` is STATIC_URL, a path or a URL with a host, and its closing slash; empty if absolute URLs are never
    ours. ``via`` is a URL that ``url`` is resolved against first, itself relative to the file: HTML's ``<base>``.
    ``None`` means that the reference leaves our files by intent, with another scheme or host or an absolute path to
    elsewhere, or names none. Query and fragment do not count, percent signs are decoded, dot segments resolved.
    """
    if _ORDINARY.fullmatch(url):
        path = url
    elif is_local(url, "url"):
        path = _split(url)[0]
    else:
        return None
    if via and not _HOST.match(path):
        before = _before(base, via)
        if before is None:
            return None
        base, origin, folder = before
        path = origin + (path if path.startswith("/") else folder + path)
    if _HOST.match(path):
        host = _host_of(path, static_url)
        if host is None or host != _host_of(static_url, static_url):
            return None
        path = _path_of(path)
    # Encoded slashes and dots: a server sees "%2F" as "/" in most gateways, a browser does not. No file of ours is
    # meant by it, and to guess would give one file two addresses.
    path = _SLASHES.sub("/", path)
    if _ENCODED_SLASH.search(path):
        return Unresolvable("an encoded slash cannot be part of a file's name")
    decoded = url_unquote(path)
    if decoded is None:
        return Unresolvable("its percent-encoding is not UTF-8")
    if not decoded.startswith("/"):
        logical = resolve(base, decoded)
        if logical is None:
            return Unresolvable("it leads above the root of the static files")
        return Target(logical) if logical else None
    root = url_unquote(_path_of(static_url)) or ""
    absolute = _absolute(decoded)
    if not root or not absolute.startswith(root) or absolute == root:
        return None
    return Target(absolute[len(root) :])


def renamed(url: str, hashed_name: str) -> str:
    """``url`` with its last path segment replaced by that of ``hashed_name``; folder, query and fragment stay.

    The result is ASCII without quotes, parentheses, backslashes, white space or ``${``: it needs no escapes in an
    unquoted ``url()`` or in any string or template of CSS and JavaScript.
    """
    if url.isascii() and "//" not in url and _ORDINARY.fullmatch(url):
        folder, suffix = folder_of(url), ""
    else:
        path, suffix = _split(url)
        origin = path[: len(path) - len(_path_of(path))]
        folder, suffix = origin + _quote(_SLASHES.sub("/", folder_of(path[len(origin) :]))), _quote(suffix)
    name = url_quote(hashed_name.rpartition("/")[2])
    if not folder:
        # "a:b.png" alone would be a scheme.
        name = name.replace(":", "%3A")
    return f"{folder}{name}{suffix}"


def _split(url: str) -> tuple[str, str]:
    """The path of ``url`` as a browser reads it, and the query and fragment."""
    url = url.strip(_AROUND)
    if "\n" in url or "\r" in url or "\t" in url:
        url = _WITHIN.sub("", url)
    found = _SUFFIX.search(url)
    cut = found.start() if found else len(url)
    path = url[:cut]
    # "\" is "/" in the path of an http URL (URL Standard, "path state").
    return path.replace("\\", "/") if "\\" in path else path, url[cut:]


def _path_of(url: str) -> str:
    """``url`` without its scheme and host, if it has a host; else the same object."""
    if not _HOST.match(url):
        return url
    slash = url.find("/", url.index("//") + 2)
    return url[slash:] if slash >= 0 else ""


@lru_cache(maxsize=64)
def _before(base: str, via: str) -> tuple[str, str, str] | None:
    """What a URL in the file ``base`` is relative to, by way of ``via``: a path like ``base``, an origin, a folder.

    Origin and folder, which may both be empty, stand before a relative URL. All references of a page have the same
    ``via``, of which most is worked out here once. ``None`` if ``via`` has a scheme that is none of ours.
    """
    whole = _split(via)[0]
    rest = _path_of(whole)
    if _SCHEME.match(whole) and rest is whole:
        return None
    origin, folder = whole[: len(whole) - len(rest)], folder_of(rest)
    if origin:
        # A host alone has the path "/" (RFC 3986 section 5.2.3).
        return base, origin, folder or "/"
    if not folder.startswith("/") and not _ENCODED_SLASH.search(folder):
        decoded = url_unquote(folder)
        logical = None if decoded is None else resolve(base, decoded)
        if logical is not None:
            return logical + "/" * bool(logical), "", ""
    # From the root; or not to be resolved, which is then said of each reference.
    return base, "", folder


def _host_of(url: str, page: str) -> tuple[str, int | None] | None:
    """Host and port of ``url``, whose scheme may be left to that of ``page``; ``None`` if it has none to trust."""
    if not _HOST.match(url):
        return None
    try:
        parts = urlsplit(url, scheme="http" if page[:5].lower() == "http:" else "https")
        if "@" in parts.netloc or not parts.hostname:
            return None
        return parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def _absolute(path: str) -> str:
    """The absolute ``path`` without dot segments; ``..`` at the root is dropped (URL Standard, "shorten a path")."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _quote(text: str) -> str:
    return quote(text, safe=_KEPT) if _UNSAFE.search(text) else text
