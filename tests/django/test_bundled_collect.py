"""The command, the storage and the middleware with files that a bundler has hashed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.django.storage import StaticStorage

from .test_collectstatic import collect

ENTRY = "dist/assets/main-aB3dE5gH.js"
SITE: dict[str, str | bytes] = {
    ENTRY: "import './shared-BRBmoGS9.js'\n",
    "dist/assets/shared-BRBmoGS9.js": "export default 1\n" * 30,
    "dist/.vite/manifest.json": json.dumps({
        "src/main.js": {"file": "assets/main-aB3dE5gH.js", "name": "main"},
        "_shared-BRBmoGS9.js": {"file": "assets/shared-BRBmoGS9.js", "name": "shared"},
    }),
    "a.css": "a { background: url(dist/assets/shared-BRBmoGS9.js) }\n",
}  # fmt: skip


def test_the_closing_line_counts_copies(project: Path, write) -> None:
    write(SITE)
    root = project / "root"
    out, err = collect()
    assert out.splitlines()[-1] == f"3 static files copied to '{root}', 1 post-processed."
    assert "Kept: 2 names that a bundler has made from the contents" in out
    assert err == ""
    out, _ = collect()
    assert out.splitlines()[-1] == f"0 static files copied to '{root}', 3 unmodified, 1 post-processed."
    out, _ = collect("--link")
    assert out.splitlines()[-1] == f"1 static file symlinked to '{root}', 2 unmodified, 1 post-processed."
    assert sorted(p.name for p in (root / "dist/assets").iterdir()) == [
        "main-aB3dE5gH.js", "shared-BRBmoGS9.js", "shared-BRBmoGS9.js.br", "shared-BRBmoGS9.js.gz",
    ]  # fmt: skip


def test_a_dry_run_says_what_is_copied(project: Path, write) -> None:
    write(SITE)
    out, _ = collect("--dry-run")
    assert f"Pretending to copy '{project / 'src' / ENTRY}'" in out
    assert out.splitlines()[-1].startswith("3 static files copied")
    assert not (project / "root").exists()


def test_a_name_that_lies_is_a_warning(project: Path, write) -> None:
    write(SITE)
    collect()
    write({ENTRY: "other"})
    _, err = collect()
    assert err.startswith(f"warning: {project / 'src' / ENTRY}: its bytes changed but its name")
    assert staticfiles_storage.stored_name(ENTRY) != ENTRY
    # It did not change again.
    _, err = collect("--verify")
    assert err == ""
    assert staticfiles_storage.stored_name(ENTRY) != ENTRY


def test_no_post_process_and_clear(project: Path, write) -> None:
    write(SITE)
    collect()
    out, _ = collect("--no-post-process")
    assert out.splitlines()[-1].startswith("0 static files copied")
    collect("--clear")
    assert (project / "root" / ENTRY).read_text() == SITE[ENTRY]
    (project / "src" / ENTRY).unlink()
    collect("--clear")
    assert not (project / "root" / ENTRY).exists()


def test_pages_and_answers(project: Path, write) -> None:
    write(SITE)
    collect()
    storage = StaticStorage()
    assert storage.url(ENTRY) == f"/static/{ENTRY}"
    assert json.loads((project / "root/staticfiles.json").read_text())["paths"][ENTRY] == ENTRY
    answer = ShipfilesMiddleware(lambda _: HttpResponse("page"))(RequestFactory().get(f"/static/{ENTRY}"))
    assert answer["Cache-Control"] == "max-age=31536000, public, immutable"
    assert b"".join(answer) == str(SITE[ENTRY]).encode()
    with override_settings(DEBUG=True):
        assert storage.url(ENTRY) == f"/static/{ENTRY}"


def test_switched_off(project: Path, write) -> None:
    write(SITE)
    options = {"rewrite": {"bundled": False}}
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}
    with override_settings(STORAGES={"staticfiles": backend}):
        out, _ = collect()
        assert "Kept" not in out
        assert staticfiles_storage.stored_name(ENTRY) != ENTRY


def test_a_manifest_beside_the_files_that_comes_changes_and_goes(project: Path, write) -> None:
    """Django collects no folder that begins with a dot: no file among the sources tells of Vite's hidden manifest."""
    listed = str(SITE["dist/.vite/manifest.json"])
    write({name: body for name, body in SITE.items() if name != "dist/.vite/manifest.json"})
    for folder in [project / "src", *(project / "src").rglob("*")]:
        os.utime(folder, (1_500_000_000, 1_500_000_000))
    collect()
    assert staticfiles_storage.stored_name(ENTRY) != ENTRY
    write({"dist/.vite/manifest.json": listed})
    os.utime(project / "src/dist/.vite/manifest.json", (1_500_000_000, 1_500_000_000))
    collect()
    assert staticfiles_storage.stored_name(ENTRY) == ENTRY
    write({"dist/.vite/manifest.json": listed.replace(ENTRY.rpartition("/")[2], "other-aB3dE5gH.js")})
    collect()
    assert staticfiles_storage.stored_name(ENTRY) != ENTRY
    write({"dist/.vite/manifest.json": listed})
    collect()
    assert staticfiles_storage.stored_name(ENTRY) == ENTRY
    (project / "src/dist/.vite/manifest.json").unlink()
    collect()
    assert staticfiles_storage.stored_name(ENTRY) != ENTRY
