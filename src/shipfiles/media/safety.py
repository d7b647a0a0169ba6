"""What an upload may do in a browser: the one place from which its type and its header fields come.

Whoever uploads chooses the bytes and the name. So that neither can run in the site's origin, a file has a type from our
table, never the client's; a type that a browser could run as a document is *active* and saved instead of shown; and
what a page could run as its script or style sheet has a type that it cannot run.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from ..errors import UploadRefused
from ..header_rules import PRESETS
from ..http.headers import Header
from ..media_types import DEFAULT, content_type, is_media_type, is_packed, media_type
from .config import MediaConfig, SafetyConfig
from .sniffing import agreed, sniffed

# What the HTML standard (section 7.4.5, "load a document") shows as text, as an image, film or sound, or leaves to a
# viewer, and what it never shows. Everything else is active, be it only because we do not know it: HTML and all XML
# types, in which scripts run (XHTML, SVG, MathML, XSLT, feeds); multipart/x-mixed-replace, whose parts have types of
# their own; multipart/related (MHTML); "unknown/unknown", "application/unknown" and "*/*", for which browsers look for
# HTML in the bytes (MIME Sniffing section 7). A PDF is none: its scripts run in the browser's viewer, which has no
# access to the origin that it came from, and a viewer does not start in a sandbox.
_PASSIVE = frozenset({
    "text/plain", "text/csv", "text/tab-separated-values", "text/markdown", "text/vtt", "text/calendar", "text/vcard",
    "application/json", "application/geo+json", "application/x-ndjson", "application/pdf",
    "application/zip", "application/gzip", "application/zstd", "application/x-tar", "application/vnd.apple.mpegurl",
    "image/png", "image/apng", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/jxl", "image/heic",
    "image/heif", "image/bmp", "image/tiff", "image/x-icon", "image/vnd.microsoft.icon", "image/jp2", "image/ktx2",
    "audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/flac", "audio/wav", "audio/webm", "audio/midi",
    "video/mp4", "video/webm", "video/ogg", "video/quicktime", "video/x-msvideo", "video/mpeg", "video/matroska",
    "video/3gpp",
    "font/woff", "font/woff2", "font/ttf", "font/otf", "font/collection",
})  # fmt: skip

# MIME Sniffing section 4.6, "JavaScript MIME type".
_JAVASCRIPT = frozenset({
    "application/ecmascript", "application/javascript", "application/x-ecmascript", "application/x-javascript",
    "text/ecmascript", "text/javascript", "text/javascript1.0", "text/javascript1.1", "text/javascript1.2",
    "text/javascript1.3", "text/javascript1.4", "text/javascript1.5", "text/jscript", "text/livescript",
    "text/x-ecmascript", "text/x-javascript",
})  # fmt: skip

# A page whose policy says 'self' trusts the site's own scripts and style sheets, and shall not trust uploads. What is
# no JavaScript by its type is no worker, service worker or module (HTML section 8.1.4.2; Service Workers, "Update"),
# and under nosniff no script or style sheet either (Fetch section 3.5).
_DISARMED = {**dict.fromkeys(_JAVASCRIPT, "text/plain"), "text/css": "text/plain", "application/wasm": DEFAULT}

SANDBOX = PRESETS["inert"]
"""What an active file is answered with besides: opened by itself it runs no script and has an origin of its own. An SVG
in an ``<img>`` shows as without."""

_DISPOSITION = re.compile(
    r"""[ ]*(?P<kind>attachment|inline)[ ]*
        (?:;[ ]*[!#$&+.^_`|~0-9A-Za-z-]+\*?=(?:"(?:[ !#-\[\]-~]|\\[ -~])*"|[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ ]*)*""",
    re.VERBOSE | re.IGNORECASE,
)
"""Content-Disposition, RFC 6266 section 4.1, with its two types. Of others, and of parameters without a type, browsers
make what they like."""

# What a name must not do to a header field or to who reads it: C0, C1, marks that turn the direction of text (Unicode
# UAX 9), and halves of surrogate pairs.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# RFC 6266 appendix D: neither quotes nor backslashes nor percent signs in the plain form.
_NOT_PLAIN = re.compile(r'[^ -~]|["\\%]')
# RFC 8187 section 3.2.1, attr-char.
_ATTR_CHAR = "!#$&+-.^_`|~"


def media_type_of(name: str, config: SafetyConfig, head: bytes = b"") -> str:
    """The media type of the upload ``name``, without parameters; unknown ones are ``application/octet-stream``.

    ``head`` are its first bytes, which count if ``config.check_content`` says so.
    """
    found = _by_name(name, config)
    if config.check_content and head:
        found = _by_content(name, found, head) or DEFAULT
    return found


def is_active(media_type: str) -> bool:
    """Whether a browser might run a file of ``media_type`` as a document, or does with it what we do not know."""
    return _essence(media_type) not in _PASSIVE


def is_shown(media_type: str, config: SafetyConfig) -> bool:
    """Whether a file of ``media_type`` may be shown in the browser."""
    return not is_active(media_type) or _essence(media_type) in _allowed(config)


def stored_fields(name: str, media_type: str, config: MediaConfig) -> dict[str, str]:
    """The header fields that a bucket answers with for the upload ``name``."""
    return dict(_fields(name, media_type, config, ""))


def delivered_headers(name: str, media_type: str, config: MediaConfig, *, disposition: str = "") -> tuple[Header, ...]:
    """The header fields with which we answer ourselves: the same, and what no object can hold.

    ``disposition`` is another Content-Disposition, as `checked_disposition` gives it; one that it would refuse is not
    heeded. Without what depends on the request or the bytes.
    """
    headers = _fields(name, media_type, config, disposition)
    if is_active(media_type):
        headers += [(field, value) for field, value in SANDBOX.items() if value is not None]
    if config.access == "private":
        # Fetch section 3.7: pages of other sites cannot show, measure or probe what this visitor may see.
        headers.append(("Cross-Origin-Resource-Policy", "same-site"))
    headers.append(("X-Content-Type-Options", "nosniff"))
    return tuple(headers)


def checked_disposition(disposition: str, media_type: str, config: SafetyConfig) -> str:
    """``disposition`` as the Content-Disposition of a file that is answered as ``media_type``.

    Raises ``ValueError`` if it is none (RFC 6266 section 4.1), or would show a file that may only be saved.
    """
    found = _DISPOSITION.fullmatch(disposition)
    if found is None:
        raise ValueError(
            f"{disposition!r} is no Content-Disposition: it must be 'attachment' or 'inline', and may have parameters "
            "in ASCII: attachment; filename*=UTF-8''na%C3%AFve.txt."
        )
    if found["kind"].lower() != "attachment" and not is_shown(media_type, config):
        raise ValueError(
            f"A file of type {media_type} cannot be delivered inline: it may hold scripts that run in the site's "
            "origin. OPTIONS['safety']['inline'] lists the types that may."
        )
    return disposition.strip(" ")


def checked_type(given: str, disposition: str, config: SafetyConfig) -> str:
    """``given`` as the Content-Type of an answer that has the Content-Disposition ``disposition``, empty for none.

    Raises ``ValueError`` if it is none, names an active type for an answer that is no attachment, or a type
    that pages run as script or style sheet, unless the options allow it.
    """
    if not is_media_type(given):
        raise ValueError(f"{given!r} is no media type.")
    essence = _essence(given)
    if essence in _DISARMED and essence not in _allowed(config):
        # A page that has the file as its script or style sheet heeds no Content-Disposition.
        raise ValueError(
            f"A file cannot be delivered as {essence}, not even to be saved: a page could run it with the rights of "
            "the site. OPTIONS['safety']['inline'] lists the types that may."
        )
    checked_disposition(disposition or "inline", given, config)
    return given


def attachment(name: str) -> str:
    """The Content-Disposition with which browsers save a file under the last part of ``name``: RFC 6266 section 4.3."""
    name = _UNFIT.sub("_", name.rpartition("/")[2])
    plain = _NOT_PLAIN.sub("_", name)
    value = f'attachment; filename="{plain}"'
    return value if plain == name else f"{value}; filename*=UTF-8''{quote(name, safe=_ATTR_CHAR)}"


def check_upload(name: str, size: int | None, head: bytes, config: SafetyConfig) -> None:
    """Raise `UploadRefused` for an upload that the options do not let in.

    ``size`` is in bytes, ``None`` if nobody knows it yet; ``head`` are its first bytes.
    """
    if config.max_size is not None and size is not None and size > config.max_size:
        raise UploadRefused(name, f"it has {size} bytes, and {config.max_size} are allowed", "max_size")
    base = name.rpartition("/")[2].casefold()
    if config.extensions and not any(base.endswith(end.casefold()) and base != end for end in config.extensions):
        raise UploadRefused(name, f"its name must end with {' or '.join(config.extensions)}", "extension")
    if config.check_content and _by_content(name, _by_name(name, config), head) is None:
        shown = sniffed(head)
        what = f"and its first bytes are {shown}" if shown else "and its first bytes are not"
        raise UploadRefused(name, f"by its name it is {_by_name(name, config)}, {what}", "content")


def _by_name(name: str, config: SafetyConfig) -> str:
    found = media_type(name, config.media_types)
    return found if _essence(found) in _allowed(config) else _DISARMED.get(_essence(found), found)


def _by_content(name: str, media_type: str, head: bytes) -> str | None:
    """The type that name and bytes agree on; ``None`` if they contradict."""
    if is_packed(name):
        return media_type if sniffed(head) == "application/x-gzip" else None
    return agreed(media_type, head)


def _fields(name: str, media_type: str, config: MediaConfig, disposition: str) -> list[Header]:
    """What every answer with the file has, whoever gives it."""
    headers = [("Content-Type", content_type(media_type))]
    if is_packed(name):
        headers.append(("Content-Encoding", "gzip"))
    if disposition:
        try:
            disposition = checked_disposition(disposition, media_type, config.safety)
        except ValueError:
            disposition = ""
    if not disposition and not is_shown(media_type, config.safety):
        disposition = attachment(name)
    if disposition:
        headers.append(("Content-Disposition", disposition))
    if cache := _cache_control(config):
        headers.append(("Cache-Control", cache))
    return headers


def _cache_control(config: MediaConfig) -> str:
    if config.cache_control:
        return config.cache_control
    if config.access == "signed":
        return f"private, max-age={int(config.signed.expires.total_seconds())}"
    return "private, no-store" if config.access == "private" else ""


def _essence(media_type: str) -> str:
    """``media_type`` without parameters, in lower case: MIME Sniffing section 4.1."""
    return media_type.partition(";")[0].strip().lower()


def _allowed(config: SafetyConfig) -> frozenset[str]:
    return frozenset(map(_essence, config.inline))
