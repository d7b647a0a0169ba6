"""Uploads in nginx's configuration.

Public ones come from the disk, and so do signed ones whose links nginx's ``secure_link`` checks. All others are asked
of the application, which may hand them over by X-Accel-Redirect; why no ``auth_request`` asks about links is in
docs/decisions/0016-uploads-at-the-edge.md.
https://nginx.org/en/docs/http/ngx_http_core_module.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..media.links import checked_secure_link_key
from .media_rules import (
    CONTROL,
    PLAIN,
    Kind,
    Rules,
    Way,
    any_of,
    called,
    closed_below,
    in_order,
    internal_places,
    notes,
    root_of,
    rules,
    way,
    why_nobody,
)
from .nginx_text import pattern, quoted
from .policy import EdgePolicy, MediaPolicy

# nginx keeps Content-Type, Content-Disposition, Cache-Control, Expires and Set-Cookie of the application's answer.
# These are the others that media.safety, Django's sessions and its middleware say.
_PASSED_ON = (
    "Content-Encoding", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "X-Content-Type-Options", "Vary",
    "Referrer-Policy", "Cross-Origin-Opener-Policy", "X-Frame-Options", "Strict-Transport-Security",
)  # fmt: skip
# Whatever the rest of the server does.
_AS_THEY_ARE = "charset off; expires off; gzip off; gzip_static off; ssi off;"
_NAME = "shipfiles_name"
_NONE, _REFUSED, _METHOD = "@shipfiles_no_upload", "@shipfiles_no_link", "@shipfiles_upload_method"


def blocks(policy: EdgePolicy, asked: Sequence[str] = ()) -> str:
    """The locations of ``policy.media``, to stand in a ``server``; empty if there are none.

    ``asked`` is what hands a request to the application there: without it each is a connection of its own.
    Raises `ConfigError` for what nginx's language cannot say, and for places of two storages that are one.
    """
    lines: list[str] = []
    ways: list[Way] = []
    for media in in_order(policy):
        who = way(media, policy, checks_links=True)
        ways.append(who)
        lines += ["", *_storage(media, policy, who, asked)]
    for url, root in internal_places(policy):
        lines += ["", *_internal(url, root)]
    if set(ways) - {"application"}:
        lines += ["", *_answers("link" in ways)]
    return "\n".join(lines[1:]) + "\n" if lines else ""


def _storage(media: MediaPolicy, policy: EdgePolicy, who: Way, asked: Sequence[str]) -> Iterator[str]:
    prefix = pattern(media.prefix, f"The URLs of {called(media)}")
    head = f"# Uploads of {called(media)}, {media.config.access}"
    if who == "application":
        yield f"{head}: the application says who may have them."
        yield from _block(
            f"location ^~ {prefix}", [*(asked or _asked(policy.application)), f"{_AS_THEY_ARE} proxy_cache off;"]
        )
    elif who == "nobody":
        yield f"{head}: {why_nobody(media)}"
        yield from _block(f"location ^~ {prefix}", ["return 404;", f"error_page 404 = {_NONE};"])
    else:
        yield f"{head}: answered from the disk."
        yield from _block(f"location ^~ {prefix}", _from_disk(media, policy, who))


def _asked(application: str) -> Iterable[str]:
    return (
        # Without a path: the URL goes on as it was asked.
        f"proxy_pass {quoted(application.rstrip('/'), 'The application')};",
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    )


def _from_disk(media: MediaPolicy, policy: EdgePolicy, who: Way) -> Iterator[str]:
    given, what = rules(media.config), called(media)
    root = root_of(media)
    yield f"alias {quoted(root, what)};"
    for note in notes(media):
        yield f"# {note}"
    yield "# Links are not followed, not even those that lead to another place in the folder."
    yield f"disable_symlinks on {quoted(f'from={root}', what)};"
    yield "# Whatever the server does elsewhere: uploads are what they are, and what is deleted is gone at once."
    yield f"{_AS_THEY_ARE} autoindex off; open_file_cache off; max_ranges 1;"
    yield f"error_page 404 = {_NONE}; error_page 405 = {_METHOD};"
    yield f"error_page 403 = {_REFUSED if who == 'link' else _NONE};"
    guard: tuple[str, ...] = ()
    if who == "link":
        key = checked_secure_link_key(media.config.signed.key or "")
        yield "# THE KEY of signed links: let nobody read this file who must not make links (chmod 600, owner root)."
        yield "secure_link $arg_md5,$arg_expires;"
        yield f'secure_link_md5 "$secure_link_expires$uri {key}";'
        guard = ('if ($secure_link != "1") { return 403; }',)
    yield from _block("types", (f"{quoted(type_, what)} {_words(ends, what)};" for type_, ends in given.types))
    yield f"default_type {quoted(given.other_type, what)};"
    for folder in closed_below(media, policy):
        yield "# The folder of another storage that is not public."
        yield from _block(f"location ^~ {pattern(f'{media.prefix}{folder}/', what)}", ["return 404;"])
    # Those with a dot in front are for links alone; and where somebody has turned merge_slashes off, two slashes would
    # lead past the folders above.
    hidden = r"//|/\.shipfiles(-|/|\z)" if who == "link" else "/[./]"
    yield from _block(f"location ~* {pattern(f'{CONTROL}|{hidden}', what)}", ["return 404;"])
    yield from _kinds(given, guard, what)


def _kinds(given: Rules, guard: Sequence[str], what: str) -> Iterator[str]:
    """The locations of those files that are answered alike: the first that fits counts."""
    for named in given.names:
        types = f"types {{}} default_type {quoted(named.content_type, what)};"
        yield from _kind(named.kind, any_of(named.ends), [*guard, types], what)
    for named in given.extensions:
        ends = any_of(named.ends)
        if named.kind.attached:
            yield from _kind(named.kind, rf"{PLAIN}\.{ends}", guard, what)
        yield from _kind(named.kind, rf"[^/]+\.{ends}", guard, what, nameless=True)
    if given.other.attached:
        yield from _kind(given.other, PLAIN, guard, what)
    yield from _kind(given.other, "[^/]*", guard, what, nameless=True)


def _kind(kind: Kind, file: str, lines: Sequence[str], what: str, *, nameless: bool = False) -> Iterator[str]:
    """The location of the files whose names fit ``file``. ``nameless`` leaves it to the browser to take the name from
    the URL: not every one can be said in a field here.
    """
    fields = [f"add_header {name} {quoted(value, what)};" for name, value in kind.fields]
    if kind.attached:
        file = file if nameless else f"(?<{_NAME}>{file})"
        value = "attachment" if nameless else rf'"attachment; filename=\"${_NAME}\""'
        fields.append(f"add_header Content-Disposition {value};")
    file = pattern(rf"/{file}\z", what)
    yield from _block(f"location ~* {file}", [*lines, *fields, "try_files $uri =404;"])


def _internal(url: str, root: str) -> Iterator[str]:
    yield "# What the application hands over (X-Accel-Redirect), and nobody can ask for."
    fields = (f"add_header {name} $upstream_http_{name.lower().replace('-', '_')};" for name in _PASSED_ON)
    yield from _block(
        f"location ^~ {pattern(url, 'delivery.internal_url')}",
        [
            "internal;",
            f"alias {quoted(root, 'The folder of uploads')};",
            f"{_AS_THEY_ARE} autoindex off; open_file_cache off; max_ranges 1; disable_symlinks off;",
            *fields,
        ],
    )


def _answers(links: bool) -> Iterator[str]:
    """The answers that are no file; nobody keeps them."""
    common = "add_header Cache-Control no-store always; add_header X-Content-Type-Options nosniff always;"
    text = 'default_type "text/plain; charset=utf-8";'
    yield from _block(f"location {_NONE}", [common, text, r'return 404 "Not Found.\n";'])
    if links:
        refusal = r'return 403 "Forbidden: ask for a new link where this one came from.\n";'
        yield from _block(f"location {_REFUSED}", [common, text, refusal])
    method = r'return 405 "Method Not Allowed: a file can be read here, not changed.\n";'
    yield from _block(f"location {_METHOD}", [common, 'add_header Allow "GET, HEAD" always;', text, method])


def _words(ends: Iterable[str], what: str) -> str:
    return " ".join(end if end.isalnum() and end.isascii() else quoted(end, what) for end in sorted(ends))


def _block(head: str, lines: Iterable[str]) -> Iterator[str]:
    inside = [*lines]
    if len(inside) == 1:
        yield f"{head} {{ {inside[0]} }}"
        return
    yield f"{head} {{"
    for line in inside:
        yield f"    {line}"
    yield "}"
