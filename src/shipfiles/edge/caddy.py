"""The configuration of Caddy 2: the block of a site, for a Caddyfile.

Placeholders say once which file a path means and what its name is without the hash; they are worked out when they are
asked for, and so from the path that was asked, not from what it was rewritten to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..config import ROOT_PREFIX
from ..manifest import SUFFIXES
from ..paths import url_quote
from . import media_caddy
from .caddy_text import leading_pattern, pattern, quoted
from .notes import notes
from .policy import HASHED, HIDDEN, WELL_KNOWN, EdgePolicy, Field, StaticPolicy
from .words import refused, sound

_SERVER = "Caddy"
_ALLOWED = "GET, HEAD, OPTIONS"
_ORIGIN = "access-control-allow-origin"
_ASKED = "{http.request.orig_uri.path}"
_PLAIN_TAG = r"^[a-z0-9/._~!$*+=:@-]{1,190}$"
_NAVIGATES = r"(?i)(?:^|,)[ \t]*text/html[ \t]*(?:;[ \t]*(?:[^q,][^,]*|q=(?:1|0\.0*[1-9])[^,]*))?(?:,|$)"
_ONE_RANGE = r"^bytes=[ \t]*(?:[0-9]+-[0-9]*|-[0-9]+)[ \t]*$"


def configuration(policy: EdgePolicy) -> str:
    """All of it. Raises `ConfigError` for what a Caddyfile cannot say."""
    static, application = policy.static, _application(policy)
    lines = [
        "# Made by `ship config caddy`, for Caddy 2.9 and newer. It is the same for every release.",
        *(f"# {note}" for note in notes(policy, _SERVER)),
        f"{_address(policy)} {{",
        *_indented(_site(policy)),
    ]
    inside = [*_upgrades()] if application else []
    inside += media_caddy.blocks(policy).splitlines()
    if static is not None and policy.mode != "proxy":
        lines += _indented(_placeholders(static))
        inside += _files(static)
        inside += _missing(policy, static)
    elif static is not None:
        inside.append("# Caddy keeps no answers by itself: that takes its module cache-handler, or a cache before it.")
    if application:
        inside += ["# The application.", *application]
    else:
        inside += ["header Cache-Control no-store", 'respond "Not Found" 404']
    return "\n".join([*lines, "\troute {", *_indented(_indented(inside)), "\t}", "}", ""])


def _indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    for line in lines:
        yield f"\t{line}" if line else ""


def _block(head: str, *inside: str) -> list[str]:
    return [f"{head} {{", *_indented(list(inside)), "}"]


def _address(policy: EdgePolicy) -> str:
    if re.search(r"[^0-9A-Za-z.-]", policy.host):
        raise refused(policy.host, "host", _SERVER, "more than the name of a host")
    _, _, port = policy.listen.rpartition(":")
    if re.search(r"[^0-9A-Za-z.:\[\]-]", policy.listen) or (policy.listen and not port.isdecimal()):
        raise refused(policy.listen, "listen", _SERVER, "more than an address and a port")
    # With a name alone Caddy gets a certificate itself, and redirects to it.
    scheme = "https://" if policy.certificate else "http://" if policy.listen or not policy.host else ""
    return f"{scheme}{policy.host}{':' * bool(port)}{port}" if policy.host or port else f"{scheme}:80"


def _site(policy: EdgePolicy) -> Iterator[str]:
    address, _, _ = policy.listen.rpartition(":")
    if address:
        yield f"bind {address}"
    if policy.certificate is not None:
        yield f"tls {' '.join(quoted(file, 'certificate') for file in policy.certificate)}"
    if policy.static is not None and policy.mode != "proxy":
        yield f"root * {quoted(policy.static.root.rstrip('/'), 'root')}"


def _placeholders(static: StaticPolicy) -> Iterator[str]:
    serve, prefix = static.serve, re.escape(static.prefix)
    yield ""
    yield "# Which file is meant: its path below the folder; and 1 for what is at another path than its own."
    rows = [
        f"{_first(path, 'serve.root_files')} {quoted(key, 'serve.root_files')} 1"
        for path, key in serve.root_files.items()
    ]
    places = [(f"^{prefix}", "")]
    if serve.root_folder is not None and static.prefix != "/":
        places.append(("^/", ROOT_PREFIX))
    for begins, folder in places:
        if serve.index_file:
            index = _plain(serve.index_file, "serve.index_file")
            rows.append(_row(f"{begins}(|.*/)$", f"`{folder}${{1}}{index}` -", "prefix"))
        rows.append(_row(f"{begins}(.*)$", f"`{folder}${{1}}` -", "prefix"))
    yield from _block(f"map {_ASKED} {{ship_asked}} {{ship_plain}}", *rows, 'default "" ""')
    yield "# Of the others nothing is shown: what begins with a dot, and manifests."
    shown = rf"^({re.escape(WELL_KNOWN)})?[^./][^/]*(/[^./][^/]*)*$"
    manifest = _row(f"^{re.escape(static.manifest_name)}$", ".none", "manifest_name")
    yield from _block("map {ship_asked} {ship_key}", manifest, _row(shown, "`${0}`"), "default .none")
    yield "# The same without the hash, by which the options know it."
    yield from _block("map {ship_key} {ship_logical}", _row(f"^(.+){HASHED}", "`${1}${2}`"), "default {ship_key}")
    yield "# Names that are for ever: those that have a hash, by their form."
    forever = [
        _row(lifetime.pattern, str(int(lifetime.immutable)), "rewrite.bundled_names") for lifetime in static.lifetimes
    ]
    yield from _block("map {ship_key} {ship_immutable}", *forever, "default 0")
    if static.codings:
        suffixes = "|".join(re.escape(SUFFIXES[coding]) for coding in static.codings)
        yield "# What a compressed sibling is one of."
        yield from _block("map {ship_key} {ship_sibling_of}", _row(f"^(.+)({suffixes})$", "`${1}`"), "default .none")
    if serve.index_file:
        index = re.escape(url_quote(serve.index_file))
        yield "# Where an index file is, from what its folder or it was asked by, with the query."
        yield from _block(
            "map {http.request.orig_uri} {ship_index}",
            _row(rf"^[^?]*/{index}(\?.*)?$", "`./${1}`", "serve.index_file"),
            _row(r"^[^?]*/([^/?]+)(\?.*)?$", "`./${1}/${2}`"),
        )
    yield from _types(static)
    yield ""


def _row(regex: str, value: str, what: str = "") -> str:
    """A line of ``map``."""
    # Between backticks `caddy fmt` would break it up at the beginning of a line.
    return f"{leading_pattern('~' + regex, what)} {value}"


def _types(static: StaticPolicy) -> Iterator[str]:
    yield "# Types, by whole names and by extensions."
    rows: dict[tuple[str, str], list[str]] = {}
    for name, type_ in static.names.items():
        if not name.startswith("."):
            rows.setdefault((r"(?i)^\S* ({})$", type_), []).append(_hashed_too(name))
    for extension, type_ in static.types.items():
        if extension and "." not in extension:
            rows.setdefault((r"(?i)^\.({}) ", type_), []).append(re.escape(extension))
    yield from _block(
        "map `{http.request.uri.path.file.ext} {http.request.uri.path.file}` {ship_type}",
        *(_row(form.replace("{}", "|".join(given)), _value(type_), "serve.media_types")
          for (form, type_), given in rows.items()),
        f"default {_value(static.default_type)}",
    )  # fmt: skip


def _hashed_too(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    hash_ = r"(\.[0-9a-f]{12})?"
    return f"{re.escape(stem)}{hash_}{re.escape(dot + extension)}" if stem else re.escape(name) + hash_


def _files(static: StaticPolicy) -> Iterator[str]:
    serve = static.serve
    if serve.index_file:
        yield "# A folder is answered for by its index file, at the address of the folder."
        index = _plain(serve.index_file, "serve.index_file")
        for name, conditions in (
            ("folder", [f"vars_regexp {_ASKED} [^/]$", _there(static, f"/{index}")]),
            ("index", [f"vars_regexp {_ASKED} {pattern(f'/{re.escape(index)}$', 'serve.index_file')}",
                       _there(static), "not vars {ship_plain} 1"]),
        ):  # fmt: skip
            yield from _block(f"@{name}", "method GET HEAD", *conditions)
            yield from _block(f"route @{name}", "header Cache-Control no-store", "redir * {ship_index} 302")
    yield "# What is there. Nothing is shown that begins with a dot, no manifest, and no sibling by its own name."
    conditions = [_there(static)]
    if static.codings:
        conditions.append("not file /{ship_sibling_of}")
    yield from _block("@file", *conditions)
    yield from _block("route @file", *_answers(static))


def _there(static: StaticPolicy, rest: str = "") -> str:
    places = ["/{ship_key}"]
    if static.serve.root_folder is not None and static.prefix == "/":
        # Whatever path is that of a file in either place.
        places.append(f"/{ROOT_PREFIX}{{ship_key}}")
    return "file " + " ".join(f"`{place}{rest}`" if rest else place for place in places)


def _answers(static: StaticPolicy) -> Iterator[str]:
    serve = static.serve
    yield from _block("@change", "not method GET HEAD OPTIONS")
    yield from _block(
        "route @change", f'header Allow "{_ALLOWED}"', "header Cache-Control no-store",
        'respond "Method Not Allowed" 405',
    )  # fmt: skip
    yield "rewrite * {file_match.relative}"
    likes: dict[str, str] = {}
    for field in static.fields:
        if not _is_mapped(field):
            for rule in field.rules:
                likes.setdefault(rule.pattern, f"@like{len(likes) + 1}")
    for like, name in likes.items():
        yield f"{name} vars_regexp {{ship_logical}} {pattern(like, 'serve.headers')}"
    for number, field in enumerate(static.fields, 1):
        yield from _field(field, number, likes)
    yield from _preflight(static)
    if serve.cache_tags:
        between = " " if serve.cache_tags == "Surrogate-Key" else ","
        yield "# Files whose path has capitals, spaces or letters beyond ASCII have the tag of all alone."
        yield f"header {serve.cache_tags} static"
        yield from _block("@tagged", f"vars_regexp {{ship_logical}} `{_PLAIN_TAG}`", "vars {ship_immutable} 0")
        yield f'header @tagged {serve.cache_tags} "static{between}static:{{ship_logical}}"'
    yield from _block("@immutable", "vars {ship_immutable} 1", "not vars {ship_plain} 1")
    yield f"header @immutable Cache-Control {_value(static.immutable)}"
    yield from _block("header", "match status 4xx", "Cache-Control no-store")
    yield "header Content-Type {ship_type}"
    if "svgz" in static.types:
        yield "@packed path_regexp (?i)\\.svgz$"
        yield "header @packed Content-Encoding gzip"
    yield "# One range; whatever else is asked for is the whole file. A date does not tell apart what a plain name had."
    yield from _block("@ranges", "header Range *", f"not header_regexp Range `{_ONE_RANGE}`")
    yield "request_header @ranges -Range"
    yield from _block("@dated", "vars {ship_immutable} 0", "header If-Range *GMT")
    yield "request_header @dated -Range"
    yield "@head method HEAD"
    yield "request_header @head -Range"
    yield from _server(static)


def _server(static: StaticPolicy) -> list[str]:
    names = {"br": "br", "zstd": "zstd", "gzip": "gzip"}
    codings = " ".join(names[coding] for coding in static.codings)
    return _block("file_server", *[f"precompressed {codings}"] * bool(codings), "disable_canonical_uris", "index none")


def _is_mapped(field: Field) -> bool:
    """Whether a placeholder has its value: to take a field away is put off until all others are set."""
    is_origin = field.name.lower() == _ORIGIN and field.rules
    return bool(is_origin) or any(rule.value is None for rule in field.rules)


def _field(field: Field, number: int, likes: Mapping[str, str]) -> Iterator[str]:
    name = _name(field.name)
    if not _is_mapped(field):
        if field.value is not None:
            yield f"header {name} {_value(field.value)}"
        # The first that fits counts, so it is said last.
        for rule in reversed(field.rules):
            yield f"header {likes[rule.pattern]} {name} {_value(rule.value or '')}"
        return
    placeholder, has = f"{{ship_field_{number}}}", "@origin" if name.lower() == _ORIGIN else f"@field{number}"
    rows = [_row(rule.pattern, _template(rule.value or ""), "serve.headers") for rule in field.rules]
    yield from _block(f"map {{ship_logical}} {placeholder}", *rows, f"default {_value(field.value or '')}")
    yield f'{has} not vars {placeholder} ""'
    yield f"header {has} {name} {placeholder}"


def _preflight(static: StaticPolicy) -> Iterator[str]:
    origin = [field for field in static.fields if field.name.lower() == _ORIGIN]
    has = "@origin " if origin and _is_mapped(origin[0]) else ""
    told = [f'header {has}Access-Control-Allow-Methods "{_ALLOWED}"', f"header {has}Access-Control-Allow-Headers *"]
    yield "@options method OPTIONS"
    yield from _block(
        "route @options", f'header Allow "{_ALLOWED}"', "header Cache-Control no-store", *told * bool(origin),
        'respond "" 200',
    )  # fmt: skip


def _missing(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    serve, prefix = static.serve, static.prefix
    if policy.application and prefix != "/":
        below = f"path_regexp {pattern('^' + re.escape(prefix), 'prefix')}"
        conditions = {"never": f"vars_regexp {{ship_asked}} {HIDDEN}"}
        if serve.pull_from is None:
            yield "# A hashed name that no release has is nobody else's; all else may be the application's."
            conditions["lost"] = "vars {ship_immutable} 1"
        for name, condition in conditions.items():
            yield from _block(f"@{name}", below, condition)
            yield from _block(f"route @{name}", "header Cache-Control no-store", 'respond "Not Found" 404')
    elif not policy.application and serve.single_page:
        yield "# Who navigates gets the page that stands for all addresses."
        yield from _navigating(static)


def _navigating(static: StaticPolicy) -> Iterator[str]:
    page = _plain(static.serve.single_page, "serve.single_page")
    conditions = ["method GET HEAD", f"header_regexp Accept `{_NAVIGATES}`"]
    if static.prefix != "/":
        conditions.append(f"not path_regexp {pattern('^' + re.escape(static.prefix), 'prefix')}")
    yield from _block("@page", *conditions, f"file {quoted('/' + page, 'serve.single_page')}")
    yield from _block("route @page", *_page(static))


def _page(static: StaticPolicy) -> Iterator[str]:
    page = static.serve.single_page
    for field in static.fields:
        value = next((rule.value for rule in field.rules if re.search(rule.pattern, page)), field.value)
        if value is not None:
            yield f"header {_name(field.name)} {_value(value)}"
    yield "header +Vary Accept"
    yield "request_header -Range"
    yield "rewrite * {file_match.relative}"
    yield "header Content-Type {ship_type}"
    yield from _server(static)


def _upgrades() -> Iterator[str]:
    yield "# WebSockets alone: another protocol, h2c for one, would go past all that is said here."
    yield from _block("@upgrade", "header Upgrade *", "not header_regexp Upgrade (?i)^websocket$")
    yield "request_header @upgrade -Upgrade"


def _application(policy: EdgePolicy) -> list[str]:
    if not policy.application:
        return []
    if not re.fullmatch(r"https?://[0-9A-Za-z.\[\]:_-]+/?", policy.application):
        raise refused(policy.application, "application", _SERVER, "more than a scheme, a host and a port")
    limit = _block("request_body", f"max_size {policy.max_upload}") if policy.max_upload else []
    proxy = f"reverse_proxy {policy.application.rstrip('/')}"
    static = policy.static
    if static is None or policy.mode == "proxy" or not static.serve.single_page:
        return [*limit, proxy]
    instead = _block("handle_response @lost", "route {", *_indented([*_navigating(static), "copy_response"]), "}")
    return [
        *limit, "# Who navigates gets the page that stands for all addresses in place of its 404.",
        *_block(proxy, "@lost status 404", *instead),
    ]  # fmt: skip


def _first(text: str, what: str) -> str:
    """``text`` as the first word of a line, where `caddy fmt` breaks up what is between backticks."""
    return leading_pattern(quoted(text, what)[1:-1], what)


def _plain(name: str, what: str) -> str:
    """``name`` within what is a template of a regular expression's parts, or of placeholders."""
    if re.search(r"[${}`*?\[\]\\]", name):
        raise refused(name, what, _SERVER, "a character that means something in its patterns")
    return sound(name, what, _SERVER)


def _name(field: str) -> str:
    if not re.fullmatch(r"\w[\w-]*", field, re.ASCII):
        raise refused(field, "serve.headers", _SERVER, "a character that means something there")
    return field


def _template(text: str) -> str:
    """The same where the parts of a regular expression are put in."""
    return pattern(sound(text, "serve.headers", _SERVER).replace("$", "$$"), "serve.headers") if text else '""'


def _value(text: str) -> str:
    """``text`` as the value of a header."""
    sound(text, "serve.headers", _SERVER)
    if re.fullmatch(r"[\w/;=.,:*+ -]*", text, re.ASCII):
        return f'"{text}"' if not text or " " in text else text
    return pattern(re.sub(r"[{}]", r"\\\g<0>", text), "serve.headers")
