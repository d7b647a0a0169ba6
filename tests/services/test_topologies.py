"""Every page of docs/topologies, followed from its settings to its undoing, in a new project with real servers."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.guides import block

from .asking import Asking
from .cdn import Bucket, make_bucket
from .nginx import run_nginx
from .object_servers import S3_KEY
from .servers import free_port, wait_until_listening
from .ssh_server import SshServer, started
from .topologies import Change, Page, Project, get, load, sources, version_of
from .varnish import run_varnish

pytestmark = pytest.mark.services


def lines_in(expected: str, output: str) -> None:
    """Each line of what the page shows is among those that came."""
    came = [line.rstrip().lower() for line in output.splitlines()]
    for line in expected.splitlines():
        assert line.lower() in came, output


Files = dict[str, list[bytes]]
"""URLs, each with the bodies that it may have."""


def published(root: Path, base: str) -> tuple[Files, Files]:
    """The hashed and the plain URLs below ``base`` of all files of the current release in ``root``.

    A plain name that a rollback has put back may have the rewritten text (docs/publishing.md).
    """
    paths = json.loads((root / "staticfiles.json").read_bytes())["paths"]
    bodies = {logical: (root / name).read_bytes() for logical, name in paths.items()}
    plain = {base + logical: [body, (root / logical).read_bytes()] for logical, body in bodies.items()}
    return {base + quote(paths[logical]): [body] for logical, body in bodies.items()}, plain


def releases(words: str) -> set[str]:
    """The releases of which a command speaks."""
    return set(re.findall(r"\b[0-9a-f]{16}\b", words))


def age(root: Path) -> None:
    """Make all files in ``root`` two hours older: a prune takes none that is not finished for sure."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 7200,) * 2)


def children(process: subprocess.Popen[bytes]) -> list[str]:
    """The processes that it has made."""
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def application(port: int) -> tuple[Change, ...]:
    """The application is at this port, with one worker, which is what starting several would only repeat."""
    return (
        ("https://www.example.com", f"http://127.0.0.1:{port}"),
        ("127.0.0.1:8000 --workers 3", f"127.0.0.1:{port} --workers 1"),
    )


# The application alone


def test_the_application_alone(tmp_path: Path) -> None:
    port = free_port()
    page, home = Page("app-only", *application(port)), f"http://127.0.0.1:{port}/"
    project = Project(tmp_path, page.text("settings"))
    project.run(page.text("build"))
    with project.serving(page.text("serve"), port):
        first = load(home)
        lines_in(page.text("looks"), project.run(page.text("look")))
        assert get(f"{home}static/css/site.0123456789ab.css").fields["cache-control"] == "no-store"
    (project.folder / "example" / "wsgi.py").write_text(page.text("wsgi"))
    with project.serving(page.text("lane"), port):
        assert load(home) == first
    # The folder is a volume; the container of the next version starts with it.
    project.write(2)
    project.run(page.text("build"))
    assert len(releases(project.run(page.text("releases")))) == 2
    with project.serving(page.text("serve"), port):
        assert load(home) == first
    project.run(page.text("verify"))
    project.configure(page.text("undo"))
    project.run(page.text("build"))
    root = project.folder / "staticfiles"
    names = json.loads((root / "staticfiles.json").read_bytes())["paths"]
    assert {(root / name).is_file() for name in names.values()} == {True}
    assert {(root / url.removeprefix(f"{home}static/")).read_bytes() == body for url, body in first.items()} == {True}
    page.check_followed()


# A dedicated server

# nginx is told to look again after a second where it has looked for a hashed name.
SECOND = 1.1

# What Debian's nginx.conf says around conf.d.
DEBIAN = """
  sendfile on; tcp_nopush on; types_hash_max_size 2048; include /etc/nginx/mime.types;
  default_type application/octet-stream; gzip on; include {folder}/conf.d/*.conf;
"""


@contextlib.contextmanager
def web_server(folder: Path, project: Project) -> Iterator[subprocess.Popen[bytes]]:
    """nginx as Debian installs it, in ``folder``, with the programs by which people speak to it."""
    (folder / "conf.d").mkdir(parents=True)
    port = free_port()
    http = DEBIAN.format(folder=folder) + f"server {{ listen 127.0.0.1:{port}; }}"
    with run_nginx(folder, http, port) as process:
        told = f"exec {shutil.which('nginx', path='/usr/sbin')} -p {folder} -c nginx.conf -e error.log"
        project.program("nginx", f'{told} "$@"')
        project.program("systemctl", f'{told} -s "$1"')
        yield process


