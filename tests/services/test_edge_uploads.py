"""Uploads from nginx, Apache and Caddy as `ship config` tells them: with the fields of the application, and
none that it would not open.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge.apache import configuration as apache_configuration
from shipfiles.edge.caddy import configuration as caddy_configuration
from shipfiles.edge.nginx import configuration as nginx_configuration
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.media.links import secure_link_query
from shipfiles.media.safety import delivered_headers, media_type_of
from shipfiles.media_types import known_types
from shipfiles.stores.store import Grant
from shipfiles.testing import Answer

from .apache import USUAL, run_apache
from .caddy import check_caddy, run_caddy
from .edge_uploads import LINK_KEY, policy_for
from .nginx import run_nginx
from .servers import free_port, run, wait_until_listening
from .wire import Wire

pytestmark = pytest.mark.services

BODY = bytes(range(256)) * 5
SECRET = b"for nobody: secret"
ME = {"X-Me": "yes"}
FIELDS = (
    "Content-Type", "Content-Encoding", "Content-Disposition", "Content-Security-Policy", "X-Content-Type-Options",
    "Cache-Control", "Cross-Origin-Resource-Policy", "Content-Length", "Accept-Ranges",
)  # fmt: skip
ENDS = [
    *known_types({})[0],
    ".step",
    ".x y",
    ".7q",
    ".unheard-of",
    ".png.html",
    ".html.png",
    ".",
    "",
    ".PnG",
    ".SVGZ",
    ".tar.gz",
    ".gz.txt",
]
NAMES = [*(f"file{end}" for end in ENDS), *known_types({})[1], "ReadMe", "CrossDomain.XML"]
ODD = [
    "a b.html", "%41.jpg", "semi;colon=1,2.svg", "q?x=1.html", "hash#.html", "$uri.html",
    "{brace}[x].html", "quo'te.html", "dots..html", "a:b@c.html", "~user.html", "-rf.html", "new^|`<>.html",
    "a+b&c.svg", "deep/in folders/page.html", "deep/shipfiles.html",
    "{http.request.host}.html", "${HOME}.html",
]  # fmt: skip
"""Names that may mean something to one server or another."""
NAMELESS = ["100%.html", "%2e%2e.html", "%{PATH}e.html", "naïve ☃.html", 'quo"te.html', "☃.svgz"]
"""Names that only the application can say in Content-Disposition."""


@dataclass
class Edge:
    """A running server, and the application behind it."""

    name: str
    root: Path
    wire: Wire
    application: Wire

    def get(self, path: str, fields: dict[str, str] | None = None, method: str = "GET") -> Answer:
        return self.wire.ask(method, path, fields or {})

    def url(self, alias: str, name: str) -> str:
        """The signed URL, as a template would have it."""
        return self.application.ask("GET", f"/url/{alias}/{quote(name)}", {}).body.decode()


def write(root: Path, name: str, body: bytes = BODY) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def make(root: Path) -> None:
    for alias in ("media", "shown"):
        for name in (*NAMES, *ODD, *NAMELESS):
            write(root / alias, name)
    for folder in ("media/private", "media/lent", "streamed"):
        write(root, f"{folder}/photo.jpg")
        write(root, f"{folder}/deep/page.html")
        write(root, f"{folder}/packed.svgz")
        write(root, f"{folder}/all.tar.gz")
    write(root, "media/private/secret.txt", SECRET)
    write(root, "media/lent/secret.txt", SECRET)
    write(root, "links/deep/page.html")
    write(root, "links/photo.jpg")
    write(root, "links/.hidden.png")
    write(root, "streamed/logos/logo.png")
    write(root, "streamed/logos/page.html")
    write(root, "secret.txt", SECRET)
    for hidden in (".env", ".git/config", ".shipfiles/current.json", "deep/.hidden.png", ".shipfiles-12-ab", ".png"):
        write(root, f"media/{hidden}", SECRET)
    write(root, "links/.shipfiles/current.json", SECRET)
    write(root, "media/folder/index.html")
    (root / "media/out.txt").symlink_to(root / "secret.txt")
    (root / "media/outside").symlink_to(root)
    (root / "media/in.txt").symlink_to(root / "media/private/secret.txt")
    (root / "media/none.txt").symlink_to(root / "not there")


def whole(folder: Path, root: Path, mechanism: str, application: str, port: int) -> EdgePolicy:
    """The policy of a site that also has static files."""
    static = static_policy(str(folder / "static"), "/static/", ServeConfig(), RewriteConfig(), ("br", "gzip"))
    return replace(policy_for(root, mechanism, application), static=static, listen=f"127.0.0.1:{port}")


@contextlib.contextmanager
def nginx(folder: Path, root: Path, application: str) -> Iterator[int]:
    port = free_port()
    text = nginx_configuration(whole(folder, root, "x-accel-redirect", application, port))
    # What others may have set must not get at uploads.
    around = f"""
      gzip on; gzip_types *; expires 1h; charset koi8-r; autoindex on; merge_slashes off; ssi on; gzip_static on;
      index index.html; add_header X-Outer yes; open_file_cache max=10; open_file_cache_errors on;
      {text}"""
    with run_nginx(folder, around, port):
        yield port


APACHE = """
AddHandler type-map .html .jpg
AddEncoding x-gzip .gz .tgz
AddType text/evil .foo
AddCharset koi8-r .txt
AddOutputFilterByType DEFLATE text/plain text/html image/svg+xml application/octet-stream
DirectoryIndex index.html
<FilesMatch "[.]csv$">
    SetHandler server-status
