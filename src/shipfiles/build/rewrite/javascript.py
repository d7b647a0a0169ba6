"""The references in a script or module, by ECMA-262 (https://tc39.es/ecma262/) and the HTML Standard.

As for style sheets, the places where a reference can begin are found first, by searches for words with the shape of a
reference behind them. Most files have none, and most modules have all of theirs at the top; only up to the last of
them the code is walked, to tell code from strings, comments, templates and regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import merge
from typing import Final

from ...model import Reference, ReferenceKind
from .javascript_past import WIDE
from .javascript_walk import BLANK, STRING, TEMPLATE, Walk
from .reference import is_local
from .source_map import source_map_comment

_NAME = rb"(?>[\w$]|(?!" + WIDE + rb")[\x80-\xff]|\\u(?:\{[0-9a-fA-F]++\}|[0-9a-fA-F]{4}))++"
_WORD_END = rb"(?![\w$\\]|(?!" + WIDE + rb")[\x80-\xff])"
_LETTERS = rb"[\w$\\\x80-\xff]++"

# Words with what could make a reference of them, as far as it can be seen without a long look: comments (and letters
# beyond ASCII, which may be white space) pass here. Each begins with plain letters, for which the search is fastest.
# The literals make nothing quadratic: no quote behind a bracket is escaped, so each ends where the next one of its kind
# begins, if not before.
_OPEN = rb"\(\s*+(?>(?:/\*[^*]{0,120}+\*/\s*+){0,3})"
_ANY_LITERAL = rb"(?:" + STRING + rb"|" + TEMPLATE + rb")\s*+"
_ARGUMENT = rb"(?:[/\x80-\xff]|" + _ANY_LITERAL + rb"[),/\x80-\xff])"
# One that is not bare, as `is_local` has it.
_SPECIFIER = rb"(?:[/\x80-\xff]|(?=[\"'`][./\\hH])" + _ANY_LITERAL + rb"[),/\x80-\xff])"
_EMPTY = rb"(?:''|\"\"|``)"
_CALLED = _WORD_END + rb"\s*+(?:[/\x80-\xff]|" + _OPEN + _SPECIFIER + rb")"
_IMPORT = re.compile(
    rb"import(?<![\w$#\\]import)(?=\s*+(?:[\"'{*/\xc2\xe1-\xe3\xef]|" + _OPEN + _SPECIFIER
    + rb"|\.\s*+(?:/|(?:defer|source)" + _CALLED + rb"|meta\s*+(?:/|\.\s*+(?:/|resolve" + _CALLED + rb"))))"
    + rb"|\s++" + _LETTERS + rb"\s*+(?:[,*/]|from" + _WORD_END + rb"|" + _LETTERS + rb"\s*+(?:/|from" + _WORD_END
    + rb"))|Scripts\s*+(?:/|" + _OPEN + _ARGUMENT + rb"))"
)  # fmt: skip
_EXPORT = re.compile(
    rb"export(?<![\w$#\\]export)"
    rb"(?=\s*+(?:[*/\x80-\xff]|\{[^{}\"'/]*+(?:[\"'/]|\}\s*+(?:[/\x80-\xff]|from" + _WORD_END + rb"))))"
)
_URL = (
    rb"URL\s*+(?:/|" + _OPEN + rb"(?:[/\x80-\xff]|" + _ANY_LITERAL
    + rb"(?:[/\x80-\xff]|,\s*+(?:[/\x80-\xff]|import|" + _EMPTY + rb"\s*+[+/\x80-\xff]))))"
)  # fmt: skip
_NEW = re.compile(
    rb"new(?<![\w$#\\]new)(?=\s*+(?:/|" + _URL
    + rb"|(?:self|window|globalThis)\s*+(?:/|\.\s*+(?:[/\x80-\xff]|" + _URL + rb"))))"
)  # fmt: skip
# Without one of these no "new" is of interest.
_META = re.compile(rb"import\s*+(?:[/\x80-\xff]|\.\s*+(?:[/\x80-\xff]|meta))")
# What is an import or export declaration or nothing.
_DECLARATION = re.compile(rb"export|import(?!Scripts)\s*+[\"'{*\w$\\]")
# A line comment from where its line begins, with nothing that could end a comment, string or template around the line.
_COMMENTED = re.compile(rb"\s*+//[^*\"'`{\r\n\xe2]*+\Z")
# How far back a line's beginning is looked for.
_NEAR: Final = 200
# What can make a module of a text, besides the imports; and what stands behind the word then. Comments are looked into
# only behind a word in code, so that each is read once.
_MODULE_WORD = re.compile(rb"(?:import|export)(?<![\w$#\\].{6})", re.DOTALL)
_MODULE_SIGN = re.compile(
    rb".{6}(?!" + _LETTERS + rb"|" + BLANK + rb"[(:=;,)}.])"
    rb"|import" + BLANK + rb"\." + BLANK + rb"(?P<meta>meta)",
    re.DOTALL,
)

# The forms from their first word to just before the string. Section 16.2.2 (imports) with the proposals "deferring
# module evaluation" and "source phase imports"; section 16.2.3 (exports); section 13.3.10 (import calls).
_NAMED = rb"\{(?>[^{}\"'/]++|" + STRING + rb"|/\*(?>[^*]++|\*(?!/))*+\*/|//[^\r\n]*+)*+\}"
_STAR = rb"\*" + BLANK + rb"as" + _WORD_END + BLANK
_CLAUSE = (
    rb"(?:" + _STAR + _NAME + rb"|" + _NAMED
    + rb"|" + _NAME + rb"(?:" + BLANK + rb"," + BLANK + rb"(?:" + _STAR + _NAME + rb"|" + _NAMED + rb"))?)"
)  # fmt: skip
_FROM = BLANK + rb"from" + _WORD_END + BLANK
_PHASE = rb"(?:defer" + _WORD_END + BLANK + _STAR + _NAME + rb"|source" + _WORD_END + BLANK + _NAME + rb")"
_STATIC = re.compile(
    rb"import" + BLANK + rb"(?:" + _CLAUSE + _FROM + rb"|" + _PHASE + _FROM + rb")?(?=[\"'])"
    rb"|export" + BLANK + rb"(?:" + _NAMED
    + rb"|\*" + BLANK + rb"(?:as" + _WORD_END + BLANK + rb"(?:" + STRING + rb"|" + _NAME + rb"))?)"
    + _FROM + rb"(?=[\"'])"
)  # fmt: skip
_CALL = re.compile(
    rb"import" + BLANK + rb"(?:\." + BLANK + rb"(?:(?:defer|source)" + _WORD_END
    + rb"|(?P<resolve>meta" + _WORD_END + BLANK + rb"\." + BLANK + rb"resolve" + _WORD_END + rb"))" + BLANK + rb")?"
    + rb"\(" + BLANK + rb"(?=[\"'`])"
)  # fmt: skip
_SCRIPTS = re.compile(rb"importScripts" + _WORD_END + BLANK + rb"\(" + BLANK + rb"(?=[\"'`])")
_NEW_URL = re.compile(
    rb"new"
    + _WORD_END
    + BLANK
    + rb"(?:(?:self|window|globalThis)"
    + BLANK
    + rb"\."
    + BLANK
    + rb")?URL"
    + _WORD_END
    + BLANK
    + rb"\("
    + BLANK
    + rb"(?=[\"'`])"
)
_LITERAL = re.compile(STRING + rb"|" + TEMPLATE)
_ARGUMENT_END = re.compile(BLANK + rb"(?:\)|(?P<next>,)" + BLANK + rb")")
# An empty string before or behind the URL changes nothing (section 13.15.3). Vite writes one.
_META_URL = re.compile(
    BLANK + rb"," + BLANK + rb"(?:" + _EMPTY + BLANK + rb"\+" + BLANK + rb")?import" + BLANK + rb"\." + BLANK + rb"meta"
    + _WORD_END + BLANK + rb"\." + BLANK + rb"url" + _WORD_END + rb"(?>" + BLANK + rb"\+" + BLANK + _EMPTY + rb")*+"
    + BLANK + rb",?+" + BLANK + rb"\)"
)  # fmt: skip
# A dot in a path's last segment; that the path could go on behind an escape does no harm.
_EXTENSION = re.compile(rb"\A[^?#]*\.[^./?#\\\"'`]+[\"'`?#]")
# The worker's own global object may be named.
_GLOBAL_OBJECT = re.compile(rb"(?<![\w$.\\])(?:self|globalThis)\s*+\.\Z")

_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,8})\}|([0-3][0-7]{0,2}|[4-7][0-7]?)"
    r"|(\r\n|[\n\r\u2028\u2029])|([\s\S]))"
)
_SINGLE_ESCAPES: Final = {"b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}


def references(body: bytes) -> list[Reference]:
    """The references of a script or module.

    Imports and re-exports in every form, ``import()`` with a literal, ``import.meta.resolve()``, ``new URL()`` with
    ``import.meta.url``, ``importScripts()`` and the source map's comment. What a page resolves against its own address,
    such as ``new Worker("w.js")`` or ``fetch()``, is none. Any bytes are accepted; text in UTF-16 yields nothing.
    """
    comment = source_map_comment(body, line_comments=True)
    # Alone on its line, a comment is one for ECMA-426's extraction without parsing; else the walk has to say.
    unsure = -1 if comment is None or comment.whole_line else comment.opening
    walk = Walk(body)
    found, is_code = _walked(walk, unsure)
    if walk.in_doubt:
        # "<!--" and "-->" are comments in scripts only (section B.1.1).
        found, is_code = _walked(Walk(body, html_comments=not _is_module(body)), unsure)
    if comment and (unsure < 0 or is_code):
        _add(found, body, comment.start, comment.end, "source-map")
    return found


def _walked(walk: Walk, unsure: int) -> tuple[list[Reference], bool]:
    """The references, and whether a comment can begin at ``unsure``, if that is not negative."""
    found: list[Reference] = []
    body = walk.body
    for at in _candidates(body):
        if at > unsure >= 0 or walk.in_doubt:
            break  # only comments are there; or all is to be done again
        if not walk.reach(at):
            continue
        before = walk.past.before(at)
        if walk.past.is_property(before):
            if not (body.startswith(b"importScripts", at) and _GLOBAL_OBJECT.search(body, max(0, before - 64), before)):
                continue  # a property's name
        elif before == at > 0 and body[at - 1] >= 0x80:
            continue  # the end of a longer name
        if form := _STATIC.match(body, at):
            literal = _LITERAL.match(body, form.end())
            if literal and _begins_item(walk, before):
                walk.past.specifier_end = literal.end()
                _add(found, body, literal.start() + 1, literal.end() - 1, "module")
        else:
            _read_call(body, at, found)
    return found, unsure >= 0 and walk.reach(unsure)


def _begins_item(walk: Walk, before: int) -> bool:
    """Whether an item of a module can begin where the walk is; ``before`` is where the code before ends.

    Imports and exports stand outside all brackets, where a statement begins (section 16.2). What looks like one
    elsewhere is a field and a method in a class, text between the tags of JSX, or the like.
    """
    if walk.past.open:
        return False
    return before == 0 or walk.body[before - 1] in b";})" or walk.past.begins_line(before, walk.at)


def _is_module(body: bytes) -> bool:
    """Whether something in ``body`` can stand in a module only."""
    walk = Walk(body, html_comments=False)
    for word in _MODULE_WORD.finditer(body):
        at = word.start()
        if not walk.reach(at) or not (match := _MODULE_SIGN.match(body, at)):
            continue
        before = walk.past.before(at)
        if not walk.past.is_property(before) and (match["meta"] or _begins_item(walk, before)):
            return True
    return False


def _candidates(body: bytes) -> Iterator[int]:
    searches = []
    if b"import" in body:
        searches.append(_starts(_IMPORT, body))
        if b"meta" in body and b"URL" in body and _META.search(body):
            searches.append(_starts(_NEW, body))
    if b"export" in body:
        searches.append(_starts(_EXPORT, body))
    return merge(*searches) if len(searches) > 1 else iter(searches[0] if searches else ())


def _starts(pattern: re.Pattern[bytes], body: bytes) -> Iterator[int]:
    return (match.start() for match in pattern.finditer(body) if _fits_line(body, match.start()))


def _fits_line(body: bytes, at: int) -> bool:
    """Whether a reference can begin at ``at``, as far as the text before it on its line tells."""
    low = max(0, at - _NEAR)
    line = max(body.rfind(b"\n", low, at), body.rfind(b"\r", low, at)) + 1
    if _DECLARATION.match(body, at):
        # As `_begins_item` has it: behind another statement, or a comment, or first on its line.
        before = body[line or low : at].rstrip()
        return not before or before[-1] in b";})" or before[-1] >= 0x80 or before.endswith(b"*/")
    return not ((line or not low) and _COMMENTED.match(body, line, at))


def _read_call(body: bytes, at: int, found: list[Reference]) -> None:
    """Note the references of the call that begins at ``at``, if it is one of those that have some."""
    if form := _CALL.match(body, at):
        literal = _LITERAL.match(body, form.end())
        if literal and _ARGUMENT_END.match(body, literal.end()):
            kind: ReferenceKind = "url" if form["resolve"] else "dynamic-import"
            _add(found, body, literal.start() + 1, literal.end() - 1, kind, specifier=True)
    elif form := _NEW_URL.match(body, at):
        literal = _LITERAL.match(body, form.end())
        if literal and _META_URL.match(body, literal.end()):
            # A name without extension may be the address of a service.
            _add(
                found, body, literal.start() + 1, literal.end() - 1, "url", required=bool(_EXTENSION.search(literal[0]))
            )
    elif form := _SCRIPTS.match(body, at):
        end = form.end()
        while (literal := _LITERAL.match(body, end)) and (after := _ARGUMENT_END.match(body, literal.end())):
            _add(found, body, literal.start() + 1, literal.end() - 1, "script")
            end = after.end()
            if not after["next"]:
                break


def _add(
    found: list[Reference],
    body: bytes,
    start: int,
    end: int,
    kind: ReferenceKind,
    *,
    specifier: bool = False,
    required: bool = True,
) -> None:
    raw = body[start:end]
    url = raw.decode("utf-8", "replace") if kind == "source-map" else _text(raw)
    if is_local(url, "module" if specifier else kind):
        found.append(Reference(start, end, url, kind, required=required and kind != "source-map"))


def _text(raw: bytes) -> str:
    """What the inside of a literal means (section 12.9.4.2). Bytes that are not UTF-8 become U+FFFD."""
    text = raw.decode("utf-8", "replace")
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(_unescaped, text)
    # Halves of a surrogate pair may have been written one by one; one alone is U+FFFD in a URL.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    hex_digits = match[1] or match[2] or match[3]
    if hex_digits:
        code = int(hex_digits, 16)
        return chr(code) if code < 0x110000 else "\ufffd"
    if match[4]:
        return chr(int(match[4], 8))
    if match[5]:
        return ""
    return _SINGLE_ESCAPES.get(match[6], match[6])
