"""Configurations for Apache and Caddy: hostile settings say nothing but themselves there, or are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge import apache, caddy
from shipfiles.edge.policy import EdgePolicy, Mode, static_policy
from shipfiles.errors import ConfigError

MODES: tuple[Mode, ...] = ("static-server", "dedicated", "proxy")
HOSTILE = st.text(st.sampled_from("\"'\\$%{}`;#<>*?[]~^|(),=!- tnra.é\n\t") | st.characters(), min_size=1, max_size=9)


def policy_of(mode: Mode, text: str = "", **serve: Any) -> EdgePolicy:
    static = static_policy(f"/srv/a{text}b", "/static/", ServeConfig(**serve), RewriteConfig(), ("br", "zstd", "gzip"))
    return EdgePolicy(mode, static, application="" if mode == "dedicated" else "http://127.0.0.1:8000")


def hostile_policies(text: str) -> Any:
    """The same text in every setting, one at a time; what the options themselves refuse is left out."""
    name = "a" + text.replace("/", "")
    makers: list[Any] = [
        lambda: policy_of("static-server", text),
        lambda: policy_of("static-server", root_files={"/x" + text: "img/a.ico"}),
        lambda: policy_of("static-server", root_files={"/x": "img/" + name}),
        lambda: policy_of("static-server", headers={f"*{text}": {"X-A": "b"}}),
        lambda: policy_of("static-server", headers={"*.js": {"X-A": text}, "*.css": {"X-A": None}}),
        lambda: policy_of("static-server", default_headers={"X-A": text}),
        lambda: policy_of("static-server", media_types={f".{text}": "text/plain", f"n{text}": "text/css"}),
        lambda: policy_of("static-server", index_file=name, root_folder="public"),
        lambda: policy_of("dedicated", single_page="a" + name),
        lambda: EdgePolicy("proxy", policy_of("proxy").static, application=f"http://a{text}/"),
        lambda: EdgePolicy("dedicated", policy_of("proxy").static, host=f"a{text}"),
        lambda: EdgePolicy("dedicated", policy_of("proxy").static, listen=f"{text}:80"),
        lambda: EdgePolicy("dedicated", policy_of("proxy").static, certificate=(f"/a{text}", "/b")),
    ]
    for make in makers:
        try:
            yield make()
        except ConfigError:
            continue


# Everything that a directive of Apache may be here; arguments are what `words_of_apache` finds.
APACHE = frozenset({
    "ServerName", "SSLEngine", "SSLCertificateFile", "SSLCertificateKeyFile", "TraceEnable", "AllowEncodedSlashes",
    "MergeSlashes", "SetEnvIfNoCase", "RewriteEngine", "RewriteRule", "RewriteCond", "Alias", "Require",
    "AllowOverride", "Options", "SetHandler", "AllowMethods", "EnableSendfile", "MaxRanges", "RequestHeader", "Header",
    "AcceptPathInfo", "ModMimeUsePathInfo", "AddType", "AddEncoding", "ForceType", "ProxyPreserveHost", "ProxyPass",
    "ProxyPassReverse", "SSLProxyEngine", "SSLProxyCheckPeerName",
    "CacheEnable", "CacheLock", "CacheHeader", "Listen", "<VirtualHost", "</VirtualHost>",
    "<Directory", "</Directory>", "<FilesMatch", "</FilesMatch>", "<Location", "</Location>",
})  # fmt: skip
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|[^\s"]+')
_RAW_WORD = re.compile(r'"[^"]*"(?!\S)|[^\s"]+')
_FLAGS = r"\[(?:(?:[RFLS]=?\d*|PT|OR|E=!?[A-Za-z_-]+(?::[^],]*)?)(?:,|(?=\])))+\]"


def directives_of_apache(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        assert "${" not in line
        assert not line.endswith("\\")
        if line.startswith("Rewrite"):
            # `parseargline`: a backslash escapes no quote.
            words = _RAW_WORD.findall(line)
            assert not _RAW_WORD.sub("", line).strip(), line
            assert all(word[0] == '"' for word in words[1:3] if word not in ("expr", "On", "-f", "!-f")), line
            assert len(words) < 4 or re.fullmatch(_FLAGS, words[3]), line
            assert len(words) < 5, line
        else:
            assert not _WORD.sub("", line).strip(" >"), line
        found.append(line.split(" ")[0])
    return found


# The same for Caddy; the values of ``map`` begin with words.
CADDY = frozenset({
    "bind", "tls", "root", "map", "default", "word", "route", "header", "method", "file",
    "vars_regexp", "vars", "not", "redir", "respond", "rewrite", "match", "request_header", "file_server",
    "precompressed", "disable_canonical_uris", "index", "path_regexp", "reverse_proxy", "handle_response",
    "copy_response", "header_regexp", "request_body", "max_size", "staticfiles.json", "Cache-Control", "}",
})  # fmt: skip


def tokens_of_caddy(text: str) -> list[list[str]]:
    """Lines of words, as Caddy's lexer reads them."""
    lines: list[list[str]] = [[]]
    assert "{$" not in text
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\n":
            lines.append([])
        elif char == "`":
            lines[-1].append("word")
            at = text.index(char, at + 1)
        elif char == '"':
            quoted = _WORD.match(text, at)
            assert quoted, text[at : at + 80]
            lines[-1].append("word")
            at = quoted.end() - 1
        elif char == "#" and text[at - 1].isspace():
            at = text.index("\n", at) - 1
        elif not char.isspace():
            end = at
            while not text[end].isspace():
                end += 1
            lines[-1].append(text[at:end])
            at = end - 1
        at += 1
    return [line for line in lines if line]


