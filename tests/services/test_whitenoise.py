"""WhiteNoise's own tests with Shipfiles in its place, and a project that goes over from the one to the other."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
from email.message import Message
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import brotli
import pytest

from tests.oracles.corpora import missing

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "whitenoise-suite"

pytestmark = pytest.mark.services


def test_whitenoises_own_tests() -> None:
    run = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    if run.returncode == 2:
        missing(run.stdout + run.stderr)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " tests, " in run.stdout


THEIRS = {
    "whitenoise.middleware.WhiteNoiseMiddleware": "shipfiles.django.middleware.ShipfilesMiddleware",
    "whitenoise.storage.CompressedManifestStaticFilesStorage": "shipfiles.django.storage.StaticStorage",
}
"""All that is replaced, and by what."""

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "shop_urls"
STATIC_URL = "https://cdn.example/shop/static/"
STATIC_ROOT = BASE_DIR / "collected"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}


def add_headers(headers, path, url):
    if url.endswith(".css"):
        headers["X-Sheet"] = path.rpartition("/")[2].partition(".")[0]
    headers["Timing-Allow-Origin"] = "*"


WHITENOISE_ROOT = BASE_DIR / "public"
WHITENOISE_INDEX_FILE = True
WHITENOISE_ADD_HEADERS_FUNCTION = add_headers
WHITENOISE_IMMUTABLE_FILE_TEST = r"(/v\\d+/|\\.[0-9a-f]{12}\\.)"
WHITENOISE_MIMETYPES = {".foo": "text/x-foo", "listing": "text/x-listing"}
WHITENOISE_CHARSET = "iso-8859-1"
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_MAX_AGE = 300
WHITENOISE_STATIC_PREFIX = "/static/"
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["txt"]
WHITENOISE_MANIFEST_STRICT = False
"""

ASK = """
import base64, json, sys
import django
from django.test import Client

django.setup()
from django.contrib.staticfiles.storage import staticfiles_storage

asked = json.load(sys.stdin)
client, answers = Client(), []
for url, coding in asked["requests"]:
    response = client.get(url, headers={"accept-encoding": coding})
    body = b"".join(response) if response.streaming else response.content
    headers = [[name, value] for name, value in response.items()]
    answers.append([response.status_code, headers, base64.b64encode(body).decode()])
print(json.dumps({"urls": [staticfiles_storage.url(name) for name in asked["names"]], "answers": answers}))
"""

TEXT = "".join(f"line {i} of a text that is worth compressing\n" for i in range(60))
FILES = {
    "shop_urls.py": "urlpatterns = []\n",
    "ask.py": ASK,
    "assets/css/site.css": "body { background: url(../img/dot.svg) }\n" + f"/* {TEXT} */",
    "assets/js/app.js": f"/* {TEXT} */",
    "assets/js/v12/lib.js": f"/* {TEXT} */",
    "assets/img/dot.svg": f'<svg xmlns="http://www.w3.org/2000/svg"><!-- {TEXT} --></svg>',
    "assets/data.foo": TEXT,
    "assets/listing": TEXT,
    "assets/notes.txt": TEXT,
    "assets/manual/index.html": f"<!doctype html><title>Manual</title><p>{TEXT}",
    "public/robots.txt": "User-agent: *\n",
    "public/.well-known/security.txt": "Contact: mailto:security@example.org\n",
    "public/index.html": f"<!doctype html><title>Home</title><p>{TEXT}",
    "public/docs/index.html": f"<!doctype html><title>Docs</title><p>{TEXT}",
    "public/docs/more.css": f"p {{}} /* {TEXT} */",
}
STATIC = ["css/site.css", "js/app.js", "js/v12/lib.js", "img/dot.svg", "data.foo", "listing", "notes.txt"]
AT_ROOT = ["/robots.txt", "/.well-known/security.txt", "/", "/index.html", "/docs/", "/docs", "/docs/index.html",
           "/docs/more.css", "/static/manual/", "/static/manual", "/static/manual/index.html"]  # fmt: skip
NOWHERE = ["/static/css/", "/static/none.css", "/none.txt", "/docs/none", "/ask.py", "/static/../ask.py"]
HASHED = ["js/app.js", "img/dot.svg", "data.foo"]
"""Those that refer to nothing, so that their bytes under a hashed name are those of the source."""

CODINGS = ("identity", "gzip", "gzip, deflate, br")

Answer = tuple[int, Message, bytes]


