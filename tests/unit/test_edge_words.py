"""What is quoted is read as it was meant, or is refused: read here as the servers' own readers do."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipfiles.edge import apache_text, caddy_text, nginx_text
from shipfiles.errors import ConfigError

# Letters that mean something in one of the languages, among others.
TEXTS = st.text(st.sampled_from("\"'\\$%{}`;#<>*?[]~^|() tnra.é/") | st.characters(), max_size=12)


def read_by_nginx(word: str) -> str:
    """``ngx_conf_read_token``: the word that begins with ``word``'s quote. Raises if it ends early."""
    found, at = "", 1
    while word[at] != '"':
        if word[at] == "\\":
            pair = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}.get(word[at + 1])
            found += word[at : at + 2] if pair is None else pair
            at += 2
        else:
            found += word[at]
            at += 1
    assert at == len(word) - 1
    return found


def read_by_apache(word: str) -> str:
    """``ap_getword_conf`` and ``substring_conf``."""
    assert "${" not in word  # ap_resolve_env
    at = 1
    while word[at] != '"':
        at += 2 if word[at] == "\\" and word[at + 1] in '\\"' else 1
    assert at == len(word) - 1
    found, inside = "", word[1:-1]
    at = 0
    while at < len(inside):
        at += inside[at] == "\\" and inside[at + 1 : at + 2] in ("\\", '"')
        found += inside[at]
        at += 1
    return found


def read_by_caddy(word: str) -> str:
    """The lexer: all up to the next backtick. What stands in ``{$}`` is replaced before."""
    assert "{$" not in word
    assert word.index("`", 1) == len(word) - 1
    return word[1:-1]


SERVERS = [(nginx_text, read_by_nginx), (apache_text, read_by_apache), (caddy_text, read_by_caddy)]


@example('a"; return 200; #')
@example("\\")
@example("\\\\")
@example("\\.\\\\n")
@given(TEXTS)
def test_what_is_quoted_is_read_as_it_was_meant(text: str) -> None:
    for words, read in SERVERS:
        for quote in (words.quoted, getattr(words, "pattern", words.quoted)):
            try:
                word = quote(text, "here")
            except ConfigError:
                continue
            assert read(word) == text
            assert word.isprintable() or not text.isprintable()
            assert "\n" not in word


def test_variables_and_wildcards_are_refused() -> None:
    for quote, text in (
        (nginx_text.quoted, "/srv/$host"), (nginx_text.quoted, "/srv/\n"), (nginx_text.pattern, "x" * 5000),
        (apache_text.quoted, "/srv/${HOME}"), (apache_text.section, "/srv/*"), (apache_text.section, "/a[b]"),
        (caddy_text.quoted, "/srv/{host}"), (caddy_text.quoted, "a`b"), (caddy_text.pattern, "{$HOME}"),
        (caddy_text.path, "/a%2f"), (caddy_text.path, "/a*b/"), (caddy_text.quoted, "/\ud800"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"^here: .* cannot stand in the configuration"):
            quote(text, "here")