@example("`\nrespond pwned\n")
@example('"\nHeader set X-Pwned 1\n#')
@example("]\\")
@example("a,E=SHIP_KEY:x]")
@example('x" "^" [OR] ')
@example('p" - [F] ')
@example('x" -d [OR] ')
@example("#i\" && file('/etc/passwd') =~ m#x")
@example("{env.HOME}")
@example("{$HOME}")
@example("${PATH}")
@example("%{HTTP_HOST}")
@example("expr=%{env:HOME}")
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(HOSTILE)
def test_hostile_settings_add_no_directive(text: str) -> None:
    for policy in hostile_policies(text):
        for write in (apache.configuration, caddy.configuration):
            try:
                said = write(policy)
            except ConfigError:
                continue
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", said)
            if write is apache.configuration:
                assert set(directives_of_apache(said)) <= APACHE
                usual = write(policy_of(policy.mode))
                assert said.count("<Directory") == usual.count("<Directory")
            else:
                lines = tokens_of_caddy(said)
                assert sum(line.count("{") for line in lines) == sum(line.count("}") for line in lines)
                assert re.fullmatch(r"(?:https?://)?[0-9A-Za-z.-]*(?::[0-9]+)?", lines[0][0]), lines[0]
                for line in lines[1:]:
                    assert line[0] in CADDY or re.fullmatch(r"@(like|field)?[a-z]*[0-9]*", line[0]), line
                    assert line.count("{") <= 1, line
                    assert "{" not in line[:-1], line
                    assert line == ["}"] or "}" not in line, line
                    assert line[0] != "respond" or line[1:] in (["word", "404"], ["word", "405"], ["word", "200"]), line


@pytest.mark.parametrize("write", [apache.configuration, caddy.configuration])
def test_the_same_for_every_release(write: Any) -> None:
    for mode in MODES:
        text = write(policy_of(mode, index_file="index.html", single_page="app.html"))
        assert text == write(policy_of(mode, index_file="index.html", single_page="app.html"))
        assert text.endswith("\n")
        assert not re.search(r"[ \t]$|\n\n\n", text, re.MULTILINE)


@pytest.mark.parametrize("write", [apache.configuration, caddy.configuration])
def test_what_cannot_be_said_is_told_in_a_comment(write: Any) -> None:
    given: dict[str, Any] = {"add_headers": "os.path.join", "release_header": "X-Release", "pull_from": "/other"}
    assert "# serve." not in write(policy_of("static-server"))
    text = write(policy_of("static-server", **given))
    for name in given:
        assert f"# serve.{name}" in text
    # What another store may have, the application fetches.
    assert "nobody else's" in write(policy_of("static-server"))
    assert "nobody else's" not in text
