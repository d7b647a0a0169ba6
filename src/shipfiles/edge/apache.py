"""The configuration of Apache httpd 2.4: a site, as Debian has them in ``sites-available``.

mod_rewrite says once, in variables, which file a path means and in which coding it goes out; the fields go by these:
SHIP_KEY is the path of the file below the folder, SHIP_LOGICAL the same without the hash, and the others are 1 or not
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from ..config import ROOT_PREFIX
from ..manifest import SUFFIXES
from . import media_apache
from .apache_text import quoted, raw, section
from .media_rules import called
from .notes import notes
from .policy import HASHED, HIDDEN, WELL_KNOWN, EdgePolicy, Field, StaticPolicy
from .words import refused

_SERVER = "Apache"
_ALLOWED = "GET, HEAD, OPTIONS"
_NAVIGATES = (
    r"req_novary('Accept') =~ m#(?:^|,)[ \t]*text/html[ \t]*(?:;[ \t]*(?:[^q,][^,]*|q=(?:1|0\.0*[1-9])[^,]*))?(?:,|$)#i"
)
_WEIGHT = r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?"
_SAYS_NOTHING = (
    "-z resp('Expires') && "
    r"! resp('Cache-Control') =~ m#(?:^|[ \t,])(?:s-maxage|max-age|no-cache|no-store|private)(?:[ \t=,]|$)#i"
)
_PATTERN = "a pattern of file names"
# What can be said of a tag without counting or digesting: see `shipfiles.http.tags`.
_PLAIN_TAG = r"^[a-z0-9/._~!$*+=:@-]{1,190}$"


def configuration(policy: EdgePolicy) -> str:
    """All of it. Raises `ConfigError` for what Apache's language cannot say."""
    static = policy.static
    lines = [*_head(policy), ""]
    name, port = _address(policy)
    if policy.listen:
        lines += [f"Listen {quoted(policy.listen, 'listen')}", ""]
    lines.append(f"<VirtualHost {quoted(f'{name}:{port}', 'listen')}>")
    inside = [*_site(policy)]
    if uploads := media_apache.blocks(policy):
        inside += ["", *uploads.splitlines()]
    if static is not None and policy.mode == "proxy":
        inside += ["", *_kept(policy, static)]
    elif static is not None:
        inside += ["", *_weights(static), "", *_rules(policy, static), "", *_folder(static), "", *_errors()]
    inside += ["", *_application(policy)] if policy.application else []
    lines += [f"    {line}" if line else "" for line in inside]
    return "\n".join([*lines, "</VirtualHost>", ""])


def _address(policy: EdgePolicy) -> tuple[str, str]:
    address, _, port = policy.listen.rpartition(":")
    if re.search(r"[^0-9A-Za-z.:\[\]*-]", policy.listen) or (policy.listen and not port.isdecimal()):
        raise refused(policy.listen, "listen", _SERVER, "more than an address and a port")
    return address or "*", port or ("443" if policy.certificate else "80")


def _head(policy: EdgePolicy) -> Iterator[str]:
    modules = ["headers", "rewrite"]
    if policy.mode != "proxy" or policy.media:
        modules += ["setenvif", "alias", "mime", "allowmethods"]
    handing = any(media.config.delivery.mechanism == "x-sendfile" for media in policy.media)
    modules += ["xsendfile"] * handing
    modules += ["proxy_http"] * bool(policy.application)
    modules += ["cache_disk"] * (policy.mode == "proxy") + ["ssl"] * (
        policy.certificate is not None or _is_secure(policy)
    )
    yield "# Made by `ship config apache`, for Apache httpd 2.4.49 and newer. It is the same for every release."
    yield f"# a2enmod {' '.join(modules)}"
    yield from (f"# {note}" for note in notes(policy, _SERVER))


def _site(policy: EdgePolicy) -> Iterator[str]:
    if policy.host:
        if re.search(r"[^0-9A-Za-z.:-]", policy.host):
            raise refused(policy.host, "host", _SERVER, "more than the name of a host")
        yield f"ServerName {policy.host}"
    if policy.certificate is not None:
        yield "SSLEngine On"
        for directive, file in zip(("SSLCertificateFile", "SSLCertificateKeyFile"), policy.certificate, strict=True):
            yield f"{directive} {quoted(file, 'certificate')}"
    yield "TraceEnable Off"
    yield "# Paths are what they are: a slash that is percent-encoded, or two of them, are no folder's."
    yield "AllowEncodedSlashes NoDecode"
    yield "MergeSlashes Off"


