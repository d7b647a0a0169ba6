"""``ship export`` and ``ship import``, as people call them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.stores.local import LocalStore

SITE: dict[str, str | bytes] = {"css/app.css": "p { background: url(../x.svg) }\n" * 30, "x.svg": "<svg/>"}


def ship(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("ship", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue().strip(), err.getvalue().strip()


@pytest.fixture
def site(project: Path, write, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(SITE)
    call_command("collectstatic", interactive=False, verbosity=0)
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def release(site: Path) -> str:
    pointer = json.loads((site / "root/.shipfiles/current.json").read_text())
    return str(pointer["release"])


def test_there_and_elsewhere(site: Path, release: str):
    out, err = ship("export", release[:6])
    assert out.startswith(f"The release {release} is in {release}.tar.gz: ")
    assert err == ""
    with override_settings(STATIC_ROOT=str(site / "elsewhere")):
        out, _ = ship("import", f"{release}.tar.gz")
        assert out.startswith(f"The release {release} was imported: ")
        assert LocalStore(str(site / "elsewhere")).head(f".shipfiles/releases/{release}.json")
        out, _ = ship("import", f"{release}.tar.gz")
        assert out == f"The release {release} is in the store already."


def test_as_json(site: Path, release: str):
    facts = json.loads(ship("export", "current", "--to", "out", "--json")[0])
    assert facts.pop("bytes") > 0
    files = facts.pop("files")
    assert facts == {"release": release, "path": "out"}
    with override_settings(STATIC_ROOT=str(site / "elsewhere")):
        facts = json.loads(ship("import", "out", "--json")[0])
        assert (facts["release"], facts["new"], facts["written"]) == (release, True, files)


def test_what_cannot_be_done_is_said(site: Path, release: str):
    (site / "x.tar").write_bytes(b"not an archive" * 100)
    for arguments, why in (
        (("import", "x.tar"), "no archive of 'ship export'.* Nothing was imported"),
        (("import", "y.tar"), "no such file"),
        (("export", "current", "--to", "src"), "is there already"),
        (("export", "deadbeef"), "There is no release 'deadbeef'"),
    ):
        with pytest.raises(CommandError, match=why):
            ship(*arguments)
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("ship", *arguments, "--json", stdout=out, stderr=io.StringIO())
        assert json.loads(out.getvalue())["error"]


@pytest.mark.parametrize("arguments", [("export", "current"), ("import", "x.tar")])
def test_a_storage_that_is_not_ours(project: Path, arguments):
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
    with override_settings(STORAGES=other), pytest.raises(CommandError, match="There are releases only where"):
        ship(*arguments)
