"""The storage, as templates and code in the wild use it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from django import forms
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core import mail
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.template import Context, Template, engines
from django.templatetags.static import static
from django.test import Client, override_settings
from django.test.utils import _TestState
from django.urls import clear_script_prefix, set_script_prefix

from shipfiles.django import tables
from shipfiles.django.storage import StaticStorage

from .test_collectstatic import collect

SITE = {"css/app.css": "a{}", "img/logo.png": b"x", "a#b.css": "b{}", "dir/x.txt": "x"}


@pytest.fixture
def site(project: Path, write) -> Path:
    write(SITE)
    collect()
    return project


@pytest.fixture
def production(monkeypatch) -> None:
    """Without the mark of a test environment."""
    monkeypatch.delattr(_TestState, "saved_data")


def hashed(name: str) -> str:
    return json.loads(staticfiles_storage.read_manifest() or "")["paths"][name]


def test_it_inherits_from_storage_alone() -> None:
    assert StaticStorage.__mro__ == (StaticStorage, Storage, object)


def test_template_tag_function_and_media(site: Path, production) -> None:
    url = "/static/" + hashed("css/app.css")
    assert Template("{% load static %}{% static 'css/app.css' %}").render(Context()) == url
    assert static("css/app.css") == url
    assert f'href="{url}"' in str(forms.Media(css={"all": ["css/app.css"]}))
    template = engines["jinja2"].from_string("{{ static('css/app.css') }}")
    assert template.render({"static": static}) == url


@pytest.mark.parametrize(
    ("name", "rest"),
    [("img/logo.png", ""), ("img/logo.png?v=1", "?v=1"), ("img/logo.png#f", "#f"), ("img/logo.png?#iefix", "?#iefix"),
     ("img/logo.png?a=%20b#c", "?a=%20b#c")],
)  # fmt: skip
def test_query_and_fragment_stay(site: Path, production, name: str, rest: str) -> None:
    assert staticfiles_storage.url(name) == f"/static/{hashed('img/logo.png')}{rest}"
    assert staticfiles_storage.stored_name(name) == hashed("img/logo.png") + rest


def test_a_file_called_like_a_fragment(site: Path, production) -> None:
    assert staticfiles_storage.stored_name("a#b.css") == hashed("a#b.css")
    assert staticfiles_storage.url("a#b.css") == "/static/" + hashed("a#b.css").replace("#", "%23")


def test_folders_are_not_hashed(site: Path, production) -> None:
    assert staticfiles_storage.url("dir/") == "/static/dir/"


def test_a_missing_name(site: Path, production) -> None:
    with pytest.raises(
        ValueError, match=r"^Missing staticfiles manifest entry for 'css/ap\.css'.*Did you mean 'css/app\.css'"
    ):
        staticfiles_storage.url("css/ap.css")
    with pytest.raises(ValueError, match=r"Did you mean 'img/logo\.png'"):
        staticfiles_storage.url("images/Logo.png")


def test_before_the_first_collectstatic(project: Path, write, production) -> None:
    write(SITE)
    with pytest.raises(ValueError, match="run collectstatic"):
        staticfiles_storage.url("css/app.css")


def test_not_strict(site: Path, production, caplog) -> None:
    with override_settings(
        STORAGES={
            "staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"manifest_strict": False}}
        }
    ):
        with pytest.raises(ValueError, match=r"The file 'plain\.css' could not be found"):
            staticfiles_storage.url("plain.css")
        (site / "root/plain.css").write_text("x")
        assert staticfiles_storage.url("plain.css") == "/static/plain.css"
        assert staticfiles_storage.url("plain.css") == "/static/plain.css"
    assert caplog.text.count("plain.css") == 1


def test_in_tests_the_finders_answer(project: Path, write) -> None:
    write(SITE)
    assert staticfiles_storage.url("css/app.css") == "/static/css/app.css"
    with pytest.raises(ValueError, match=r"no finder has it.*Did you mean 'css/app\.css'"):
        staticfiles_storage.url("css/ap.css")


def test_a_mail_backend_that_keeps_an_outbox_is_no_test(site: Path, write, production, monkeypatch) -> None:
    write({"late.css": ""})
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    with pytest.raises(ValueError, match=r"^Missing staticfiles manifest entry for 'late\.css'"):
        staticfiles_storage.url("late.css")


def test_a_web_process_does_not_import_djangos_test_module() -> None:
    code = (
        "import sys, django; from django.conf import settings; settings.configure(); django.setup()\n"
        "from shipfiles.django.conf import in_tests\n"
        "assert not in_tests() and 'django.test.utils' not in sys.modules\n"
        "from django.test.utils import setup_test_environment, teardown_test_environment\n"
        "assert not in_tests()\n"
        "setup_test_environment(); assert in_tests()\n"
        "teardown_test_environment(); assert not in_tests()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_in_development_a_name_fails_where_it_would_in_production(project: Path, write, production) -> None:
    write(SITE)
    with override_settings(DEBUG=True):
        assert staticfiles_storage.url("css/app.css?v=1") == "/static/css/app.css?v=1"
        assert staticfiles_storage.url("a#b.css") == "/static/a%23b.css"
        assert staticfiles_storage.url("dir/") == "/static/dir/"
        with pytest.raises(ValueError, match=r"Did you mean 'css/app\.css'"):
            staticfiles_storage.url("css/ap.css")
        with pytest.raises(ValueError, match="no finder"):
            staticfiles_storage.url("dir")
        options = {"check_names": False}
        with override_settings(
            STORAGES={"staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}}
        ):
            assert staticfiles_storage.url("css/ap.css") == "/static/css/ap.css"


def test_files(site: Path) -> None:
    name = hashed("css/app.css")
    assert staticfiles_storage.exists(name)
    assert not staticfiles_storage.exists("unknown")
    assert staticfiles_storage.path(name) == str(site / "root" / name)
    with staticfiles_storage.open(name) as file:
        assert file.read() == b"a{}"
    with staticfiles_storage.open(name, "r") as file:
        assert file.read() == "a{}"
    with pytest.raises(FileNotFoundError):
        staticfiles_storage.open("unknown")
    with pytest.raises(ValueError, match="reading"):
        staticfiles_storage.open(name, "wb")
    assert staticfiles_storage.size(name) == 3
    folders, files = staticfiles_storage.listdir("")
    assert sorted(folders) == ["css", "dir", "img"]
    assert "staticfiles.json" in files
    assert ".shipfiles" not in folders
    staticfiles_storage.delete(name)
    staticfiles_storage.delete(name)
    assert not staticfiles_storage.exists(name)
    assert staticfiles_storage.save("new/x.txt", ContentFile(b"x")) == "new/x.txt"
    assert staticfiles_storage.save("new/x.txt", ContentFile("yy")) == "new/x.txt"
    assert (site / "root/new/x.txt").read_text() == "yy"
    assert staticfiles_storage.get_modified_time("new/x.txt").tzinfo is not None
    assert staticfiles_storage.hashed_name("new/x.txt").startswith("new/x.")
    assert staticfiles_storage.hashed_name("css/app.css") == hashed("css/app.css")


class Remote(File):
    """A large file that is on no disk."""

    def __init__(self) -> None:
        super().__init__(None, "large")

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        for _ in range(512):
            yield bytes(64 * 1024)

    def seekable(self) -> bool:
        return False


def test_a_large_file_is_saved_without_being_held(site: Path) -> None:
    on_disk = site / "large"
    on_disk.write_bytes(bytes(32 << 20))
    for content in (File(on_disk.open("rb")), Remote()):
        tracemalloc.start()
        staticfiles_storage.save("large", content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6 << 20
        assert staticfiles_storage.size("large") == 32 << 20
        if content.file:
            content.close()


def test_what_is_saved_is_what_the_file_gives(site: Path) -> None:
    packed = site / "x.gz"
    packed.write_bytes(gzip.compress(b"unpacked"))
    with gzip.open(packed) as unpacked:
        staticfiles_storage.save("x.txt", File(unpacked, "x.txt"))
    assert (site / "root/x.txt").read_bytes() == b"unpacked"
    other = site / "replaced"
    other.write_bytes(b"first")
    with other.open("rb") as opened:
        other.unlink()
        other.write_bytes(b"second")
        staticfiles_storage.save("x.txt", File(opened))
    assert (site / "root/x.txt").read_bytes() == b"first"
    with packed.open("rb") as half_read:
        half_read.read(5)
        staticfiles_storage.save("x.gz", File(half_read))
    assert (site / "root/x.gz").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("name", ["../secret", "a/../../secret", "/etc/passwd"])
def test_paths_out_of_the_folder(site: Path, name: str) -> None:
    with pytest.raises(SuspiciousFileOperation):
        staticfiles_storage.path(name)


def test_hashed_files_and_hash(site: Path) -> None:
    assert staticfiles_storage.hashed_files == json.loads(staticfiles_storage.read_manifest() or "")["paths"]
    names, manifest_hash = staticfiles_storage.load_manifest()
    assert (names, manifest_hash) == (staticfiles_storage.hashed_files, staticfiles_storage.manifest_hash)


def test_the_manifest_is_one_that_stock_django_reads(site: Path, production) -> None:
    stock = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    expected = dict(staticfiles_storage.hashed_files)
    with override_settings(STORAGES={"staticfiles": {"BACKEND": stock}}):
        assert storages["staticfiles"].hashed_files == expected
        assert staticfiles_storage.url("css/app.css") == "/static/" + expected["css/app.css"]


def test_a_manifest_by_stock_django_is_read(project: Path, write, production) -> None:
    (project / "root").mkdir()
    payload = {"paths": {"a.css": "a.0123456789ab.css"}, "version": "1.1", "hash": "x"}
    (project / "root/staticfiles.json").write_text(json.dumps(payload))
    assert staticfiles_storage.url("a.css") == "/static/a.0123456789ab.css"
    assert staticfiles_storage.manifest_hash == "x"


@pytest.mark.parametrize("body", ["{half", "[]", '{"version": "9"}', ""])
def test_a_damaged_manifest_is_one_clear_error(project: Path, production, body: str) -> None:
    (project / "root").mkdir()
    (project / "root/staticfiles.json").write_text(body)
    with pytest.raises(ValueError, match=r"Couldn't load manifest 'staticfiles\.json'"):
        staticfiles_storage.url("a.css")


def test_unknown_options_are_errors(project: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"OPTIONS\['comprss'\] is not an option. Did you mean 'compress'"):
        StaticStorage(comprss={})


def test_below_a_mount_point(site: Path, production) -> None:
    """A relative STATIC_URL begins with the path below which a request came in, known only while it is answered."""
    clear_script_prefix()  # the last request of this thread may have left one
    with override_settings(STATIC_URL="static/"):
        early = staticfiles_storage.url("css/app.css")
        assert early == "/static/" + hashed("css/app.css")
        set_script_prefix("/app/")
        try:
            assert staticfiles_storage.url("css/app.css") == "/app" + early
            assert staticfiles_storage.url("css/app.css?v=1") == "/app" + early + "?v=1"
        finally:
            clear_script_prefix()
        assert staticfiles_storage.url("css/app.css") == early


class Lax(StaticStorage):
    manifest_strict = False
    manifest_name = "lax.json"


def test_a_subclass_sets_what_djangos_lets_it_set(project: Path, write, production) -> None:
    write(SITE)
    with override_settings(STORAGES={"staticfiles": {"BACKEND": f"{__name__}.Lax"}}):
        collect()
        assert (project / "root/lax.json").exists()
        assert not (project / "root/staticfiles.json").exists()
        (project / "root/plain.css").write_text("x")
        assert staticfiles_storage.url("plain.css") == "/static/plain.css"
    assert Lax(manifest_strict=True).manifest_strict


def test_a_base_url_gets_its_slash(project: Path) -> None:
    assert StaticStorage(base_url="https://cdn.example/static").base_url == "https://cdn.example/static/"


@pytest.mark.parametrize("name", ["", "../x.json", ".shipfiles/current.json", "a\nb"])
def test_manifest_names_that_would_do_harm(project: Path, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="manifest_name"):
        StaticStorage(manifest_name=name)


def test_with_another_storage_pages_still_work(project: Path, write, production) -> None:
    write(SITE)
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    for debug, status in ((True, 200), (False, 404)):
        with override_settings(STORAGES=other, DEBUG=debug):
            assert Client().get("/").content == b"home"
            assert Client().get("/static/css/app.css").status_code == status


def test_no_release_is_told_at_the_start(project: Path, production, caplog) -> None:
    tables.static_table()
    assert f"There is no release in {project / 'root'}" in caplog.text
