"""The commands of publishing, as people run them one after the other, on real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError
from django.test import override_settings

from tests.django.shipping import ship
from tests.django.test_collectstatic import collect

from .test_remote_storages import FILES, storage

__all__ = ["storage"]  # the fixture

pytestmark = pytest.mark.services


def said(*arguments: str) -> dict[str, Any]:
    return json.loads(ship(*arguments, "--json")[0])


def test_from_the_first_deploy_to_the_rollback(project: Path, write, storage: tuple[Any, dict[str, Any]]) -> None:
    kind, options = storage
    static = {"BACKEND": f"{kind.__module__}.{kind.__qualname__}", "OPTIONS": options}
    answers = kind.__name__ != "SFTPStaticStorage"
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": static}):
        write(FILES)
        (plan,) = json.loads(collect("--dry-run", "--json")[0])["targets"]
        (first,) = json.loads(collect("--json")[0])["targets"]
        assert (first["ok"], first["sent"] + first["copied"]) == (True, len(plan["send"]) + len(plan["copy"]))
        (again,) = json.loads(collect("--json")[0])["targets"]
        assert (again["sent"], again["bytes_sent"], again["kept"]) == (0, 0, first["sent"] + first["copied"])

        # Built here, published later.
        write({"css/i.png": b"another image"})
        release = json.loads(collect("--build-only", "--json")[0])["release"]
        assert said("releases")["current"] == first["release"] != release
        (planned,) = said("plan")["targets"]
        assert {"css/i.png", "css/a.css"} >= {item["key"] for item in planned["send"]} & set(FILES)
        (sent,) = said("publish")["targets"]
        assert (sent["live"], sent["before"]) == (release, first["release"])
        assert said("plan")["targets"][0]["nothing"]
        assert said("verify")["clean"]

        # Back, and forth again.
        assert said("rollback")["release"] == first["release"]
        assert said("verify")["clean"]
        assert [one["path"] for one in said("diff", release)["changed"]] == ["css/a.css", "css/i.png"]
        assert said("activate", release)["release"] == release

        if answers:
            assert said("publish", "--metadata")["targets"][0]["missing"] == []
        else:
            with pytest.raises(CommandError, match="keeps no header fields"):
                ship("publish", "--metadata")
        assert said("prune", "--keep", "1", "--noinput")["dropped"] == []
        collect("--clear")
        assert [one["release"] for one in said("releases")["releases"]] == [release]
        assert said("verify")["clean"]
