"""``ship publish`` and ``ship plan``, and the other verbs where releases are in stores elsewhere."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.django import conf
from shipfiles.django.plans import estimate, estimate_text
from shipfiles.release.catalog import records_of
from shipfiles.release.difference import Difference
from shipfiles.release.items import Item
from shipfiles.release.send import Plan
from shipfiles.release.target import Target
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import read_all
from tests.bucket import Bucket, running

from .shipping import refused, ship
from .test_collectstatic import collect
from .test_publishing import LONG, SECRETS, SITE, Refusing, built, current, s3, to
from .test_ship_prune import age_in

CACHED = "max-age=31536000, public, immutable"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as found:
        yield found


@pytest.fixture
def two(project: Path, write, bucket: Bucket) -> Iterator[tuple[str, str]]:
    """Two releases in the folder, none of them sent; their ids."""
    with s3(bucket):
        write(SITE)
        collect("--build-only")
        first = built()
        write({"a.txt": LONG * 2})
        collect("--build-only")
        yield first, built()


def as_json(*arguments: str) -> dict[str, Any]:
    return json.loads(ship(*arguments, "--json")[0])


def live(where: str = "") -> str:
    return as_json("releases", *(["--store", where] if where else []))["current"]


def test_the_current_release_or_another(two: tuple[str, str], bucket: Bucket) -> None:
    first, second = two
    out, err = ship("publish", "current~1")
    assert err == ""
    assert out.splitlines()[0] == f"Sending the release {first} to s3://bucket/static"
    assert out.splitlines()[-1].startswith(f"s3://bucket/static: {first} is live; 6 sent (")
    assert live() == first
    out, _ = ship("publish")
    assert f"{second} is live instead of {first}; 2 sent (" in out
    assert f"{second} is live already; nothing sent, 6 kept" in ship("publish", second[:6])[0]
    text = refused("publish", "nothing")
    assert text.startswith(
        f"There is no release 'nothing' in {staticfiles_storage.location}. 'manage.py ship releases "
    )
    command = re.fullmatch(r".* 'manage\.py ship (releases --store \S+)' lists those that are there\.", text)
    assert command is not None, text
    # Not those in the bucket, which has one of the two.
    assert {one["release"] for one in as_json(*command[1].split())["releases"]} == {first, second}


def test_nothing_but_the_folder_is_needed(two: tuple[str, str], project: Path) -> None:
    """As in an image that has neither the sources nor a cache."""
    shutil.rmtree(project / "src")
    shutil.rmtree(project / ".cache")
    with override_settings(STATICFILES_DIRS=[], STATICFILES_FINDERS=[]):
        ship("publish")
        assert live() == two[1]
        shutil.rmtree(project / "root")
        none = f"There is no release in {project / 'root'} yet. Run 'manage.py collectstatic --build-only'."
        assert (refused("publish"), refused("plan")) == (none, none)


def test_prune_before_anything_was_sent(two: tuple[str, str]) -> None:
    said = "There is no current release in s3://bucket/static, so nothing was deleted."
    assert refused("prune").startswith(said)


def test_named_stores(two: tuple[str, str], project: Path, bucket: Bucket) -> None:
    folder = project / "elsewhere"
    facts = as_json("publish", "--to", f"file://{folder}", "--to", "s3://bucket/other/")
    assert [(one["target"], one["live"]) for one in facts["targets"]] == [
        (str(folder), two[1]), ("s3://bucket/other", two[1])
    ]  # fmt: skip
    # The bucket is that of the options, so their keys and endpoint are used.
    assert "other/a.txt" in bucket.objects
    assert not any(key.startswith("static/") for key in bucket.objects)
    assert live("s3://bucket/other") == live(str(folder)) == two[1]
    where = f"--to {project / 'root'}: releases are built in that folder, and there already."
    assert refused("publish", "--to", str(project / "root")) == where
    assert "there is no store for ftp:// yet" in refused("publish", "--to", "ftp://x/y")
    with to():
        assert as_json("publish", "--to", "s3://bucket/third")["targets"][0]["ok"]


def test_options_of_a_store_in_the_list(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    way = {"endpoint_url": bucket.url, "access_key": SECRETS[0], "secret_key": SECRETS[1], "location": "a"}
    with to({"url": "s3://bucket", "hashed_only": True, **way}):
        config = staticfiles_storage.config
        (own,) = conf.targets(config)
        assert str(own) == "s3://bucket/a"
        for text in ("s3://bucket", "s3://bucket/a", "s3://bucket/b"):
            found = conf.target_named(config, text, "--to")
            assert found.shape == own.shape
            assert str(found) == text.replace("bucket", "bucket/a" if text == "s3://bucket" else "bucket")
            assert live_in(found) == ""
        assert not conf.target_named(config, "s3://bucket2/b", "--to").shape.hashed_only


def live_in(target: Target) -> str:
    return current(target.store)


def test_no_store_at_all(project: Path, write) -> None:
    write(SITE)
    collect()
    assert refused("publish").startswith("The options name no store to send releases to. Name one with --to, or ")


def test_failures_are_told_and_the_others_sent(project: Path, write) -> None:
    write(SITE)
    refusing, folder = Refusing(), project / "mirror"
    refusing.ending = (".txt",)
    with to(refusing, str(folder)):
        collect("--build-only")
        with pytest.raises(CommandError) as told:
            ship("publish")
        assert told.value.returncode == 1
        lines = str(told.value).splitlines()
        assert lines[0] == f"Sending the release {built()} failed in 1 of 2 stores."
        assert lines[-2] == "  No release is live there."
        assert lines[-1].startswith(f"The release is live in {folder}. ")
        assert live(str(folder)) == built()


class Cut(MemoryStore):
    """Where somebody presses Ctrl-C when the first image is sent."""

    def put(self, key: str, *arguments: Any, **options: Any) -> Any:
        if key.endswith(".png"):
            raise KeyboardInterrupt
        return super().put(key, *arguments, **options)

    def __str__(self) -> str:
        return "cut"


def test_ctrl_c(project: Path, write) -> None:
    write(SITE)
    folder = project / "mirror"
    with to(str(folder), Cut()):
        collect("--build-only")
        out = io.StringIO()
        with pytest.raises(CommandError) as told:
            call_command("ship", "publish", "--json", stdout=out)
        assert told.value.returncode == 130
        assert str(told.value) == (
            f"Interrupted while the release {built()} was sent to cut: what is live there is whole. "
            f"The release is live in {folder}. Run again to finish."
        )
        facts = json.loads(out.getvalue())
        assert facts["error"] == str(told.value)
        assert [one["target"] for one in facts["targets"]] == [str(folder)]


def test_plan(two: tuple[str, str], bucket: Bucket) -> None:
    out, err = ship("plan")
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "s3://bucket/static"
    assert lines[1] == f"Release: {two[1]}"
    facts = as_json("plan")["targets"][0]
    size = sum(item["size"] for item in facts["send"])
    assert facts["bytes"] == size
    assert lines[2].startswith("To send: 6 objects, ")
    assert lines[3].startswith("Largest: a.")
    assert lines[-1].startswith("Time: about ")
    assert set(bucket.methods) == {"GET"}
    assert facts["round_trip"] > 0
    bucket.asked.clear()
    ship("publish")
    assert len(bucket.asked) == facts["requests"]
    assert "There is nothing to do: " in ship("plan")[0]
    assert as_json("plan")["targets"][0]["nothing"] is True
    out, _ = ship("plan", "current~1", "--clear", "--verbosity", "2")
    assert f"Release: {two[0]}, instead of {two[1]}" in out
    assert "To delete: .shipfiles/releases/" in out


def test_a_plan_where_nobody_answers(two: tuple[str, str], bucket: Bucket) -> None:
    bucket.denied = {"s3:GetObject"}
    bucket.is_public = False
    with pytest.raises(CommandError) as told:
        ship("plan")
    assert str(told.value).startswith("s3://bucket/static: .shipfiles/current.json: access denied")


def test_what_a_plan_takes_for_granted() -> None:
    """100 objects of 64 at once are two rounds, and the 4 other requests one after the other, of 50 ms each."""
    items = tuple(Item(str(n), (), 10, "x", "x", "text/plain", "", hashed=True) for n in range(100))  # type: ignore[arg-type]
    target = Target(MemoryStore())
    small = Plan("t", "r", "", Difference(items), {}, 104, nothing=False, round_trip=0.05)
    assert estimate(target, small) == pytest.approx(6 * 0.05)
    assert estimate_text(target, small).startswith("about 0.30 s: 64 requests at once of 50 ms, ")
    # At 10 MB/s, 100 MB take longer than that.
    big = Item("big", (), 100_000_000, "x", "x", "text/plain", "", hashed=True)  # type: ignore[arg-type]
    large = Plan("t", "r", "", Difference((big,)), {}, 5, nothing=False, round_trip=0.05)
    assert estimate(target, large) == pytest.approx(10 + 4 * 0.05)


def test_a_file_that_is_damaged_here(two: tuple[str, str], project: Path) -> None:
    """As in an image: to run again finds the same."""
    (hashed,) = (path for path in (project / "root").glob("a.*.txt") if path.stat().st_size == len(LONG * 2))
    body = hashed.read_bytes()
    hashed.chmod(0o644)
    hashed.write_bytes(b"?" + body[1:])
    with pytest.raises(CommandError) as told:
        ship("publish")
    text = str(told.value)
    assert "changed while it was read" not in text
    assert f"{hashed.name}: the file in {project / 'root'} is damaged" in text
    (advice,) = re.findall(r"'manage\.py ship (verify [^']+)'", text)
    ship(*advice.split())
    assert hashed.read_bytes() == body
    ship("publish")
    assert live() == two[1]


def test_what_a_prune_leaves_in_a_bucket(two: tuple[str, str], write) -> None:
    """To change the owner is nothing that one can do there."""
    write({"a.txt": LONG * 3})
    collect("--build-only")
    (target,) = conf.targets(staticfiles_storage.config)
    for release in (*two, built()):
        ship("publish", release)
        age_in(target.store, 20)
    out, _ = ship("prune", "--keep", "1", "--dry-run")
    assert re.search(r"\nLeft for the next time: \d files? put there less than 1h ago, maybe by another run\n", out)


def test_header_fields_alone(two: tuple[str, str], bucket: Bucket) -> None:
    ship("publish")
    bodies = {key: body for key, (body, _) in bucket.objects.items()}
    assert bucket.objects["static/a.txt"][1]["cache-control"] == "max-age=60, public"
    with s3(bucket, serve={"max_age": 5}):
        out, _ = ship("publish", "--metadata")
        assert out.splitlines()[-1] == "s3://bucket/static: 6 objects of 1 release answered as the options say."
        assert "\nSet header fields: " in out
        assert "Send:" not in out
    assert bucket.objects["static/a.txt"][1]["cache-control"] == "max-age=5, public"
    assert [key for key, (body, _) in bucket.objects.items() if bodies[key] != body] in (
        [],
        ["static/.shipfiles/current.json"],
    )
    with pytest.raises(CommandError, match="--metadata sends nothing"):
        ship("publish", "current", "--metadata")
    with pytest.raises(CommandError, match="There is no current release in s3://bucket/none"):
        ship("publish", "--metadata", "--to", "s3://bucket/none")


def test_verbs_act_on_the_store_that_releases_are_used_from(
    two: tuple[str, str], bucket: Bucket, project: Path
) -> None:
    first, second = two
    for release in two:
        ship("publish", release)
    root = str(project / "root")
    assert live() == live(root) == second
    out, _ = ship("rollback")
    assert out == f"s3://bucket/static: Made {first} the current release instead of {second}. Changed or added: 1 file."
    assert (live(), live(root)) == (first, second)
    body, fields = bucket.objects["static/a.txt"]
    assert (body.decode(), fields["cache-control"]) == (SITE["a.txt"], "max-age=60, public")
    hashed = next(key for key in bucket.objects if key.startswith("static/a.") and key != "static/a.txt")
    assert bucket.objects[hashed][1]["cache-control"] == CACHED
    assert as_json("show", "current")["release"] == first
    assert [file["path"] for file in as_json("diff", second)["changed"]] == ["a.txt"]
    assert as_json("verify")["clean"] is True
    exported = project / "exported"
    assert as_json("export", "current", "--to", str(exported))["release"] == first
    assert live(str(exported)) == first
    assert [one["release"] for one in as_json("prune", "--keep", "1", "-n")["kept"]] == [first, second]
    assert as_json("activate", second)["stores"][0]["store"] == "s3://bucket/static"
    assert live() == second


def test_a_repair_takes_what_was_sent_from_where_it_was_built(
    two: tuple[str, str], bucket: Bucket, project: Path
) -> None:
    ship("publish")
    del bucket.objects["static/a.txt"], bucket.objects["static/x.png"]
    shutil.rmtree(project / "src")
    found = as_json("verify", "--repair")
    assert {fault["key"] for fault in found["faults"]} == {"a.txt", "x.png"}
    assert found["clean"] is True
    assert bucket.objects["static/a.txt"][0].decode() == LONG * 2
    assert bucket.objects["static/a.txt"][1]["cache-control"] == "max-age=60, public"


def test_a_rollback_in_all_stores(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    mirror, late = Refusing(), MemoryStore()
    with s3(bucket), to(mirror):
        collect()
        first = built()
    with s3(bucket), to(mirror, late):
        write({"a.txt": LONG * 2})
        collect()
        second = built()
        with pytest.raises(CommandError) as told:
            ship("rollback")
        text = str(told.value)
        assert text.startswith(f"The release {first} was made current in s3://bucket/static, refusing, and not every")
        assert f"There is no release '{first}' in " in text
        assert (live(), current(mirror), current(late)) == (first, first, second)
        assert read_all(mirror, "a.txt") == LONG.encode()
        facts = as_json("activate", second)
        assert [one["release"] for one in facts["stores"]] == [second] * 3
        ship("rollback", "--store", "s3://bucket/static")
        assert (live(), current(mirror)) == (first, second)


def test_where_pages_use_the_folder_a_rollback_is_there_unless_it_is_wanted_everywhere(project: Path, write) -> None:
    write(SITE)
    mirror = MemoryStore()
    with to(mirror):
        collect()
        first = built()
        write({"a.txt": LONG * 2})
        collect()
        second = built()
        assert ship("rollback")[0].startswith(f"Made {first} the current release")
        assert (built(), current(mirror)) == (first, second)
        ship("rollback")
        ship("rollback", "--everywhere")
        assert (built(), current(mirror)) == (first, first)


def test_a_prune_in_a_store(project: Path, write) -> None:
    """Of what was sent, and not what others have put there."""
    write(SITE)
    folder = project / "mirror"
    with to(str(folder), retain={"keep": 1, "younger_than": "0s"}):
        collect()
        store = LocalStore(str(folder))
        store.put("theirs.txt", b"")
        assert as_json("prune", "--store", str(folder), "--noinput")["dropped"] == []
        assert list(records_of(store)) == [built()]
        assert read_all(store, "theirs.txt") == b""