def reachable(server: SshServer, project: Project) -> None:
    """The server is static.example.com for who works on the project, with the key of its user."""
    text = (server.folder / "config").read_text().replace("Host server", "Host static.example.com")
    (project.home / ".ssh" / "config").write_text(text)
    restriction = block("ssh.md", "authorized_keys").partition(" ssh-ed25519")[0]
    (server.folder / "authorized").write_text(f"{restriction} {(server.folder / 'id.pub').read_text()}")


def account_programs(project: Project, folder: Path) -> None:
    """``useradd`` and ``userdel`` work on accounts in ``folder``, where they may."""
    (folder / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        (folder / "etc" / name).touch()
    for name in ("useradd", "userdel"):
        real = f'exec /usr/sbin/{name} --prefix {folder} "$@"'
        project.program(name, real if os.geteuid() == 0 else "true")


def test_a_dedicated_server(tmp_path: Path) -> None:
    with started() as server:
        own = pwd.getpwnam(server.user)
        root, port, files = server.folder / "static", free_port(), free_port()
        page = Page(
            "dedicated-server",
            ("https://static.example.com", f"http://127.0.0.1:{files}"),
            ("https://static", f"http://127.0.0.1:{files}"),
            *application(port),
            ("publisher", server.user),
            ("-g www-data", f"-g {grp.getgrgid(own.pw_gid if os.geteuid() else 33).gr_name}"),
            ("/srv/static", str(root)),
            ("--root", f"--listen 127.0.0.1:{files} --root"),
            (" --certificate /etc/ssl/static.example.com.pem", ""),
            (" --certificate-key /etc/ssl/static.example.com.key", ""),
            ("/etc/nginx", str(tmp_path / "nginx")),
        )
        project = Project(tmp_path / "www", page.text("settings"))
        reachable(server, project)
        account_programs(project, tmp_path / "accounts")
        with web_server(tmp_path / "nginx", project) as nginx:
            project.run(page.here(block("ssh.md", "publisher")))
            project.run(page.text("config"))
            project.run(page.text("install"))
            wait_until_listening(files, nginx, tmp_path / "nginx" / "log.txt")
            follow_the_deploys(page, project, root, f"http://127.0.0.1:{files}/static/", port, nginx)
            assert {path.stat().st_uid for path in root.rglob("*")} == {own.pw_uid}
            project.run(page.text("undo"))
            project.run(page.here(block("ssh.md", "undo")))
            assert not root.exists()
        page.check_followed()


def follow_the_deploys(
    page: Page, project: Project, root: Path, base: str, port: int, nginx: subprocess.Popen[bytes]
) -> None:
    home = f"http://127.0.0.1:{port}/"
    serve = page.text("serve")
    project.run(page.text("build"))
    project.run(page.text("publish"))
    asking, workers = Asking(), children(nginx)
    first, plain = published(project.folder / "staticfiles", base)
    asking.expect(first | plain, there=True)
    with asking.asking():
        with project.serving(serve, port):
            assert version_of(load(home)) == 1
            lines_in(page.text("looks"), project.run(page.text("look")))
            assert "nothing is missing" in project.run(page.text("check"))
            project.run(page.text("answers"))
            # The next release, of which somebody knows the names too early.
            image = project.image(2)
            image.run(page.text("build"))
            second, plain = published(image.folder / "staticfiles", base)
            asking.expect(second | plain, there=False)
            asking.another_round()
            image.run(page.text("publish"))
            time.sleep(SECOND)
            asking.promise(second)
            assert version_of(load(home)) == 1
        with image.serving(serve, port):
            assert version_of(load(home)) == 2
        asking.another_round()
        project.run(page.text("rollback"))
        assert get(f"{base}css/colours.css").body == sources(1)["css/colours.css"].encode()
        asking.another_round()
        # Another one, after which nobody needs what only the second had.
        image = project.image(3)
        image.run(page.text("build"))
        third, plain = published(image.folder / "staticfiles", base)
        asking.expect(plain, there=True)
        image.run(page.text("publish"))
        asking.expect(third, there=True)
        assert len(releases(project.run(page.text("releases")))) == 3
        project.run(page.text("prune"))
        asking.another_round()
        gone = second.keys() - first.keys()
        asking.forget(gone)
        age(root)
        project.run(page.text("prune").replace("--keep 10 --younger-than 30d", "--keep 0 --younger-than 0s"))
        asking.another_round()
        # Undone, and nobody whose page is open yet notices.
        project.configure(Page("app-only").text("settings"))
        project.run(page.text("build"))
        with project.serving(serve, port):
            assert {url.startswith(home) for url in load(home)} == {True}
        assert {get(url).status for url in gone} == {404}
        asking.another_round()
        assert asking.wrong == []
        # The witness itself.
        lost = next(iter(third))
        (root / lost.removeprefix(base)).unlink()
        time.sleep(SECOND)
        asking.another_round()
        assert {words.partition(" ")[0] for words in asking.wrong} == {lost}
    assert asking.early
    assert children(nginx) == workers, "nginx was told to read its configuration anew"


# A bucket


def keys(project: Project) -> None:
    """The keys of who publishes are in the environment."""
    project.variables |= {
        "AWS_ACCESS_KEY_ID": S3_KEY["access_key"], "AWS_SECRET_ACCESS_KEY": S3_KEY["secret_key"],
    }  # fmt: skip


def in_bucket(bucket: Bucket) -> tuple[Change, ...]:
    """The bucket is of a server on this machine."""
    return (
        ('"bucket_name": "example-static"', f'"bucket_name": "{bucket.name}"'),
        ('"region_name": "eu-central-1"', f'"region_name": "us-east-1", "endpoint_url": "{bucket.server}"'),
    )


def test_a_bucket(seaweed: str, tmp_path: Path) -> None:
    bucket, port = make_bucket(seaweed), free_port()
    bucket.allow()
    base, home = f"{seaweed}/{bucket.name}/static/", f"http://127.0.0.1:{port}/"
    page = Page(
        "bucket",
        ("https://example-static", f"{seaweed}/{bucket.name}"),
        # SeaweedFS names the origin that its rules let in; S3 says that all are.
        ("Access-Control-Allow-Origin: *", f"Access-Control-Allow-Origin: http://127.0.0.1:{port}"),
        *application(port),
        *in_bucket(bucket),
    )
    project = Project(tmp_path, page.text("settings"))
    project.run(page.text("build"))
    asking = Asking()
    first, plain = published(project.folder / "staticfiles", base)
    asking.expect(first | plain, there=False)
    keys(project)
    assert "Requests: " in project.run(page.text("plan"))
    project.run(page.text("publish"))
    asking.promise(first | plain)
    with asking.asking():
        project.variables.clear()
        with project.serving(page.text("serve"), port):
            assert {url.startswith(base) for url in load(home)} == {True}
            lines_in(page.text("looks"), project.run(page.text("look")))
            keys(project)
            assert "nothing is missing" in project.run(page.text("check"))
            image = project.image(2)
            image.run(page.text("build"))
            second, plain = published(image.folder / "staticfiles", base)
            asking.expect(second | plain, there=False)
            image.run(page.text("publish"))
            asking.promise(second)
            assert version_of(load(home)) == 1
        project.run(page.text("rollback"))
        assert get(f"{base}css/colours.css").body == sources(1)["css/colours.css"].encode()
        project.run(page.text("prune"))
        asking.another_round()
    assert asking.wrong == []
    page.check_followed()


# nginx before the application


def test_the_application_behind_nginx(tmp_path: Path) -> None:
    port, front = free_port(), free_port()
    root, home = tmp_path / "static", f"http://127.0.0.1:{front}/"
    page = Page(
        "app-behind-nginx",
        ("https://www.example.com", f"http://127.0.0.1:{front}"),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{port}"),
        ("127.0.0.1:8000 --workers 3", f"127.0.0.1:{port} --workers 1"),
        ("--server-name www.example.com", f"--server-name 127.0.0.1 --listen 127.0.0.1:{front}"),
        (" --certificate /etc/ssl/www.example.com.pem", ""),
        (" --certificate-key /etc/ssl/www.example.com.key", ""),
        ("/srv/example/static", str(root)),
        ("/etc/nginx", str(tmp_path / "nginx")),
    )
    project = Project(tmp_path, page.text("settings"))
    serve, asking, base = page.text("serve"), Asking(), f"{home}static/"
    project.run(page.text("build"))
    first, plain = published(root, base)
    asking.expect(first | plain, there=True)
    with web_server(tmp_path / "nginx", project) as nginx:
        project.run(page.text("config"))
        wait_until_listening(front, nginx, tmp_path / "nginx" / "log.txt")
        with asking.asking():
            with project.serving(serve, port):
                assert version_of(load(home)) == 1
                lines_in(page.text("looks"), project.run(page.text("look")))
                project.run(page.text("answers"))
                workers, image = children(nginx), project.image(2)
                asking.expect({base + name: [text.encode()] for name, text in sources(2).items()}, there=True)
                image.run(page.text("build"))
                second, plain = published(root, base)
                asking.expect(second | plain, there=True)
            with image.serving(serve, port):
                assert version_of(load(home)) == 2
            asking.another_round()
            project.run(page.text("rollback"))
            with project.serving(serve, port):
                assert version_of(load(home)) == 1
            project.run(page.text("prune"))
            asking.another_round()
        assert asking.wrong == []
        assert children(nginx) == workers
        # Undone, and nobody whose page is open yet notices.
        project.configure(Page("app-only").text("settings").replace('BASE_DIR / "staticfiles"', repr(str(root))))
        project.run(page.text("build"))
        project.run(page.text("undo"))
        with project.serving(serve, port):
            assert version_of(load(f"http://127.0.0.1:{port}/")) == 1
            for url, (body,) in first.items():
                assert get(url.replace(f":{front}/", f":{port}/")).body == body
    page.check_followed()


# A CDN


def installed(folder: Path, project: Project, page: Page) -> str:
    """The configuration of Varnish, which is started with it when somebody restarts it."""
    (folder / "varnish").mkdir(parents=True)
    project.program("systemctl", "true")
    project.run(page.text("config"))
    return (folder / "varnish" / "default.vcl").read_text()


def at_cdn(host: str, cdn: int, folder: Path) -> tuple[Change, ...]:
    """Varnish is at this port, as the CDN and for who purges."""
    return (
        (f"https://{host}.example.com", f"http://127.0.0.1:{cdn}"),
        (f"https://{host}", f"http://127.0.0.1:{cdn}"),
        ("http://127.0.0.1:6081", f"http://127.0.0.1:{cdn}"),
        ("/etc/varnish", str(folder / "varnish")),
    )


def test_the_application_and_a_cdn(tmp_path: Path) -> None:
    port, cdn = free_port(), free_port()
    changes = (*at_cdn("cdn", cdn, tmp_path / "etc"), ("http://127.0.0.1:8000", f"http://127.0.0.1:{port}"))
    page = Page("app-and-cdn", *changes, *application(port))
    project = Project(tmp_path, Page("app-only").text("settings"))
    project.configure(page.text("settings"))
    home, colours = f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{cdn}/static/css/colours.css"
    project.run(page.text("build"))
    vcl = installed(tmp_path / "etc", project, page)
    with run_varnish(tmp_path / "varnish", vcl, cdn):
        with project.serving(page.text("serve"), port):
            first = load(home)
            assert {urlsplit(url).port for url in first} == {cdn}
            lines_in(page.text("looks"), project.run(page.text("look")))
            project.run(page.text("answers"))
            assert get(colours).body == sources(1)["css/colours.css"].encode()
            # The next release, in the same folder.
            project.write(2)
            project.run(page.text("build"))
        # Nobody is behind the CDN for a moment, and nobody notices.
        assert {url: get(url).body for url in first} == first
        with project.serving(page.text("serve"), port):
            assert version_of(load(home)) == 2
            assert {url: get(url).body for url in first} == first
            assert get(colours).body == sources(1)["css/colours.css"].encode()
            project.run(page.text("purge"))
            assert get(colours).body == sources(2)["css/colours.css"].encode()
    page.check_followed()


def test_a_bucket_and_a_cdn(seaweed: str, tmp_path: Path) -> None:
    bucket, port, cdn = make_bucket(seaweed), free_port(), free_port()
    page = Page("bucket-and-cdn", *at_cdn("static", cdn, tmp_path / "etc"), *application(port), *in_bucket(bucket))
    project = Project(tmp_path, page.text("settings"))
    base, home = f"http://127.0.0.1:{cdn}/static/", f"http://127.0.0.1:{port}/"
    colours, serve, asking = f"{base}css/colours.css", page.text("serve"), Asking()
    with run_varnish(tmp_path / "varnish", installed(tmp_path / "etc", project, page), cdn):
        project.run(page.text("build"))
        first, plain = published(project.folder / "staticfiles", base)
        keys(project)
        project.run(page.text("publish"))
        asking.expect(first | plain, there=True)
        with asking.asking():
            with project.serving(serve, port):
                assert {url.startswith(base) for url in load(home)} == {True}
                lines_in(page.text("looks"), project.run(page.text("look")))
                project.run(page.text("answers"))
                image = project.image(2)
                image.run(page.text("build"))
                second, plain = published(image.folder / "staticfiles", base)
                asking.expect(plain, there=True)
                image.run(page.text("publish"))
                asking.expect(second, there=True)
                assert get(colours).body == sources(2)["css/colours.css"].encode()
                assert version_of(load(home)) == 1
            with image.serving(serve, port):
                assert version_of(load(home)) == 2
            image.run(page.text("rollback"))
            assert get(colours).body == sources(1)["css/colours.css"].encode()
            asking.another_round()
    assert asking.wrong == []
    page.check_followed()
