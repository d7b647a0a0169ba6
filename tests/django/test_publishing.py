"""``collectstatic`` with stores elsewhere: builds, sends to all of them, and says truly what is live where."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.django.conf import targets
from shipfiles.django.progress import PlainProgress, Retries
from shipfiles.django.sending import Sending
from shipfiles.errors import NoAnswer, StoreError
from shipfiles.events import PhaseEnded, PhaseStarted, Progress, Retried
from shipfiles.records import POINTER_KEY
from shipfiles.release.catalog import pointer_of, records_of
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all
from tests.bucket import Answer, Asked, Bucket, refused, running

from .test_collectstatic import collect, tree
from .test_ship_prune import age, plan_defaults, with_options

LONG = "p { color: red }\n" * 40
SITE: dict[str, str | bytes] = {"app.css": "b { background: url(x.png) }\n" + LONG, "x.png": b"\x89PNG", "a.txt": LONG}
SECRETS = ("id-of-the-key", "the-secret")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as found:
        yield found


def s3(bucket: Bucket, **options: Any) -> override_settings:
    given = {
        "bucket_name": "bucket", "location": "static", "endpoint_url": bucket.url, "access_key": SECRETS[0],
        "secret_key": SECRETS[1], **options,
    }  # fmt: skip
    backend = "shipfiles.django.storage.S3StaticStorage"
    return override_settings(STORAGES={**settings.STORAGES, "staticfiles": {"BACKEND": backend, "OPTIONS": given}})


def to(*stores: object, **options: Any) -> override_settings:
    return with_options(publish={"to": list(stores)}, **options)


def failing(*arguments: str) -> tuple[str, str]:
    """The output of a run that must fail, and its error."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as told:
        call_command("collectstatic", "--noinput", *arguments, stdout=out, stderr=err)
    assert told.value.returncode == 1
    assert not any(secret in text for secret in SECRETS for text in (out.getvalue(), err.getvalue(), str(told.value)))
    return out.getvalue(), str(told.value)


def current(store: Store) -> str:
    pointer = pointer_of(store)
    return pointer.release if pointer else ""


def built() -> str:
    """The release that was built last."""
    return current(staticfiles_storage.store)


class Refusing(MemoryStore):
    """Takes no objects whose keys end so."""

    ending: tuple[str, ...] = ()

    def put(self, key: str, *arguments: Any, **options: Any) -> Any:
        if self.ending and key.endswith(self.ending):
            raise StoreError(key, "access denied")
        return super().put(key, *arguments, **options)

    def __str__(self) -> str:
        return "refusing"


