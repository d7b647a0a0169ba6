"""The part of nginx's configuration for static files: below their prefix, in one place, whoever asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..http.headers import ALLOWED_METHODS
from ..http.tags import EVERY_FILE
from ..media_types import is_compressible
from .nginx_site import PART, Site, short
from .nginx_text import pattern, quoted
from .nginx_words import indented, mapped, regex
from .policy import HASHED, Field

ORIGIN = "access-control-allow-origin"
# Looked at again after so many seconds: what was not there may be by now, and what is pruned goes.
_FRESH = 1
# Letters of a field's name in that of a variable, see `short`.
_LONGEST = 28
# Extensions that are longer do not fit into the usual buckets of nginx's table.
_BUCKET = 40
# As `http.tags` has it: longer tags are made from digests, which nginx cannot make.
_TAG = 200 - len(f"{EVERY_FILE}:")
_HASH = HASHED.partition("(")[0]
# What pages have most of. Each of a pattern's words costs time: all other files take a second step.
_SHRINKING = ("css", "js", "svg", "mjs", "json", "html")
_PACKED = ("png", "webp", "jpg", "woff2", "gif", "avif", "jpeg", "woff", "mp4", "webm")
_EXTENSION = r"(?:\.[^./]*)?"
_NAMES = "a pattern of names"


def file_maps(site: Site) -> Iterator[str]:
    """The maps that say the fields of files."""
    of, static = site.of, site.static
    cache = next(field for field in static.fields if field.name.lower() == "cache-control")
    lifetime = f"{variable(cache, of)}_ruled" if cache.rules else _value(cache)
    if any(field.rules for field in static.fields):
        yield "# What patterns are about: the name without its hash."
        unhashed = regex(rf"^(?<ship_stem>.+){_HASH}(?<ship_extension>{_EXTENSION})$")
        yield from mapped("$ship_name", f"${of}_logical", [(unhashed, "$ship_stem$ship_extension")], "$ship_name")
    yield "# Names that stand for the same bytes for ever, and all others."
    immutable = quoted(static.immutable, "serve.immutable_max_age")
    entries = ((regex(one.pattern, _NAMES), immutable if one.immutable else lifetime) for one in static.lifetimes)
    yield from mapped("$ship_name", f"${of}_lifetime", entries, lifetime)
    for field in static.fields:
        if field.rules:
            yield from _ruled(field, of)
    yield from _types_by_name(site)
    if static.codings:
        yield "# The coding is that of the variant."
        codings = [(f'"{end}"', coding) for coding, end in static.suffixes.items()]
        yield from mapped("$ship_end", f"${of}_encoding", codings)
        yield from mapped(site.candidates[0], f"${of}_best", codings)
    yield "# A packed file has the type of its contents (SVG 2, 13.3)."
    yield from mapped('"$status$ship_name"', f"${of}_packed", [(regex(r"*^200.*\.svgz$"), "gzip")], volatile=True)
    if static.serve.cache_tags:
        yield from _tags(site)


def variable(field: Field, of: str) -> str:
    """The variable with the value of ``field``."""
    name = re.sub("[^a-z0-9]", "_", field.name.lower())
    return f"${of}_{name if len(name) <= _LONGEST else short(field.name)}"


def _ruled(field: Field, of: str) -> Iterator[str]:
    # Cache-Control has one more map before it is told.
    name = variable(field, of) + ("_ruled" if field.name.lower() == "cache-control" else "")
    entries = (
        (regex(rule.pattern, "a pattern of serve.headers"), quoted(rule.value or "", f"the value of {field.name}"))
        for rule in field.rules
    )
    yield from mapped(f"${of}_logical", name, entries, _value(field))


def _name(field: Field) -> str:
    plain = re.fullmatch("[A-Za-z0-9-]+", field.name)
    return field.name if plain else quoted(field.name, "the name of a field")


def _value(field: Field) -> str:
    return quoted(field.value or "", f"the value of {field.name}")


def _types_by_name(site: Site) -> Iterator[str]:
    of, static = site.of, site.static
    yield "# Types of files that have no extension with one. There is only one Content-Type: nginx's, or this one."
    yield from mapped('"$status$sent_http_content_type"', f"${of}_type", [("200", f"${of}_type_by_name")])
    entries = []
    for name, type_ in static.names.items():
        stem, dot, extension = name.rpartition(".")
        # Behind the name, or before its extension, there may be a hash.
        parts = (stem, dot + extension) if stem else (name, "")
        named = rf"*(?:^|/){re.escape(parts[0])}(?:{_HASH})?{re.escape(parts[1])}$"
        entries.append((regex(named, "a file name of serve.media_types"), quoted(type_, "a type")))
    for extension in _taken_from_types(site):
        named = rf"*\.{re.escape(extension)}$"
        entries.append((regex(named, "an extension of serve.media_types"), quoted(static.types[extension], "a type")))
    yield from mapped("$ship_name", f"${of}_type_by_name", entries, quoted(static.default_type, "a type"))


def _taken_from_types(site: Site) -> list[str]:
    """Extensions that some file names have, which mean another type than theirs, and those that nginx cannot take."""
    extensions = {name.rpartition(".")[2] for name in site.static.names if "." in name}
    return [extension for extension in site.static.types if extension in extensions or not _is_plain(extension)]


def _is_plain(extension: str) -> bool:
    # Two words mean something else in a block of types.
    return re.fullmatch(f"[a-z0-9_+-]{{1,{_BUCKET}}}", extension) is not None and extension not in (
        "include",
        "default",
    )


def _tags(site: Site) -> Iterator[str]:
    static, of = site.static, site.of
    every = f'"{EVERY_FILE}"'
    between = " " if static.serve.cache_tags == "Surrogate-Key" else ","
    yield "# Tags for CDNs. Names with other characters than these have that of all files alone: purge those by URL."
    plain = rf"^[a-z0-9/._~!$*+=:@-]{{1,{_TAG}}}$"
    entries = [(regex(one.pattern, _NAMES), every) for one in static.lifetimes if one.immutable]
    entries.append((regex(plain), f'"{EVERY_FILE}{between}{EVERY_FILE}:$ship_name"'))
    yield from mapped("$ship_name", f"${of}_tags", entries, every)


def file_locations(site: Site, missing: str) -> Iterator[str]:
    """The location of the prefix. ``missing`` is the named one that gets what is no file; empty for none."""
    yield f"location ^~ {quoted(site.static.prefix, 'the prefix')} {{"
    yield from indented(_shared(site, missing))
    yield ""
    yield "    # Hashed names: what is open stays open, and is looked at again after a second."
    yield from indented(_immutable(site))
    yield from indented(_records(site))
    yield from indented(_by_its_own_name(site))
    yield "    # All others may have other bytes with the next release: each request looks."
    yield from indented(_changing(site))
    yield from indented(_folders(site))
    yield "    # Neither a folder nor a name that begins with a dot is a file: records and manifests stay in here."
    yield "    return 404;"
    yield "}"


def _shared(site: Site, missing: str) -> Iterator[str]:
    static = site.static
    yield f"alias {site.file()};"
    yield "open_file_cache max=20000 inactive=10m;"
    yield "open_file_cache_valid 0;"
    yield "log_not_found off;"
    yield "sendfile on;"
    yield "tcp_nopush on;"
    yield "max_ranges 1;"
    yield "# Whatever nginx.conf has on."
    yield "gzip off; gzip_static off; charset off; expires off; ssi off;"
    yield f"error_page 403 404 = {missing};" if missing else "error_page 403 404 =404 @ship_error;"
    yield from _refusals()
    yield f"default_type {quoted(static.default_type, 'a type')};"
    taken = _taken_from_types(site)
    by_type: dict[str, list[str]] = {}
    for extension, type_ in static.types.items():
        if extension not in taken:
            by_type.setdefault(type_, []).append(extension)
    yield "types {"
    for type_, extensions in by_type.items():
        yield f"    {quoted(type_, 'a type')} {' '.join(extensions)};"
    yield "}"


def _refusals() -> Iterator[str]:
    yield "error_page 405 = @ship_method;"
    yield "error_page 412 @ship_error;"
    yield "error_page 416 = @ship_range;"


def _fields(site: Site) -> Iterator[str]:
    """Those that say who may use what is sent."""
    of, static = site.of, site.static
    for field in static.fields:
        value = variable(field, of) if field.rules else _value(field)
        if field.name.lower() != "cache-control" and value != '""':
            yield f"add_header {_name(field)} {value};"
    if static.serve.cache_tags:
        yield f"add_header {static.serve.cache_tags} ${of}_tags;"


def _coded(site: Site) -> Iterator[str]:
    """Those of the coding that `_chosen` finds."""
    if site.static.codings:
        yield f"add_header Content-Encoding ${site.of}_encoding;"
        yield "add_header Vary $ship_vary;"


def error_fields(site: Site) -> Iterator[str]:
    """Those of an answer that is no file: nobody keeps it, for the next release may have the file."""
    yield "add_header Cache-Control no-store always;"
    if site.static.serve.allow_all_origins:
        yield 'add_header Access-Control-Allow-Origin "*" always;'
    yield "add_header X-Content-Type-Options nosniff always;"


def _immutable(site: Site) -> Iterator[str]:
    """Names of our form, with an extension that says their type."""
    of = site.of
    # From dot to dot, none of which begins a part, is the quickest way through a name: patterns cost the most here.
    name = rf"{site.beginning()}(?<ship_name>{site.well_known}[^/.][^.]*+(?:(?<!/)\.[^.]*+)*?(?<!/){_HASH}\."
    if shrinking := _usual(site, _SHRINKING, shrinks=True):
        yield "# Those with variants: the best is nearly always there."
        yield f"location ~ {pattern(f'{name}(?:{shrinking}))$', 'the prefix')} {{"
        yield f"    alias {site.file('$ship_name' + site.candidates[0])};"
        yield "    recursive_error_pages on;"
        yield "    error_page 403 404 = @ship_other;"
        yield from indented(_refusals())
        yield from indented(_kept(site))
        yield f"    add_header Content-Encoding ${of}_best;"
        yield "    add_header Vary Accept-Encoding;"
        yield "}"
    if packed := _usual(site, _PACKED, shrinks=False):
        yield "# Those without."
        yield f"location ~ {pattern(f'{name}(?:{packed}))$', 'the prefix')} {{"
        yield from indented(_kept(site))
        yield "}"
    others = "|".join(rf"\.{re.escape(extension)}" for extension in ("svgz", *_taken_from_types(site)))
    yield "# All others, which may have some. No file has two slashes in its address."
    yield f"location ~ {pattern(f'{name}[^/.]++(?<!{others}))$', 'the prefix')} {{"
    yield f"    rewrite ^ {site.address('/', '$ship_name')} last;"
    yield "}"
    yield f"location ~ {pattern(f'{site.beginning()}/(?<ship_name>.+)$', 'the prefix')} {{"
    yield "    internal;"
    yield f"    alias {site.file('$ship_name$ship_end')};"
    yield from indented(_kept(site))
    yield from indented(_coded(site))
    yield from indented(_chosen(site))
    yield "}"


def _usual(site: Site, usual: Iterable[str], *, shrinks: bool) -> str:
    """The pattern of those extensions that may have variants, or of those that have none."""
    static, taken = site.static, _taken_from_types(site)

    def may_have(extension: str) -> bool:
        return bool(static.codings) and (
            extension in static.always or is_compressible(static.types[extension].partition(";")[0])
        )

    found = (one for one in usual if one in static.types and one not in taken and may_have(one) is shrinks)
    return "|".join(found)


def _kept(site: Site) -> Iterator[str]:
    yield f"open_file_cache_valid {_FRESH}s;"
    yield "open_file_cache_errors on;"
    yield "if_modified_since before;"
    yield f"add_header Cache-Control {quoted(site.static.immutable, 'serve.immutable_max_age')};"
    yield from _fields(site)


def _changing(site: Site) -> Iterator[str]:
    """All other names, and those that have no extension."""
    of, index = site.of, site.static.serve.index_file
    yield f"location ~ {pattern(f'{site.beginning()}{site.name})$', 'the prefix')} {{"
    yield f"    alias {site.file('$ship_name$ship_end')};"
    yield from indented(_told_of_changing(site))
    if index:
        yield f"    if (-f {site.file(f'$ship_name${of}_asked')}) {{"
        yield "        add_header Cache-Control no-store;"
        yield "        return 302 ./$is_args$args;"
        yield "    }"
    yield from indented(_chosen(site))
    yield f"    if (-f {site.file('$ship_name')}) {{"
    yield "        break;"
    yield "    }"
    if index:
        yield f"    if (-f {site.file('$ship_name', f'/{index}', f'${of}_changes')}) {{"
        yield "        add_header Cache-Control no-store;"
        yield "        rewrite ([^/]+)$ ./$1/ redirect;"
        yield "    }"
    yield "    return 404;"
    yield "}"


def _told_of_changing(site: Site) -> Iterator[str]:
    of = site.of
    yield 'default_type "";'
    yield f"add_header Content-Type ${of}_type;"
    yield f"add_header Cache-Control ${of}_lifetime;"
    yield from _coded(site)
    yield from _fields(site)
    yield f"add_header Content-Encoding ${of}_packed;"
    if site.static.serve.single_page:
        yield "add_header Vary $ship_instead;"


def _chosen(site: Site) -> Iterator[str]:
    """The best variant that is there."""
    if not site.candidates:
        yield 'set $ship_end "";'
        return
    yield 'set $ship_end "";'
    yield 'set $ship_vary "";'
    for end in site.candidates:
        yield f"if (-f {site.file('$ship_name' + end)}) {{"
        yield f"    set $ship_end {end};"
        yield "    set $ship_vary Accept-Encoding;"
        yield "    break;"
        yield "}"


def _folders(site: Site) -> Iterator[str]:
    """Those that have an index file."""
    index = site.static.serve.index_file
    if not index:
        return
    yield "# A folder is its index file."
    yield f"location ~ {pattern(f'{site.beginning()}(?<ship_folder>(?:{PART}/)*)$', 'the prefix')} {{"
    yield f"    if (-f {site.file('$ship_folder', index)}) {{"
    yield f"        rewrite ^ {site.address('$ship_folder', index)} last;"
    yield "    }"
    yield "    return 404;"
    yield "}"


def _by_its_own_name(site: Site) -> Iterator[str]:
    ends = "|".join(end[1:] for end in site.static.suffixes.values())
    if not ends:
        return
    yield "# A variant has no address of its own; archives have."
    whole = f"(?<ship_name>(?<ship_whole>{site.names})\\.(?:{ends}))$"
    yield f"location ~ {pattern(site.beginning() + whole, 'the prefix')} {{"
    yield f"    alias {site.file('$ship_name')};"
    yield from indented(_told_of_changing(site))
    yield f"    if (-f {site.file('$ship_whole')}) {{"
    yield "        return 404;"
    yield "    }"
    yield '    set $ship_end "";'
    yield '    set $ship_vary "";'
    yield "}"


def _records(site: Site) -> Iterator[str]:
    yield "# The manifest that stock Django can read."
    yield f"location = {pattern(site.static.prefix + site.static.manifest_name, 'manifest_name')} {{"
    yield "    return 404;"
    yield "}"


def other_location(site: Site) -> Iterator[str]:
    """Where a hashed file is looked for without its best variant."""
    yield "location @ship_other {"
    yield f"    rewrite ^ {site.address('/', '$ship_name')} last;"
    yield "}"


def method_location(site: Site) -> Iterator[str]:
    """What a file says to methods that it does not know: RFC 9110 sections 9.3.7 and 15.5.6, Fetch section 4.8."""
    of = site.of
    origin = next((field for field in site.static.fields if field.name.lower() == ORIGIN), None)
    yield "location @ship_method {"
    yield "    default_type text/plain;"
    yield "    types { }"
    yield f'    add_header Allow "{ALLOWED_METHODS}" always;'
    yield "    add_header Cache-Control no-store always;"
    if origin is not None and origin.rules:
        yield f"    add_header {_name(origin)} {variable(origin, of)} always;"
        yield f"    add_header Access-Control-Allow-Methods ${of}_methods;"
        yield f"    add_header Access-Control-Allow-Headers ${of}_headers;"
    elif origin is not None and origin.value:
        yield f"    add_header {_name(origin)} {_value(origin)} always;"
        yield f'    add_header Access-Control-Allow-Methods "{ALLOWED_METHODS}";'
        yield '    add_header Access-Control-Allow-Headers "*";'
    yield "    add_header X-Content-Type-Options nosniff always;"
    yield "    if ($request_method = OPTIONS) {"
    yield '        return 200 "";'
    yield "    }"
    yield "    return 405;"
    yield "}"
    yield "location @ship_range {"
    yield "    # nginx has told the coding by now: without a body there is nothing to decode."
    yield "    add_header Cache-Control no-store always;"
    yield '    return 416 "";'
    yield "}"
    yield "location @ship_error {"
    yield "    # With the status that led here."
    yield "    default_type text/plain;"
    yield "    types { }"
    yield from indented(error_fields(site))
    yield '    return 200 "$status\\n";'
    yield "}"


def method_maps(site: Site) -> Iterator[str]:
    """For `method_location`: where a file is not for other origins, none of the fields is there."""
    origin = next((field for field in site.static.fields if field.name.lower() == ORIGIN), None)
    if origin is None or not origin.rules:
        return
    for name, value in (("methods", f'"{ALLOWED_METHODS}"'), ("headers", '"*"')):
        yield from mapped(variable(origin, site.of), f"${site.of}_{name}", [('""', '""')], value)