def _weights(static: StaticPolicy) -> Iterator[str]:
    if not static.codings:
        return
    names = [*static.codings, "identity"]
    yield "# Which codings the browser takes, and how gladly (RFC 9110 section 12.5.3)."
    # One by one, so that what is said of a coding itself counts more than what is said of any.
    for asked, variables in [(r"\*", names), *((name, [name]) for name in names)]:
        member = rf"(?:^|,)[ \t]*{'(?:x-)?gzip' if asked == 'gzip' else asked}[ \t]*"
        for rest, value in (("(?:,|$)", "1"), (rf";[ \t]*q=({_WEIGHT})[ \t]*(?:,|$)", "$1")):
            to = " ".join(f"{_weight(name)}={value}" for name in variables)
            yield f'SetEnvIfNoCase Accept-Encoding "{member}{rest}" {to}'


def _weight(coding: str) -> str:
    return f"SHIP_{coding.upper()}"


_KEY = "%{ENV:SHIP_KEY}"
_LOST = 'RewriteCond "%{ENV:SHIP_FOUND}" "!1"'
_READS = 'RewriteCond "%{REQUEST_METHOD}" "^(?:GET|HEAD)$"'
_SHOWN = 'RewriteCond "%{ENV:SHIP_HIDDEN}" "!1"'
_AS_IT_IS = "E=SHIP_FOUND:1,E=SHIP_STATIC:1,E=no-proxy:1,E=no-gzip:1,E=no-brotli:1"


