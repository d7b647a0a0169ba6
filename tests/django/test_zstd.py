"""The coding zstd, from collectstatic to the answer and through a repair."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.django.tables import static_table
from shipfiles.serve.respond import Request, respond
from shipfiles.zstd import zstd_module
from tests.django.test_root_files import put

# Rewritten, so that its plain copy has other bytes and variants of its own.
CSS = "@import 'b.css';\n" + "p { color: red }\n" * 200
FILES: dict[str, str | bytes] = {"a.css": CSS, "b.css": "q { top: 0 }\n" * 100}


def storages(*codings: str) -> dict[str, object]:
    options = {"compress": {"codings": list(codings)}}
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}
    return {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}, "staticfiles": backend}


def collect() -> dict[str, object]:
    out = io.StringIO()
    call_command("collectstatic", "--json", stdout=out)
    report: dict[str, object] = json.loads(out.getvalue())
    return report


def test_zstd_is_made_served_and_repaired(project: Path) -> None:
    put(project / "src", FILES)
    root = project / "root"
    with override_settings(STORAGES=storages("zstd", "gzip")):
        collect()
        variants = sorted(root.glob("*.zst"))
        assert len(variants) == 4
        for variant in variants:
            assert zstd_module().decompress(variant.read_bytes()) == variant.with_suffix("").read_bytes()
        hashed = next(v for v in variants if v.name.startswith("a.") and v.name != "a.css.zst")
        response = respond(static_table(), Request("GET", f"/static/{hashed.stem}", {"accept-encoding": "zstd"}.get))
        assert response is not None
        assert dict(response.headers)["Content-Encoding"] == "zstd"
        assert response.body == hashed.read_bytes()
        whole = hashed.read_bytes()
        hashed.write_bytes(whole[:-1])
        with pytest.raises(CommandError):
            call_command("ship", "verify", stdout=io.StringIO(), stderr=io.StringIO())
        call_command("ship", "verify", "--repair", stdout=io.StringIO(), stderr=io.StringIO())
        assert hashed.read_bytes() == whole
        # Nothing to do for the same settings, and the coding goes when it is not wanted any more.
        assert collect()["variants_made"] == 0
    with override_settings(STORAGES=storages("gzip")):
        collect()
        response = respond(static_table(), Request("GET", f"/static/{hashed.stem}", {"accept-encoding": "zstd"}.get))
        assert response is not None
        assert "Content-Encoding" not in dict(response.headers)


def test_zstd_is_opt_in(project: Path) -> None:
    put(project / "src", FILES)
    collect()
    assert not list((project / "root").glob("*.zst"))
    assert list((project / "root").glob("*.br"))