</FilesMatch>
<Directory "{folder}">
    Options Indexes FollowSymLinks
</Directory>
{text}
"""
MODULES = (*USUAL, "xsendfile", "filter", "deflate", "autoindex", "negotiation", "status")


@contextlib.contextmanager
def apache(folder: Path, root: Path, application: str) -> Iterator[int]:
    port = free_port()
    text = apache_configuration(whole(folder, root, "x-sendfile", application, port))
    given = APACHE.format(folder=folder, text=text)
    with run_apache(folder, given, port, MODULES):
        yield port


@contextlib.contextmanager
def caddy(folder: Path, root: Path, application: str) -> Iterator[int]:
    port = free_port()
    site = caddy_configuration(whole(folder, root, "x-accel-redirect", application, port))
    assert check_caddy(folder, site) == ""
    with run_caddy(folder, site, port):
        yield port


SERVERS: dict[str, tuple[Callable[..., contextlib.AbstractContextManager[int]], str, str]] = {
    # How it is started, how it is handed files, and a name of a folder that can be said.
    "nginx": (nginx, "x-accel-redirect", "up \"l'o;a{d}s # é\\n\\"),
    "apache": (apache, "x-sendfile", "up \"l'o;a{d}s # é\\n\\"),
    "caddy": (caddy, "x-accel-redirect", "up \"l'o;a$d s # é"),
}


@pytest.fixture(scope="module", params=SERVERS)
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    start, mechanism, odd = SERVERS[request.param]
    folder = tmp_path_factory.mktemp("edge")
    root = folder / odd
    make(root)
    port, log = free_port(), folder / "application.txt"
    command = [
        "env", f"UPLOADS={root}", f"MECHANISM={mechanism}", sys.executable, "-m", "waitress",
        "--listen", f"127.0.0.1:{port}", "tests.services.edge_uploads_site:application",
    ]  # fmt: skip
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        with start(folder, root, f"http://127.0.0.1:{port}") as front:
            given = Edge(request.param, root, Wire(front), Wire(port))
            yield given
            given.wire.close()
            given.application.close()


def said(answer: Answer) -> dict[str, str | None]:
    return {field: answer.get(field) for field in FIELDS}


def told(answer: Answer) -> dict[str, str | None]:
    """Of a part of a file, or of an answer that hands one over, what it has of the file's."""
    return {field: value for field, value in said(answer).items() if field not in ("Content-Length", "Accept-Ranges")}


@pytest.mark.parametrize("alias", ["default", "shown"])
def test_every_extension_has_the_fields_of_the_application(edge: Edge, alias: str) -> None:
    policy = policy_for(edge.root, "stream", "")
    (media,) = [one for one in policy.media if one.alias == alias]
    for name in (*NAMES, *ODD, *NAMELESS):
        url = media.prefix.replace(" ", "%20").replace("é", "%C3%A9") + quote(name)
        answer, theirs = edge.get(url), edge.application.ask("GET", url, {})
        assert (answer.status, answer.body) == (200, BODY) == (theirs.status, theirs.body), name
        expected = said(theirs)
        if name in NAMELESS:
            assert (expected["Content-Disposition"] or "attachment").startswith("attachment")
            expected["Content-Disposition"] = expected["Content-Disposition"] and "attachment"
        if edge.name == "caddy" and expected["Content-Encoding"]:
            expected["Content-Length"] = None  # Go's net/http says none then
        assert said(answer) == expected, name
        fields = dict(delivered_headers(name, media_type_of(name, media.config.safety), media.config))
        assert {field: answer.get(field) for field in fields} == fields or name in NAMELESS, name
        for field in ("X-Outer", "Expires", "Set-Cookie"):
            assert answer.get(field) is None, (name, field)
        for more in ({"Accept-Encoding": "gzip, br"}, {"Range": "bytes=0-3"}):
            if name.endswith((".html", ".txt", ".svgz")):
                part = edge.get(url, more)
                assert part.body == (BODY[:4] if "Range" in more else BODY)
                assert told(part) == told(answer)


