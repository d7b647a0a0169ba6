"""File name extension → media type, and what follows from a type: its charset, whether compressing it pays.

The table is our own because the operating system's differs from machine to machine (on Windows the registry may say
that ``.js`` is ``text/plain``). Types are those of IANA's registry; for JavaScript RFC 9239, for source maps ECMA-426
(section 12.1, "application/json"), for web app manifests the W3C's "application/manifest+json".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

DEFAULT = "application/octet-stream"

_TYPES: dict[str, str] = {
    # text of the web
    ".css": "text/css",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".jsx": "text/javascript",
    ".json": "application/json",
    ".json5": "application/json5",
    ".jsonld": "application/ld+json",
    ".geojson": "application/geo+json",
    ".topojson": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".importmap": "application/importmap+json",
    ".wasm": "application/wasm",
    ".xml": "application/xml",
    ".xsl": "application/xslt+xml",
    ".xslt": "application/xslt+xml",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".ics": "text/calendar",
    ".vcf": "text/vcard",
    ".vtt": "text/vtt",
    ".srt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".less": "text/plain",
    ".sass": "text/plain",
    ".scss": "text/plain",
    ".ts": "text/plain",
    ".tsx": "text/plain",
    ".coffee": "text/plain",
    ".rst": "text/plain",
    ".po": "text/plain",
    ".properties": "text/plain",
    ".graphql": "text/plain",
    ".glsl": "text/plain",
    ".vert": "text/plain",
    ".frag": "text/plain",
    ".wgsl": "text/wgsl",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".xsd": "application/xml",
    ".rdf": "application/rdf+xml",
    ".ttl": "text/turtle",
    ".ttml": "application/ttml+xml",
    ".mathml": "application/mathml+xml",
    ".rtf": "application/rtf",
    ".kml": "application/vnd.google-earth.kml+xml",
    ".gpx": "application/gpx+xml",
    # images
    ".svg": "image/svg+xml",
    ".svgz": "image/svg+xml",
    ".png": "image/png",
    ".apng": "image/apng",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jfif": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".jxl": "image/jxl",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ico": "image/x-icon",
    ".cur": "image/x-icon",
    ".psd": "image/vnd.adobe.photoshop",
    ".jp2": "image/jp2",
    ".ktx2": "image/ktx2",
    # fonts
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".ttc": "font/collection",
    ".eot": "application/vnd.ms-fontobject",
    # sound and film
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".mid": "audio/midi",
    ".midi": "audio/midi",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".mkv": "video/matroska",
    ".3gp": "video/3gpp",
    # three dimensions
    ".gltf": "model/gltf+json",
    ".glb": "model/gltf-binary",
    ".obj": "model/obj",
    ".stl": "model/stl",
    ".usdz": "model/vnd.usdz+zip",
    ".mvt": "application/vnd.mapbox-vector-tile",
    ".pmtiles": "application/vnd.pmtiles",
    # documents and archives
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".tgz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".tar": "application/x-tar",
    ".7z": "application/x-7z-compressed",
    ".rar": "application/vnd.rar",
    ".epub": "application/epub+zip",
    ".doc": "application/msword",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".jar": "application/java-archive",
    ".apk": "application/vnd.android.package-archive",
    ".swf": "application/x-shockwave-flash",
    ".bin": DEFAULT,
    ".exe": DEFAULT,
    ".dll": DEFAULT,
}

# Whole file names that say more than their extension.
_NAMES: dict[str, str] = {
    "apple-app-site-association": "application/json",
    "apple-developer-merchantid-domain-association": "text/plain",
    "openid-configuration": "application/json",
    "oauth-authorization-server": "application/json",
    "host-meta": "application/xrd+xml",
    "license": "text/plain",
    "licence": "text/plain",
    "readme": "text/plain",
    "copying": "text/plain",
    "authors": "text/plain",
    "changelog": "text/plain",
    "notice": "text/plain",
    "crossdomain.xml": "text/x-cross-domain-policy",
}

# The types beside text/* whose bytes are mostly text or otherwise redundant. Everything else in the table is
# compressed in itself (images, fonts in WOFF, film, archives), and a second coding only costs time.
_COMPRESSIBLE = frozenset({
    "application/json", "application/json5", "application/ld+json", "application/geo+json",
    "application/manifest+json", "application/importmap+json", "application/xml", "application/xhtml+xml",
    "application/xslt+xml", "application/rss+xml", "application/atom+xml", "application/dash+xml",
    "application/rdf+xml", "application/ttml+xml", "application/mathml+xml", "application/xrd+xml",
    "application/x-ndjson", "application/vnd.mapbox-vector-tile", "application/yaml", "application/toml",
    "application/rtf", "application/wasm", "application/gpx+xml",
    "application/vnd.google-earth.kml+xml", "application/vnd.apple.mpegurl", "application/vnd.ms-fontobject",
    "application/x-tar", "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint",
    "image/svg+xml", "image/bmp", "image/x-icon", "image/vnd.adobe.photoshop", "font/ttf", "font/otf",
    "font/collection", "audio/wav", "audio/midi", "model/gltf+json", "model/gltf-binary", "model/obj", "model/stl",
})  # fmt: skip

# A charset parameter is for text/* (RFC 2046 section 4.1.2), less these. XML says its encoding itself, and a parameter
# would overrule that (RFC 7303 section 3.2); WebVTT and Turtle are always UTF-8 (WebVTT section 9.1, Turtle section 6).
# Other types have none: JSON by RFC 8259 section 11.
_WITHOUT_CHARSET = frozenset({"text/xml", "text/vtt", "text/turtle", "text/x-cross-domain-policy"})

# RFC 9110 section 8.3.1, as strict as RFC 6838 section 4.2 for the names.
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(
    rf"""[0-9A-Za-z][0-9A-Za-z!#$&^_.+-]{{0,126}}/[0-9A-Za-z][0-9A-Za-z!#$&^_.+-]{{0,126}}
         (?:[ ]*;[ ]*{_TOKEN}=(?:{_TOKEN}|"[ -!#-\[\]-~]*"))*""",
    re.VERBOSE,
)


def media_type(path: str, extra: Mapping[str, str] | None = None) -> str:
    """The media type of the file named ``path``, without parameters.

    ``extra`` adds to the table or overrides it: its keys are extensions with their dot (``.foo``) or whole file names,
    compared without regard to case.
    """
    name = path.rpartition("/")[2].casefold()
    dot = name.rfind(".")
    extension = name[dot:] if dot >= 0 else ""
    if extra:
        given = {key.casefold(): value for key, value in extra.items()}
        found = given.get(name) or given.get(extension)
        if found:
            return found
    return _NAMES.get(name) or _TYPES.get(extension, DEFAULT)


def known_types(extra: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What `media_type` goes by: extension with its dot → type, and file name → type, all in lower case."""
    given = {key.casefold(): value for key, value in extra.items()}
    extensions = _TYPES | {key: value for key, value in given.items() if key.startswith(".")}
    return extensions, _NAMES | given


def content_type(type_: str, charset: str = "utf-8") -> str:
    """The value of the Content-Type field for ``type_``: with the charset where the type has that parameter."""
    if charset and ";" not in type_ and type_.startswith("text/") and type_ not in _WITHOUT_CHARSET:
        return f"{type_}; charset={charset}"
    return type_


def is_media_type(text: str) -> bool:
    """Whether ``text`` can be a media type, with or without parameters."""
    return _MEDIA_TYPE.fullmatch(text) is not None


def is_packed(path: str) -> bool:
    """Whether the file named ``path`` has the type of its contents but is compressed with gzip: SVG 2, section 13.3."""
    return path[-5:].casefold() == ".svgz"


def is_compressible(type_: str) -> bool:
    """Whether files of ``type_`` usually shrink enough under a content coding to be worth the time."""
    bare = type_.partition(";")[0].strip()
    return bare.startswith("text/") or bare in _COMPRESSIBLE
