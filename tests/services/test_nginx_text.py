"""nginx reads every configuration that is written, and nothing in the options can say a directive."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shipfiles.config import Coding, RewriteConfig, ServeConfig
from shipfiles.edge.nginx import configuration
from shipfiles.edge.policy import EdgePolicy, StaticPolicy, static_policy
from shipfiles.errors import ConfigError
from shipfiles.testing import OPTIONS
from tests.oracles.corpora import missing

from .nginx import AROUND

pytestmark = pytest.mark.services

# What ends a word, a directive or a block in nginx, begins a variable or a comment, and means something in a pattern.
_HOSTILE = st.text("a/ .;{}\"'$\\#\n\r\t~*?[](|^-\u00e9\u2603", min_size=1, max_size=14)
_CODINGS: tuple[tuple[Coding, ...], ...] = ((), ("gzip",), ("br", "gzip"), ("br", "zstd", "gzip"))


def program() -> str:
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        missing("nginx is not installed (Debian: apt-get install nginx-light)")
    return found


def static(
    serve: ServeConfig | None = None, codings: tuple[Coding, ...] = ("br", "gzip"), **other: str
) -> StaticPolicy:
    found = static_policy("/srv/static", "/static/", serve or ServeConfig(), RewriteConfig(), codings)
    return replace(found, **other)  # type: ignore[arg-type]


def read(folder: Path, text: str) -> str:
    """What ``nginx -t`` says against ``text``; empty if it takes it.

    That a table of variables could be larger it says of many that are long, and means their speed.
    """
    folder.mkdir(exist_ok=True)
    # The cache of a proxy is made while it is tested.
    text = text.replace("/var/cache/", f"{folder}/")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(user=user, http=text), encoding="utf-8")
    command = [program(), "-t", "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in done.stderr.splitlines() if "could not build optimal variables_hash" not in line]
    return "" if done.returncode == 0 and not any("[warn]" in line for line in said) else done.stderr


def directives(text: str) -> list[str]:
    """The words of a configuration that are not in quotes, where nginx takes directives from."""
    outside = re.sub(r"#[^\n]*\n", "\n", re.sub(r'"(?:[^"\\]|\\.)*"', '""', text))
    return re.split(r"[\s;{}]+", outside)


def shapes() -> Iterator[EdgePolicy]:
    rich = ServeConfig(**OPTIONS, cache_tags="Surrogate-Key")
    for codings in _CODINGS:
        for serve in (ServeConfig(), rich, ServeConfig(allow_all_origins=False, max_age=0, cache_tags="Cache-Tag")):
            for app in ("", "http://127.0.0.1:8000", "https://127.0.0.1", "http://unix:/run/site.sock"):
                yield EdgePolicy("static-server", static(serve, codings), application=app, listen="127.0.0.1:8080")
    yield EdgePolicy("dedicated", static(), listen="8080", host="static.example.com")
    yield EdgePolicy("dedicated", static(rich, prefix="/"), listen="[::1]:8080", host="*.example.com", max_upload=1)
    yield EdgePolicy("proxy", static(), listen="8080", application="http://127.0.0.1:8000")
    yield EdgePolicy("proxy", static(prefix="/"), listen="8080", application="http://127.0.0.1:8000/")
    yield EdgePolicy("dedicated", static(ServeConfig(default_headers={"#x": "1", "'": "2"})), listen="8080")
    yield EdgePolicy("static-server", None, listen="8080", application="http://127.0.0.1:8000")


def test_nginx_reads_every_shape(tmp_path: Path) -> None:
    for i, policy in enumerate(shapes()):
        host = policy.host or f"host-with-a-name-{i}.example.com"
        assert not read(tmp_path / "one", configuration(replace(policy, host=host)))


def test_two_servers_share_no_variable_but_those_of_a_request() -> None:
    one, other = (configuration(EdgePolicy("dedicated", static(), host=h)) for h in ("a.example", "b.example"))
    mapped = [set(re.findall(r"^map \S+ (\$\w+)|^map \".*\" (\$\w+)", text, re.MULTILINE)) for text in (one, other)]
    assert not mapped[0] & mapped[1]


_READ = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_READ
@given(hostile=_HOSTILE, where=st.sampled_from(
    ["root", "prefix", "header", "pattern", "root file", "root name", "page", "index", "extension", "name", "type",
     "manifest", "host", "listen", "application", "certificate"]))  # fmt: skip
@example('x"; return 200 owned; #', "root")
@example("\\", "root")
@example('\\"; return 200 owned;', "header")
@example("${request_uri}", "header")
@example("a;return 200 owned", "host")
@example("80; return 200 owned", "listen")
@example("http://a/; return 200 owned;", "application")
def test_options_say_no_directive(tmp_path: Path, hostile: str, where: str) -> None:
    """Either an error tells what cannot be said, or nginx reads the same directives as without it."""
    try:
        text = configuration(_policy(hostile, where))
        plain = configuration(_policy("plain", where))
    except ConfigError:
        return
    told = {word for word in directives(text) if word.islower() and word.isascii() and word.isalpha()}
    assert told <= {*directives(plain), *directives(configuration(_policy("plain", "")))} | {hostile, hostile.lower()}
    assert not read(tmp_path / "one", text)


def _policy(hostile: str, where: str) -> EdgePolicy:
    options: dict[str, object] = {}
    if where == "header":
        options["headers"] = {"*.css": {"X-Any": hostile}}
    elif where == "pattern":
        options["headers"] = {hostile: {"X-Any": "1"}}
    elif where == "root file":
        options["root_files"] = {"/a": hostile}
    elif where == "root name":
        options["root_files"] = {"/" + hostile: "a"}
    elif where == "page":
        options["single_page"] = hostile
    elif where == "index":
        options |= {"index_file": hostile, "root_folder": "public"}
    elif where == "extension":
        options["media_types"] = {"." + hostile: "text/plain"}
    elif where == "name":
        options["media_types"] = {hostile: "text/plain"}
    elif where == "type":
        options["media_types"] = {".foo": f'text/plain; a="{hostile}"'}
    found = static(ServeConfig(**options))  # type: ignore[arg-type]
    if where in ("root", "prefix", "manifest"):
        key = "manifest_name" if where == "manifest" else where
        found = replace(found, **{key: hostile if where == "manifest" else f"/{hostile}/"})  # type: ignore[arg-type]
    policy = EdgePolicy("static-server", found, listen="127.0.0.1:8080", application="http://127.0.0.1:8000")
    if where in ("host", "listen", "application"):
        policy = replace(policy, **{where: hostile})  # type: ignore[arg-type]
    if where == "certificate":
        policy = replace(policy, host=f"{hostile}.example")
    return policy


def test_what_cannot_be_said_is_refused() -> None:
    for wrong in (
        EdgePolicy("static-server", static(root="static")),
        EdgePolicy("static-server", static(root="/srv/$x")),
        EdgePolicy("static-server", static(), host="a b"),
        EdgePolicy("static-server", static(), listen="80 ssl"),
        EdgePolicy("static-server", static(), application="http://127.0.0.1:8000/path"),
        EdgePolicy("proxy", static()),
    ):
        with pytest.raises(ConfigError):
            configuration(wrong)