def script() -> Any:
    loader = SourceFileLoader("whitenoise_suite", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whitenoise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with WhiteNoise's package."""
    try:
        return script().fetch(tmp_path_factory.mktemp("whitenoise")) / "src"
    except subprocess.CalledProcessError as error:
        missing(f"WhiteNoise could not be fetched: {error}")


class Shop:
    """A project on the disk, of which each step is a process of its own."""

    def __init__(self, folder: Path, whitenoise: Path) -> None:
        self.folder = folder
        for name, text in {**FILES, "shop_settings.py": SETTINGS}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, [folder, whitenoise, ROOT / "src"])),
            "DJANGO_SETTINGS_MODULE": "shop_settings",
        }

    def run(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder, env=self._environment, input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def collect(self) -> None:
        self.run("-m", "django", "collectstatic", "--noinput", "--verbosity", "0")

    def switch(self) -> None:
        """What a person does who goes over: two paths in the settings."""
        text = SETTINGS
        for theirs, ours in THEIRS.items():
            assert text.count(theirs) == 1
            text = text.replace(theirs, ours)
        (self.folder / "shop_settings.py").write_text(text)

    def ask(self, urls: list[str]) -> dict[tuple[str, str], Answer]:
        """The answers by URL and Accept-Encoding."""
        requests = [(url, coding) for url in urls for coding in CODINGS]
        found = json.loads(self.run("ask.py", text=json.dumps({"requests": requests, "names": []})))["answers"]
        answers = {}
        for request, (status, fields, body) in zip(requests, found, strict=True):
            headers = Message()
            for name, value in fields:
                headers[name] = value
            answers[request] = status, headers, base64.b64decode(body)
        return answers

    def urls(self, names: list[str]) -> list[str]:
        """The paths at which a CDN asks for files that pages name."""
        urls = json.loads(self.run("ask.py", text=json.dumps({"requests": [], "names": names})))["urls"]
        assert all(url.startswith("https://cdn.example/shop/static/") for url in urls)
        return [url.removeprefix("https://cdn.example/shop") for url in urls]


def decoded(answer: Answer) -> bytes:
    decoder = {"gzip": gzip.decompress, "br": brotli.decompress}.get(answer[1]["Content-Encoding"] or "", bytes)
    return decoder(answer[2])


def differences(url: str, before: Answer, after: Answer) -> list[tuple[str, str, object, object]]:
    """Where ``after`` lacks the status, the bytes or a header of ``before``; it may have more headers."""
    if after[0] != before[0]:
        return [(url, "status", before[0], after[0])]
    if before[0] == 404:
        return []
    if before[0] == 302:
        # Nobody shall keep a redirect of ours, as the next release may have a file there; and it has a body.
        return [] if _target(url, before) == _target(url, after) else [(url, "Location", before[1], after[1])]
    found: list[tuple[str, str, object, object]] = []
    if decoded(after) != decoded(before):
        found.append((url, "body", decoded(before), decoded(after)))
    for name, value in before[1].items():
        now = after[1][name]
        if now is None or _comparable(name, now, after) != _comparable(name, value, before):
            found.append((url, name, value, now))
    return found


def _target(url: str, answer: Answer) -> str:
    return urljoin(url, answer[1]["Location"])


def _comparable(name: str, value: str, answer: Answer) -> object:
    """What must be the same of a header's ``value``."""
    if name in ("ETag", "Last-Modified"):
        return ""  # that there is one
    if name == "Content-Type":
        return value.replace('"', "")  # a quoted charset is the same charset: RFC 9110 section 5.6.6
    if name == "Cache-Control":
        # Ten years there, one here, as nobody may rely on more.
        return value.replace("max-age=315360000,", "max-age=31536000,")
    if name == "Content-Length":
        return int(value) == len(answer[2])  # WhiteNoise does not compress what is in WHITENOISE_ROOT
    return value


def test_two_paths_are_all_that_a_project_changes(tmp_path: Path, whitenoise: Path) -> None:
    shop = Shop(tmp_path, whitenoise)
    shop.collect()
    plain = [f"/static/{name}" for name in STATIC]
    hashed = shop.urls(HASHED)
    assert all(len(url.split(".")) == 3 for url in hashed)
    before = shop.ask([*plain, *hashed, *AT_ROOT, *NOWHERE])
    # What is compared is there, and WhiteNoise does what the settings say.
    assert {answer[0] for (url, _), answer in before.items() if url not in NOWHERE} == {200, 302}
    assert {answer[0] for (url, _), answer in before.items() if url in NOWHERE} == {404}
    assert {answer[1]["Content-Encoding"] for answer in before.values()} == {None, "gzip", "br"}
    assert before["/static/js/v12/lib.js", "gzip"][1]["Cache-Control"].endswith("immutable")
    assert before["/static/css/site.css", "gzip"][1]["X-Sheet"] == "site"

    # Deployed where nobody has collected since: what WhiteNoise has published is served.
    shop.switch()
    for (url, coding), answer in shop.ask([*plain, *hashed]).items():
        assert (answer[0], decoded(answer)) == (200, decoded(before[url, coding])), url

    # Deployed as ever.
    shop.collect()
    after = shop.ask([*plain, *AT_ROOT, *NOWHERE])
    found = [d for (url, coding), answer in after.items() for d in differences(url, before[url, coding], answer)]
    ours = shop.urls(HASHED)
    now = shop.ask(ours)
    for old, new in zip(hashed, ours, strict=True):
        for coding in CODINGS:
            found += differences(new, before[old, coding], now[new, coding])
    assert found == []