def test_ranges_and_conditions(edge: Edge) -> None:
    for url in ("/media/file.png", "/media/file.html", "/media/private/photo.jpg", edge.url("lent", "photo.jpg")):
        whole = edge.get(url, ME)
        assert (whole.status, whole.body) == (200, BODY), url
        tag = whole.get("ETag")
        assert tag
        assert edge.get(url, {**ME, "If-None-Match": tag}).status == 304
        assert edge.get(url, {**ME, "If-None-Match": '"another"'}).status == 200
        part = edge.get(url, {**ME, "Range": "bytes=5-9", "If-Range": '"another"'})
        assert (part.status, part.body) == (200, BODY)
        part = edge.get(url, {**ME, "Range": "bytes=-4"})
        assert (part.status, part.body, part.get("Content-Range")) == (206, BODY[-4:], f"bytes 1276-1279/{len(BODY)}")
        assert edge.get(url, {**ME, "Range": "bytes=99999-"}).status == 416
        assert edge.get(url, {**ME, "Range": "bytes=0-1,4-5"}).body == BODY
        head = edge.get(url, ME, "HEAD")
        assert (head.status, head.get("Content-Length"), head.body) == (200, str(len(BODY)), b"")
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            refused = edge.get(url, {**ME, "Content-Length": "0"}, method)
            allowed = {part.strip() for part in (refused.get("Allow") or "").split(",")} - {""}
            assert (refused.status, allowed) == (405, {"GET", "HEAD"}), (url, method)


LINKS = ("in.txt", "out.txt", "outside/secret.txt")
"""Symbolic links. Caddy cannot be told not to follow them."""
HIDDEN = (
    # with a dot in front
    ".env", ".git/config", ".shipfiles/current.json", "deep/.hidden.png", ".shipfiles-12-ab", "%2eenv", "%2Egit/config",
    ".png", "folder/../.env", "//.env",
    # folders, and what is not there
    "", "folder", "folder/", "deep", "none.png", "none.txt", "file.png/", "file.png/x.png", "file.html/x.png",
    # out of the folder
    "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "..%2Fsecret.txt", "folder/../../secret.txt",
    "..%5csecret.txt", "..\\secret.txt", "%2e%2e%2fsecret.txt", "....//secret.txt", "..;/secret.txt",
    "%252e%252e/secret.txt",
    # other storages' folders
    "lent/secret.txt", "LENT/secret.txt", "len%74/secret.txt", "lent//secret.txt", "/lent/secret.txt",
    "//lent/secret.txt", "./lent/secret.txt", "folder/../lent/secret.txt", "lent%2fsecret.txt", "lent/photo.jpg",
    "lent/deep/page.html",
    "private/secret.txt", "PRIVATE/secret.txt", "privat%65/secret.txt", "/private/secret.txt", "./private/secret.txt",
    "folder/../private/secret.txt", "folder/%2e%2e/private/secret.txt", "private%2fsecret.txt", "private//secret.txt",
    "private/./secret.txt", "private/deep/../secret.txt", "%70rivate/photo.jpg", "private/photo.jpg",
    # ends that some take for others
    "file.png%00", "file.png%00.html", "file.html%00.png", "file.png%0a", "file.png%20", "file.png.", "FILE.PNG",
    "file.png::$DATA", "file.png%5c", "file.html;.png", "file.html%23.png",
)  # fmt: skip