def _rules(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    """mod_rewrite's part."""
    serve, prefix, root = static.serve, static.prefix, _expanded(static.root.rstrip("/"), "root")
    yield "RewriteEngine On"
    yield from _meant(policy, static, root)
    yield from _hidden(static, root)
    if serve.index_file:
        yield from _index(static, root)
    yield ""
    yield "# Which names are for ever: those that have a hash, by their form."
    for lifetime in reversed(static.lifetimes):
        yield f'RewriteCond "{_KEY}" {_pattern(lifetime.pattern)}'
        yield f'RewriteRule "^" "-" [E={"SHIP_IMMUTABLE:1" if lifetime.immutable else "!SHIP_IMMUTABLE"}]'
    yield ""
    yield "# It is there, and goes out as it is: neither the application nor a compressing module is asked."
    yield _SHOWN
    yield f'RewriteCond "{root}/{_KEY}" -f'
    yield f'RewriteRule "^" "-" [{_AS_IT_IS}]'
    yield "# It is not there."
    yield from _elsewhere(static) if policy.application else _nowhere(static, root)
    if _has_rules(static):
        yield ""
        yield "# SHIP_LOGICAL is the path without the hash, by which the options know it."
        yield f'RewriteRule "^" "-" [E=SHIP_LOGICAL:{_KEY}]'
        yield f'RewriteCond "{_KEY}" "^(.+){HASHED}"'
        yield 'RewriteRule "^" "-" [E=SHIP_LOGICAL:%1%2]'
    if static.codings:
        yield from _negotiated(static, root, _KEY)
    # What is at its own path is left as it is: what is rewritten may have no question mark.
    is_elsewhere = any(path.startswith(prefix) for path in serve.root_files)
    own = f"!^{_escaped(prefix)}.*[^/]$" if not is_elsewhere and (prefix != "/" or serve.root_folder is None) else "^"
    yield f'RewriteRule {raw(own, "prefix")} "{_expanded(prefix, "prefix")}{_KEY}" [PT]'


def _meant(policy: EdgePolicy, static: StaticPolicy, root: str) -> Iterator[str]:
    serve, prefix = static.serve, static.prefix
    yield "# Which file is meant: SHIP_KEY is its path below the folder."
    if serve.root_folder is None and prefix != "/":
        others = "".join(f"|{_escaped(path[1:])}$" for path in serve.root_files)
        flags = "L" if policy.application else "E=SHIP_HIDDEN:1"
        yield f'RewriteRule {raw(f"!^/(?:{_escaped(prefix[1:])}{others})", "prefix")} "-" [{flags}]'
    elif prefix != "/":
        yield f'RewriteRule "^/(.*)$" "-" [E=SHIP_KEY:{ROOT_PREFIX}$1]'
    yield f'RewriteRule {raw(f"^{_escaped(prefix)}(.*)$", "prefix")} "-" [E=SHIP_KEY:$1,E=SHIP_STATIC:1]'
    if serve.root_folder is not None and prefix == "/":
        index = _expanded(serve.index_file, "serve.index_file")
        yield from [f'RewriteCond "{root}/{_KEY}{name}" !-f' for name in dict.fromkeys(("", index))]
        yield f'RewriteRule "^/(.*)$" "-" [E=SHIP_KEY:{ROOT_PREFIX}$1]'
    for path, logical in serve.root_files.items():
        pattern = raw(f"^{_escaped(path)}$", "serve.root_files")
        if re.fullmatch(r"[\w./-]+", logical, re.ASCII):
            yield f'RewriteRule {pattern} "-" [E=SHIP_KEY:{logical},E=SHIP_PLAIN:1]'
        else:
            yield f'RewriteCond {_quoted_expanded(logical, "serve.root_files")} "^(.*)$"'
            yield f'RewriteRule {pattern} "-" [E=SHIP_KEY:%1,E=SHIP_PLAIN:1]'


def _hidden(static: StaticPolicy, root: str) -> Iterator[str]:
    yield ""
    yield "# Of these nothing is shown: what begins with a dot, manifests, and compressed siblings by their own names."
    hidden = raw(f"{HIDDEN}|(^|/)/|^{_escaped(static.manifest_name)}$", "manifest_name")
    yield f'RewriteCond "{_KEY}" {hidden}'
    yield f'RewriteCond "{_KEY}" "!^{re.escape(WELL_KNOWN)}(?![./]|.*/[./])"'
    yield 'RewriteRule "^" "-" [E=SHIP_HIDDEN:1]'
    if static.codings:
        yield f'RewriteCond "{_KEY}" "^(.+)({_suffixes(static)})$"'
        yield f'RewriteCond "{root}/%1" -f'
        yield 'RewriteRule "^" "-" [E=SHIP_HIDDEN:1]'


def _index(static: StaticPolicy, root: str) -> Iterator[str]:
    name, index = static.serve.index_file, _expanded(static.serve.index_file, "serve.index_file")
    yield ""
    yield "# A folder is answered for by its index file, at the address of the folder."
    yield from (_READS, _SHOWN)
    yield f'RewriteCond "{root}/{_KEY}/{index}" -f'
    yield 'RewriteRule "[^/]$" "%{REQUEST_URI}/" [R=302,L,E=SHIP_STATIC:1]'
    yield from (_READS, _SHOWN, 'RewriteCond "%{ENV:SHIP_PLAIN}" "!1"')
    yield f'RewriteCond "{root}/{_KEY}" -f'
    itself = raw(f"^(.*/){_escaped(name)}$", "serve.index_file")
    yield f'RewriteRule {itself} "$1" [R=302,L,E=SHIP_STATIC:1]'
    yield f'RewriteCond "{_KEY}" "^(|.*/)$"'
    yield f'RewriteCond "{root}/%1{index}" -f'
    yield f'RewriteCond "%1{index}" "^(.*)$"'
    yield 'RewriteRule "^" "-" [E=SHIP_KEY:%1]'


def _elsewhere(static: StaticPolicy) -> Iterator[str]:
    """Before an application."""
    if static.prefix != "/":
        never = "%{ENV:SHIP_HIDDEN}"
        if static.serve.pull_from is None:
            yield "# A hashed name that no release has is nobody else's; all else may be the application's."
            never += "%{ENV:SHIP_IMMUTABLE}"
        yield from (_LOST, 'RewriteCond "%{ENV:SHIP_STATIC}" "1"')
        yield f'RewriteCond "{never}" "1"'
        yield 'RewriteRule "^" "-" [R=404,L]'
    yield _LOST
    yield 'RewriteRule "^" "-" [L,E=!SHIP_STATIC]'


def _nowhere(static: StaticPolicy, root: str) -> Iterator[str]:
    """Without one."""
    if static.serve.single_page:
        page = _expanded(static.serve.single_page, "serve.single_page")
        below = f"!^{_escaped(static.prefix)}" if static.prefix != "/" else "^"
        yield "# Who navigates gets the page that stands for all addresses."
        yield from (_LOST, _READS, f'RewriteCond expr "{_NAVIGATES}"')
        yield f'RewriteCond "{root}/{page}" -f'
        yield f'RewriteCond "{page}" "^(.*)$"'
        yield f'RewriteRule {raw(below, "prefix")} "-" [E=SHIP_KEY:%1,{_AS_IT_IS},E=SHIP_PLAIN:1,E=SHIP_PAGE:1]'
    yield _LOST
    yield 'RewriteRule "^" "-" [R=404,L,E=SHIP_STATIC:1]'


def _suffixes(static: StaticPolicy) -> str:
    return "|".join(re.escape(SUFFIXES[coding]) for coding in static.codings)


def _negotiated(static: StaticPolicy, root: str, key: str) -> Iterator[str]:
    """The best coding that the browser takes and that lies beside the file."""
    prefix = _expanded(static.prefix, "prefix")
    yield ""
    yield "# The coding that the browser likes best, of those that lie beside the file."
    yield f'RewriteCond "{key}" "\\?"'
    yield f'RewriteRule "^" "-" [S={len(static.codings) + 2}]'
    yield from [f'RewriteCond "{root}/{key}{SUFFIXES[coding]}" !-f' for coding in static.codings]
    yield f'RewriteRule "^" "-" [S={len(static.codings) + 1}]'
    yield 'RewriteRule "^" "-" [E=SHIP_VARIES:1]'
    for coding in static.codings:
        mine = f"reqenv('{_weight(coding)}')"
        yield f"RewriteCond expr \"{mine} > '0.000' && {mine} >= reqenv('{_weight('identity')}')\""
        for other in static.codings:
            if other != coding:
                yield f"RewriteCond expr \"{mine} >= reqenv('{_weight(other)}')\" [OR]"
                yield f'RewriteCond "{root}/{key}{SUFFIXES[other]}" !-f'
        yield f'RewriteCond "{root}/{key}{SUFFIXES[coding]}" -f'
        # Behind the file stands its name once more, for mod_mime, which takes types from the end.
        yield f'RewriteRule "^" "{prefix}{key}{SUFFIXES[coding]}/{key}" [PT,L,E=SHIP_CODING:{coding}]'


def _folder(static: StaticPolicy) -> Iterator[str]:
    root = static.root.rstrip("/")
    yield f"Alias {quoted(static.prefix, 'prefix')} {quoted(root + '/', 'root')}"
    yield f"<Directory {section(root, 'root')}>"
    yield from (f"    {line}" if line else "" for line in _inside(static))
    yield "</Directory>"


def _inside(static: StaticPolicy) -> Iterator[str]:
    serve = static.serve
    yield "Require all granted"
    yield "AllowOverride None"
    yield "# No listings, no scripts, and no links that lead elsewhere."
    yield "Options None"
    yield "# Whatever PHP's own configuration says of names: what is said of files counts more than of their folder."
    yield '<FilesMatch "">'
    yield "    SetHandler default-handler"
    yield "</FilesMatch>"
    yield "AllowMethods GET HEAD OPTIONS"
    yield "EnableSendfile On"
    yield "# One range; whatever else is asked for is the whole file."
    yield "MaxRanges 1"
    yield (
        "RequestHeader unset Range \"expr=%{REQUEST_METHOD} != 'GET' || ! req_novary('Range') =~ "
        'm#^bytes=[ \\t]*(?:[0-9]+-[0-9]*|-[0-9]+)[ \\t]*$#i"'
    )
    yield "# A plain name may have been given other bytes within a second, which a date does not tell."
    yield "RequestHeader unset Range \"expr=-z reqenv('SHIP_IMMUTABLE') && req_novary('If-Range') =~ m#GMT$#\""
    yield ""
    if static.codings:
        unless = "expr=-n reqenv('SHIP_CODING') && %{REQUEST_STATUS} != '304'"
        yield f'Header set Content-Encoding "%{{SHIP_CODING}}e" "{unless}"'
        yield 'Header set Vary "Accept-Encoding" env=SHIP_VARIES'
    if serve.single_page:
        yield 'Header merge Vary "Accept" env=SHIP_PAGE'
    for field in static.fields:
        yield from _field(field)
    if serve.cache_tags:
        yield from _tags(static)
    unless = " && -z reqenv('SHIP_PLAIN')" if serve.root_files or serve.single_page else ""
    yield f"Header set Cache-Control {_value(static.immutable)} \"expr=-n reqenv('SHIP_IMMUTABLE'){unless}\""
    yield ""
    yield "# What may be asked, and a CORS preflight."
    yield "Header set Cache-Control \"no-store\" \"expr=%{REQUEST_METHOD} == 'OPTIONS' || %{REQUEST_STATUS} == '412'\""
    yield f'Header set Allow "{_ALLOWED}" "expr=%{{REQUEST_METHOD}} == \'OPTIONS\'"'
    preflight = "\"expr=%{REQUEST_METHOD} == 'OPTIONS' && -n resp('Access-Control-Allow-Origin')\""
    yield f'Header set Access-Control-Allow-Methods "{_ALLOWED}" {preflight}'
    yield f'Header set Access-Control-Allow-Headers "*" {preflight}'
    yield ""
    yield from _types(static)


def _types(static: StaticPolicy) -> Iterator[str]:
    yield "AcceptPathInfo On"
    yield "ModMimeUsePathInfo On"
    by_type: dict[str, list[str]] = {}
    for extension, type_ in static.types.items():
        if extension and "." not in extension:
            by_type.setdefault(type_, []).append(extension)
    for type_, extensions in by_type.items():
        names = " ".join(quoted(f".{extension}", "serve.media_types") for extension in extensions)
        yield f"AddType {quoted(type_, 'serve.media_types')} {names}"
    if "svgz" in static.types:
        yield "AddEncoding gzip .svgz"
    by_type = {}
    for name, type_ in static.names.items():
        if not name.startswith("."):
            by_type.setdefault(type_, []).append(name)
    suffix = f"(?:{_suffixes(static)})?" if static.codings else ""
    for type_, given in by_type.items():
        pattern = f"(?i)^(?:{'|'.join(_hashed_too(name) for name in given)}){suffix}$"
        yield f"<FilesMatch {quoted(pattern, 'serve.media_types')}>"
        yield f"    ForceType {quoted(type_, 'serve.media_types')}"
        yield "</FilesMatch>"
    yield f'Header set Content-Type {_value(static.default_type)} "expr=-z %{{CONTENT_TYPE}}"'


def _hashed_too(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    if not stem:
        return rf"{_escaped(name)}(?:\.[0-9a-f]{{12}})?"
    return rf"{_escaped(stem)}(?:\.[0-9a-f]{{12}})?{re.escape(dot + extension)}"


def _field(field: Field) -> Iterator[str]:
    name = field.name if re.fullmatch(r"[\w-]+", field.name) else quoted(field.name, "serve.headers")
    if field.value is not None:
        yield f"Header set {name} {_value(field.value)}"
    # The first that fits counts, so it is said last.
    for rule in reversed(field.rules):
        said = f"unset {name}" if rule.value is None else f"set {name} {_value(rule.value)}"
        yield f"Header {said} \"expr=reqenv('SHIP_LOGICAL') =~ {_literal(rule.pattern)}\""


def _tags(static: StaticPolicy) -> Iterator[str]:
    name, between = static.serve.cache_tags, " " if static.serve.cache_tags == "Surrogate-Key" else ","
    yield "# Files whose path has capitals, spaces or letters beyond ASCII have the tag of all alone."
    yield f'Header set {name} "static"'
    yield (
        f'Header set {name} "expr=static{between}static:%{{reqenv:SHIP_LOGICAL}}" '
        f"\"expr=-z reqenv('SHIP_IMMUTABLE') && reqenv('SHIP_LOGICAL') =~ {_literal(_PLAIN_TAG)}\""
    )


def _errors() -> Iterator[str]:
    condition = "-n reqenv('SHIP_STATIC') && %{REQUEST_STATUS} -ge 300 && ! %{REQUEST_STATUS} -in {'304', '412'}"
    yield "# What is no file is not kept: the next release may have one there."
    yield f'Header always set Cache-Control "no-store" "expr={condition}"'
    yield (f"Header always set Allow \"{_ALLOWED}\" \"expr=-n reqenv('SHIP_STATIC') && %{{REQUEST_STATUS}} == '405'\"")


def _application(policy: EdgePolicy) -> Iterator[str]:
    url = policy.application.rstrip("/") + "/"
    if not re.fullmatch(r"https?://[0-9A-Za-z.\[\]:_-]+/", url):
        raise refused(policy.application, "application", _SERVER, "more than a scheme, a host and a port")
    yield "# The application. Its 404 and OPTIONS['serve']['single_page'] are its own."
    yield "ProxyPreserveHost On"
    if _is_secure(policy):
        yield "# Its certificate is not looked at: SSLProxyVerify and SSLProxyCACertificateFile would do that."
        yield "SSLProxyEngine On"
        yield "SSLProxyCheckPeerName Off"
    yield "# It cuts its answers itself."
    yield "MaxRanges none"
    yield "# Who is asked, and how, is for us to say, not for clients, nor which fields are left out."
    yield 'RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"'
    yield "RequestHeader unset X-Forwarded-Host"
    yield 'RequestHeader edit* Connection "(?i)X-Forwarded-[A-Za-z]+" "-"'
    if policy.max_upload:
        yield f"LimitRequestBody {policy.max_upload}"
    yield f'ProxyPass "/" "{url}" nocanon'
    yield f'ProxyPassReverse "/" "{url}"'


def _is_secure(policy: EdgePolicy) -> bool:
    return policy.application.startswith("https:")


def _kept(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    yield "# What the application says of static files is kept as long as it says, one time for each coding."
    yield "# CacheRoot is where: Debian has /var/cache/apache2/mod_cache_disk, which htcacheclean keeps small."
    yield f"CacheEnable disk {quoted(static.prefix, 'prefix')}"
    for media in policy.media:
        if media.prefix.startswith(static.prefix):
            yield f"CacheDisable {quoted(media.prefix, called(media))}"
    yield "CacheLock On"
    yield "CacheHeader On"
    yield "# mod_cache would keep answers with a cookie for everybody, and guess how long where nothing is said of it."
    yield f"<Location {section(static.prefix, 'prefix')}>"
    for condition in ("-n resp('Set-Cookie')", _SAYS_NOTHING):
        yield f"    Header merge Cache-Control private \"expr={condition} && -z reqenv('no-proxy')\""
    yield "</Location>"
    yield "# Codings as they are usually named, so that not every browser has a copy of its own."
    for coding in static.codings:
        member = rf"^(?:.*,)?[ \t]*{coding}[ \t]*(?:,.*)?$"
        yield f'RequestHeader edit Accept-Encoding "{member}" "{coding}" early'


def _has_rules(static: StaticPolicy) -> bool:
    return bool(static.serve.cache_tags) or any(field.rules for field in static.fields)


def _value(text: str) -> str:
    """``text`` as the value of ``Header``."""
    if re.fullmatch(r"[ -~]*", text) and "${" not in text and not text.startswith("expr="):
        return quoted(text.replace("%", "%%"), "serve.headers")
    return quoted(f"expr=%{{unescape:{quote(text, safe=' ,;:=/*@+', encoding='latin-1')}}}", "serve.headers")


def _literal(pattern: str) -> str:
    """A regular expression within an expression, in a quoted word: nothing but the next ``#`` ends it."""
    written = re.sub(r"\\?#", r"\\x23", pattern)
    return f"m#{quoted(_by_letters(written), _PATTERN)[1:-1]}#"


def _pattern(pattern: str) -> str:
    """The same as a word of mod_rewrite."""
    return raw(_unquoted(_by_letters(pattern)), _PATTERN)


def _by_letters(pattern: str) -> str:
    """A regular expression for letters, not bytes, where that makes a difference.

    mod_rewrite shall not take its beginning for a comparison or a "not".
    """
    # Else a dot, and all that is not in brackets, is a byte.
    bare = re.sub(r"\\.", "", pattern).replace("[^./]", "")
    without_classes = re.sub(r"\[[^\]]*\]", "", bare)
    letters = re.search(r"\.(?!\*)", without_classes) or ("[" in bare and (not pattern.isascii() or "[^" in bare))
    before = "(*UTF)" if letters else "(?:)" if pattern[:1] in "!=<>-" else ""
    return before + pattern


def _unquoted(pattern: str) -> str:
    """The same regular expression without quotes."""
    return re.sub(r'\\?"|\\.', lambda found: r"\x22" if found[0][-1] == '"' else found[0], pattern, flags=re.DOTALL)


def _escaped(text: str) -> str:
    """What fits ``text`` alone."""
    return _unquoted(re.escape(text))


def _expanded(text: str, what: str) -> str:
    """``text`` within a quoted word of mod_rewrite in which ``$`` and ``%`` stand for something else."""
    return _quoted_expanded(text, what)[1:-1]


def _quoted_expanded(text: str, what: str) -> str:
    return raw(re.sub(r"[\\$%]", r"\\\g<0>", text), what)