def test_built_and_sent(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        out, err = collect()
        release = built()
        # 3 files, of which one is rewritten, each under two names.
        line = f"s3://bucket/static: {release} is live; 6 sent ("
        assert out.splitlines()[-2] == "3 static files copied, 3 post-processed."
        assert out.splitlines()[-1].startswith(line)
        assert err == ""
        sent = len(bucket.asked)
        assert sent <= 2 * 3 + 4
        assert out.splitlines()[-1].endswith(f" s, {sent} requests.")
        again, _ = collect()
        assert f"s3://bucket/static: {release} is live already; nothing sent, 6 kept, in " in again
        assert again.splitlines()[-1].endswith(" s, 1 request.")
        assert len(bucket.asked) == sent + 1  # the pointer, which names a manifest that is kept here
    hashed = [key for key in bucket.objects if key.startswith("static/app.") and key != "static/app.css"]
    assert len(hashed) == 1
    assert bucket.objects[hashed[0]][1]["cache-control"] == "max-age=31536000, public, immutable"
    assert bucket.objects["static/app.css"][0].decode() == SITE["app.css"]
    assert os.listdir(project / ".cache/shipfiles/sent")


def test_no_cache_keeps_no_manifests(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket, cache={"enabled": False}):
        collect()
        collect()
    assert not (project / ".cache").exists()


def test_build_only_asks_nothing(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        out, _ = collect("--build-only")
        assert built()
    assert out.splitlines()[-1] == "3 static files copied, 3 post-processed."
    assert bucket.asked == []


def test_without_static_root_it_is_built_in_the_cache_which_does_not_grow(
    project: Path, write, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A test cannot set the time at which a file was put.
    monkeypatch.setattr("shipfiles.release.prune.GRACE", timedelta(0))
    monkeypatch.setattr(plan_defaults(), "__kwdefaults__", {**plan_defaults().__kwdefaults__, "grace": timedelta(-1)})
    (project / ".cache/shipfiles/static").mkdir(parents=True)
    (project / "root").symlink_to(project / ".cache/shipfiles/static")  # where `age` looks
    store = LocalStore(str(project / ".cache/shipfiles/static"))
    releases = []
    with s3(bucket, retain={"keep": 1, "younger_than": "0s"}), override_settings(STATIC_ROOT=None):
        for number in range(5):
            write({"a.css": f"{LONG} /* {number} */"})
            collect()
            releases.append(built())
            if number == 2:
                age(project, 2)
        assert built() == current(store)
    # What was current less than a day ago may be on its way to a store.
    assert set(records_of(store)) == set(releases[2:])


def test_several_stores_of_which_one_fails(project: Path, write) -> None:
    write(SITE)
    refusing, folder = Refusing(), project / "mirror"
    with to(refusing, str(folder)):
        collect()
        before = built()
        write({"b.css": LONG, "c.css": LONG * 2})
        refusing.ending = (".css",)
        out, error = failing()
        release = built()
        assert current(refusing) == before != release == current(LocalStore(str(folder)))
        assert f"refusing: failed; {before} is live there, as before." in out
        assert f"{folder}: {release} is live instead of {before}; " in out
        lines = error.splitlines()
        assert lines[0] == f"Sending the release {release} failed in 1 of 2 stores."
        assert lines[1] == "refusing:"
        assert [line.split(".")[0] for line in lines[2:4]] == ["  b", "  c"]
        assert all(line.endswith(".css: access denied") for line in lines[2:4])
        assert lines[4] == f"  {before} is live there, as before."
        assert lines[5].startswith(f"The release is live in {folder}. Correct that and run again")
        text, _ = failing("--json")
        facts = json.loads(text)
        assert facts["error"] == error
        assert facts["release"] == release
        one, other = facts["targets"]
        assert (one["target"], one["ok"], one["live"], len(one["failed"])) == ("refusing", False, before, 2)
        assert (other["target"], other["ok"], other["live"], other["error"]) == (str(folder), True, release, None)
        refusing.ending = ()
        collect()
        assert current(refusing) == release


def test_a_store_that_is_out_of_reach(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket, secret_key="the-secret"):
        bucket.fault = lambda asked, do: refused(403, "InvalidAccessKeyId")
        _, error = failing()
    assert error.splitlines()[0].startswith("Sending the release ")
    assert "\n  What was live there still is.\n" in error


class Lossy(MemoryStore):
    """Moves the pointer when told to, and the answer to that is lost."""

    is_lossy = is_dead = False

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        done = super().swap(key, expected, body)
        if self.is_lossy and b"unsettled" not in body:
            self.is_dead = self.dies
            raise NoAnswer(key, "no answer")
        return done

    def read(self, key: str) -> Iterator[bytes]:
        if self.is_dead:
            raise NoAnswer(key, "no answer")
        return super().read(key)

    def __init__(self, *, dies: bool) -> None:
        super().__init__()
        self.dies = dies

    def __str__(self) -> str:
        return "lossy"


@pytest.mark.parametrize("dies", [False, True])
def test_the_last_answer_is_lost(project: Path, write, dies: bool) -> None:
    """Nobody is told what is not so: it is asked what is live, and if that is not answered, nobody knows."""
    write(SITE)
    store = Lossy(dies=dies)
    with to(store):
        collect()
        write({"a.txt": LONG * 2})
        store.is_lossy = True
        _, error = failing()
        release = built()
        told = (
            f"{release} is live there all the same"
            if not dies
            else (f"Whether {release} is live there, or what was, cannot be told now")
        )
        assert f"\n  {told}.\n" in error
        store.is_lossy = store.is_dead = False
        assert current(store) == release
        out, _ = collect()
        assert f"lossy: {release} is live already; " in out


def test_the_key_is_revoked_in_the_middle(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        collect()
        before = built()
        write({"a.txt": LONG * 2, "b.css": LONG})
        bucket.fault = lambda asked, do: refused(403, "AccessDenied") if "/a." in asked.path else do()
        out, error = failing()
        assert f"s3://bucket/static: failed; {before} is live there, as before." in out
        assert "a." in error.splitlines()[1] + error.splitlines()[2]
        bucket.fault = None
        collect()
        assert json.loads(bucket.objects[f"static/{POINTER_KEY}"][0])["release"] == built() != before


def test_a_dry_run_says_what_would_be_sent(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        out, _ = collect("--dry-run")
        assert "s3://bucket/static: 6 objects (" in out
        assert not (project / "root").exists()
        assert bucket.methods == ["GET"]
        (plan,) = json.loads(collect("--dry-run", "--json")[0])["targets"]
        assert "a.txt" in [item["key"] for item in plan["send"]]
        would = plan["requests"]
        bucket.asked.clear()
        collect()
        assert len(bucket.asked) == would
        out, _ = collect("--dry-run")
        assert out.splitlines()[-1] == f"s3://bucket/static: {built()} is live already; there is nothing to send."


def test_clear_and_verify_reach_the_stores(project: Path, write) -> None:
    store = MemoryStore()
    write(SITE)
    with to(store):
        collect()
        old = built()
        write({"a.txt": LONG * 2})
        store.put("theirs.txt", b"")
        out, err = collect("--clear", "--dry-run")
        assert "deleted (" in out
        assert "--clear would do the same in " in err
        assert len(records_of(store)) == 1
        collect("--clear")
        assert read_all(store, "theirs.txt") == b""
        assert list(records_of(store)) == [built()] != [old]
        name = staticfiles_storage.stored_name("a.txt")
        store.delete([name])
        collect()
        assert store.head(name) is None
        collect("--verify")
        assert read_all(store, name) == (LONG * 2).encode()


def test_only_releases_are_sent(project: Path, write) -> None:
    write(SITE)
    store = MemoryStore()
    with to(store):
        _, error = failing("--no-post-process")
        assert error.startswith("--no-post-process makes no release, and only releases are sent to ")
        assert not (project / "root").exists()
        collect("--no-post-process", "--build-only")
    assert {key for key in tree(project / "root") if not key.startswith(".shipfiles/")} == set(SITE)


def test_links_are_sent_as_files(project: Path, write) -> None:
    write(SITE)
    store = MemoryStore()
    with to(store):
        collect("--link")
        assert (project / "root/a.txt").is_symlink()
        assert {name: read_all(store, name) for name in SITE} == {
            name: body if isinstance(body, bytes) else body.encode() for name, body in SITE.items()
        }


def test_a_prune_that_fails_undoes_nothing(project: Path, write) -> None:
    write(SITE)
    store = MemoryStore()
    with to(store, retain={"keep": 1, "younger_than": "0s", "on_collect": True}):
        out, _ = collect()
        assert "Pruned: 0 releases, 0 files, 0 bytes" in out.splitlines()[-1]
        store.put(f".shipfiles/releases/{'a' * 16}.json", b"{")
        write({"a.txt": LONG * 2})
        out, err = collect()
        assert current(store) == built()
        assert "Pruned: failed, see above." in out.splitlines()[-1]
        assert "but old ones could not be pruned" in err


def test_other_storages_have_no_such_option(project: Path) -> None:
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": backend}):
        _, error = failing("--build-only")
    assert error.startswith("--build-only needs STORAGES['staticfiles'] to be ")


def test_retries_are_told_once_and_counted(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    busy = iter([True, True, True])

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        busy_now = asked.method == "PUT" and asked.path.endswith((".txt", ".png", ".css")) and next(busy, False)
        return refused(503, "SlowDown") if busy_now else do()

    bucket.fault = fault
    with s3(bucket):
        out, _ = collect()
    assert out.count("Asked again, ") == 1
    assert f", {len(bucket.asked)} requests, 3 retries." in out.splitlines()[-1]


def test_ctrl_c_while_it_is_sent(project: Path, write, bucket: Bucket, tmp_path: Path) -> None:
    """One line, status 130, and what was live there still is."""
    write(SITE)
    with s3(bucket):
        collect()
        before = built()
    pointer = bucket.objects[f"static/{POINTER_KEY}"]
    (tmp_path / "src/a.txt").write_text(LONG * 2)
    program = tmp_path / "run.py"
    options = {
        "bucket_name": "bucket", "location": "static", "endpoint_url": bucket.url, "access_key": SECRETS[0],
        "secret_key": SECRETS[1],
    }  # fmt: skip
    program.write_text(f"""
from django.conf import settings
settings.configure(
    BASE_DIR={str(tmp_path)!r}, STATIC_ROOT={str(tmp_path / "root")!r}, STATICFILES_DIRS=[{str(tmp_path / "src")!r}],
    INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"], STATIC_URL="/static/",
    MIDDLEWARE={list(settings.MIDDLEWARE)!r},
    STORAGES={{"staticfiles": {{"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": {options!r}}}}},
)
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "collectstatic", "--noinput"])
""")
    child: list[subprocess.Popen[str]] = []

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        if asked.method == "PUT" and "/a." in asked.path:
            child[0].send_signal(signal.SIGINT)
            return refused(503, "SlowDown")
        return do()

    bucket.fault = fault
    child.append(
        subprocess.Popen(
            [sys.executable, str(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    )
    _, err = child[0].communicate(timeout=60)
    assert child[0].returncode == 130
    (line,) = err.splitlines()
    assert line.startswith("CommandError: Interrupted while the release ")
    assert line.endswith(" was sent to s3://bucket/static: what is live there is whole. Run again to finish.")
    assert bucket.objects[f"static/{POINTER_KEY}"] == pointer
    assert before in pointer[0].decode()


def test_djangos_own_command_sends_too(project: Path, write, caplog: pytest.LogCaptureFixture) -> None:
    """Without our application in INSTALLED_APPS it asks the storage to post-process, and tells what that says."""
    caplog.set_level(logging.INFO, "shipfiles")
    write(SITE)
    refusing = Refusing()
    with to(refusing):
        found = {name: (FileSystemStorage(project / "src"), name) for name in SITE}
        assert not [one for *_, one in staticfiles_storage.post_process(found) if isinstance(one, Exception)]
        before = built()
        assert current(refusing) == before
        assert f"refusing: {before} is live; 6 sent (" in caplog.text
        write({"a.txt": LONG * 2})
        refusing.ending = (".txt",)
        ((name, _, error),) = staticfiles_storage.post_process(found)
        assert name == "All"
        assert f"{before} is live there, as before." in str(error)


def djangos_own(*arguments: str) -> str:
    """What Django's own command prints, as it runs without our application in INSTALLED_APPS."""
    out = io.StringIO()
    call_command(DjangoCommand(), "--noinput", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.parametrize("there", ["newer", "older", "none"])
@pytest.mark.parametrize("arguments", [(), ("--clear",), ("--dry-run",)], ids=["run", "clear", "dry-run"])
def test_djangos_own_command_in_front_of_a_bucket(
    project: Path, write, bucket: Bucket, there: str, arguments: tuple[str, ...]
) -> None:
    """It ends with an error, also where it finds all files there already: django-storages had put them there."""
    write(SITE)
    for name, body in SITE.items() if there != "none" else ():
        bucket.objects[f"static/{name}"] = body if isinstance(body, bytes) else body.encode(), {}
        bucket.times[f"static/{name}"] = datetime.now(UTC) + timedelta(days=1 if there == "newer" else -1)
    before = dict(bucket.objects)
    removes = (there, *arguments) in [("older",), ("older", "--clear"), ("newer", "--clear")]
    does = "removes" if removes else "writes"
    said = f"Only a release {does} files in s3://bucket/static: .* with 'shipfiles.django' in INSTALLED_APPS above"
    with s3(bucket), pytest.raises(CommandError, match=said):
        djangos_own(*arguments)
    assert bucket.objects == before
    assert not (project / "root").exists()


def test_a_log_gets_a_line_now_and_then() -> None:
    lines: list[str] = []
    now = [0.0]
    progress, retries = PlainProgress(lines.append, lambda: now[0]), Retries(lambda: now[0])
    progress(PhaseStarted("send", 1000, 10_000_000))
    for second in range(1, 26):
        now[0] = float(second)
        progress(Progress("send", 10, 100_000))
    progress(PhaseEnded("send", 25.0))
    assert lines == [
        "Send: 100 of 1,000 files, 1.0 MB of 10.0 MB, 100.0 kB/s",
        "Send: 200 of 1,000 files, 2.0 MB of 10.0 MB, 100.0 kB/s",
        "Send: 250 files, 2.5 MB, 25 s, 100.0 kB/s",
    ]
    told = []
    for second in range(25):
        now[0] = float(second)
        told.append(retries(Retried("a.css", "no answer", 0.1, 32)))
    assert [text for text in told if text] == [
        "Asked again, a.css: no answer; 32 at once from now on",
        "Asked again, 11 times so far, last a.css: no answer; 32 at once from now on",
        "Asked again, 21 times so far, last a.css: no answer; 32 at once from now on",
    ]


def test_a_store_that_does_not_answer_at_first(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        collect()
        write({"a.txt": LONG * 2})
        bucket.asked.clear()
        # It accepts the connection and says nothing, twice.
        bucket.fault = lambda asked, do: None if len(bucket.asked) <= 2 else do()
        out, _ = collect()
        assert f"Asking again for {POINTER_KEY}: " in out
        assert "2 retries" in out.splitlines()[-1]
        # Its version is known from the read: to change it needs no other.
        assert sum(asked.method == "GET" and POINTER_KEY in asked.path for asked in bucket.asked) == 3
        bucket.asked.clear()
        bucket.fault = lambda asked, do: None if len(bucket.asked) <= 1 else do()
        shown, told = io.StringIO(), io.StringIO()
        call_command("ship", "releases", stdout=shown, stderr=told)
        assert f"Asking again for {POINTER_KEY}: " in told.getvalue()
        assert built() in shown.getvalue()


def test_a_store_that_never_answers(project: Path, write, bucket: Bucket) -> None:
    write(SITE)
    with s3(bucket):
        collect()
        (target,) = targets(staticfiles_storage.config)
        bucket.fault = lambda asked, do: None
        bucket.asked.clear()
        sending = Sending(staticfiles_storage.store, built(), [replace(target, limit=0.3)], staticfiles_storage.config)
        sending.run(lambda target: nullcontext(lambda event: None))
        (outcome,) = sending.failed
        assert "nothing has succeeded for" in str(outcome.error)
        # It is not asked what is live there: that would be as long in coming.
        assert len(bucket.asked) == outcome.retries + 1
        assert outcome.text.endswith("failed; what was live there still is.")