def test_nothing_else_is_opened(edge: Edge) -> None:
    for path in (*HIDDEN, *(LINKS if edge.name != "caddy" else ())):
        for before in ("/media/", "/media", "/streamed/../media/", "//media/", "/MEDIA/"):
            answer = edge.wire.ask_raw("GET", (before + path).encode())
            assert answer is not None
            assert answer.status in (400, 403, 404), (before + path, answer)
            assert BODY not in answer.body, path
            assert SECRET not in answer.body, path
            assert "no-store" in (answer.get("Cache-Control") or "no-store"), path
    gone = edge.get("/media/none.png")
    assert (gone.status, gone.get("Cache-Control"), gone.get("X-Content-Type-Options")) == (404, "no-store", "nosniff")
    # What is inside is for the application to name.
    for path in (
        "/inside/photo.jpg", "/inside/secret.txt", "/inside-links/secret.txt", "/media/../inside/secret.txt",
        "/inside/../inside/secret.txt", "//inside/secret.txt", "/INSIDE/secret.txt", "/inside%2fsecret.txt",
    ):  # fmt: skip
        answer = edge.get(path, ME)
        assert answer.status in (400, 403, 404), path
        assert SECRET not in answer.body, path


def test_what_is_put_there_or_taken_away_counts_at_once(edge: Edge) -> None:
    for _ in range(2):
        assert edge.get("/media/late.png").status == 404
        write(edge.root, "media/late.png", b"1")
        assert edge.get("/media/late.png").body == b"1"
        os.replace(edge.root / "media/late.png", edge.root / "moved.png")
        write(edge.root, "media/late.png", b"22")
        assert edge.get("/media/late.png").body == b"22"
        (edge.root / "media/late.png").unlink()


def test_private_ones_are_for_whom_the_view_lets(edge: Edge) -> None:
    for before in ("/media/private/", "/streamed/"):
        for name in ("photo.jpg", "deep/page.html", "packed.svgz", "all.tar.gz"):
            answer, theirs = edge.get(before + name, ME), edge.application.ask("GET", before + name, ME)
            assert (answer.status, answer.body) == (200, BODY), name
            assert told(answer) == told(theirs), name
            assert answer.get("X-Accel-Redirect") is None
            assert answer.get("X-Sendfile") is None
            refused = edge.get(before + name)
            assert refused.status == 404
            assert BODY not in refused.body
    assert edge.get("/media/private/%73ecret.txt", ME).body == SECRET
    # Public ones below are.
    for name in ("logo.png", "page.html"):
        answer = edge.get(f"/streamed/logos/{name}")
        assert (answer.status, answer.body) == (200, BODY)
        assert ("sandbox" in (answer.get("Content-Security-Policy") or "")) == name.endswith("html")


def test_signed_ones_are_for_who_has_a_link(edge: Edge) -> None:
    for name in ("photo.jpg", "deep/page.html", "packed.svgz", "all.tar.gz"):
        url = edge.url("lent", name)
        answer, theirs = edge.get(url), edge.application.ask("GET", url, {})
        assert (answer.status, answer.body) == (200, BODY)
        assert told(answer) == told(theirs), name
        for bad in (
            url.partition("?")[0],
            url + "x",
            url.replace(name, "secret.txt"),
            url.replace("expires=", "expires=1"),
        ):
            refused = edge.get(bad)
            assert (refused.status, refused.get("Cache-Control")) == (403, "no-store")
            assert BODY not in refused.body


def link(path: str, expires: int = 4_000_000_000, key: str = LINK_KEY) -> str:
    return f"{quote(path)}?{secure_link_query(path, Grant(expires, 0), key)}"


def test_links_that_only_nginx_knows(edge: Edge) -> None:
    good = [link(f"/links/{name}") for name in ("photo.jpg", "deep/page.html", ".hidden.png")]
    for url in good:
        answer = edge.get(url)
        if edge.name != "nginx":
            assert answer.status in (403, 404)
            assert BODY not in answer.body
            continue
        assert (answer.status, answer.body, answer.get("Cache-Control")) == (200, BODY, "private, no-cache")
        active = "page.html" in url
        assert (answer.get("Content-Disposition") or "").startswith("attachment") == active
        assert ("sandbox" in (answer.get("Content-Security-Policy") or "")) == active
    assert edge.url("links", "photo.jpg").startswith("/links/photo.jpg?md5=")
    first = good[0]
    for bad in (
        "/links/photo.jpg", "/links/deep/page.html", first.replace("photo", "deep/page").replace(".jpg", ".html"),
        first.replace("expires=4", "expires=5"), first.replace("expires=4000000000", ""), link("/links/photo.jpg", 1),
        link("/links/photo.jpg", key="another"), "/links/photo.jpg?md5=&expires=4000000000", first.replace("?", "%3f"),
        "/links/photo.jpg?md5=x", link("/links/.shipfiles/current.json"), link("/links/"), link("/links/deep"),
    ):  # fmt: skip
        answer = edge.get(bad)
        assert answer.status in (403, 404), bad
        assert BODY not in answer.body
        assert SECRET not in answer.body
