"""What the provided strategies tell, and what they say where they cannot."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shipfiles.errors import ReleaseError, ReleaseIdError
from shipfiles.records import check_release_id
from shipfiles.release import identity
from shipfiles.release.identity import (
    NAMES,
    baked_file,
    content_digest,
    environment,
    git_commit,
    id_of_process,
    id_to_make,
    timestamp,
)


def git(folder: Path, *arguments: str, **more: str) -> str:
    who = {f"GIT_{role}_{what}": "x@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    run = subprocess.run(
        ["git", "-C", str(folder), *arguments], env={**os.environ, **who, **more}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit; nothing of this machine's configuration counts."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    commit(folder, "first")
    return folder


def commit(folder: Path, text: str) -> str:
    (folder / "a.txt").write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", text)
    return git(folder, "rev-parse", "HEAD")


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ReleaseIdError) as caught:
        call()
    assert isinstance(caught.value, ReleaseError)
    return str(caught.value)


# git -----------------------------------------------------------------------------------------------------------------


def test_git_commit_is_the_whole_commit_from_any_folder(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = git(repository, "rev-parse", "HEAD")
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert git_commit(repository) == git_commit(str(below)) == head
    monkeypatch.chdir(below)
    assert git_commit() == head
    assert check_release_id(head, "") == head


def test_git_commit_of_a_tree_with_changes_is_the_commit(repository: Path) -> None:
    head = git_commit(repository)
    (repository / "a.txt").write_text("changed")
    (repository / "new.txt").write_text("new")
    assert git_commit(repository) == head


def test_git_commit_detached_shallow_and_in_a_worktree(repository: Path, tmp_path: Path) -> None:
    first = git_commit(repository)
    second = commit(repository, "second")
    git(repository, "checkout", "-q", "--detach", first)
    assert git_commit(repository) == first
    git(repository, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"), second)
    assert git_commit(tmp_path / "tree") == second
    git(tmp_path, "clone", "-q", "--depth", "1", (tmp_path / "tree").as_uri(), "shallow")
    assert git(tmp_path / "shallow", "rev-parse", "--is-shallow-repository") == "true"
    assert git_commit(tmp_path / "shallow") == second


def test_git_commit_in_a_hook_is_that_of_the_folder(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """githooks(5): git sets GIT_DIR for its hooks, and a deployment may run in one."""
    head = git_commit(repository)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    assert commit(other, "other") != head
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert git_commit(repository) == head


def test_git_commit_of_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(tmp_path, "init", "-q", "--object-format=sha256")
    head = commit(tmp_path, "x")
    assert len(head) == 64
    assert git_commit(tmp_path) == head


def test_git_commit_without_commit_repository_or_git(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "unborn")
    assert "HEAD is no commit: none was made yet. Make one" in refused(lambda: git_commit(tmp_path / "unborn"))
    alone = tmp_path / "alone"
    alone.mkdir()
    said = refused(lambda: git_commit(alone))
    assert f"{alone} is in no git repository" in said
    assert "release_id_strategy" in said
    assert "git says" in refused(lambda: git_commit(tmp_path / "nowhere"))
    (repository / ".git/HEAD").write_text("broken")
    refused(lambda: git_commit(repository))
    monkeypatch.setenv("PATH", str(alone))
    assert "git is not installed here" in refused(lambda: git_commit(repository))
    (alone / "git").write_text("no program")
    (alone / "git").chmod(0o755)
    assert "cannot be run" in refused(lambda: git_commit(repository))


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="takes root to give files away")
def test_git_commit_of_a_repository_of_another_user(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, _, files in os.walk(repository):
        os.chown(place, 12345, 12345)
        for name in files:
            os.chown(os.path.join(place, name), 12345, 12345)
    monkeypatch.setenv("HOME", str(repository.parent))
    monkeypatch.delenv("SUDO_UID", raising=False)
    (repository / "sub").mkdir()
    said = refused(lambda: git_commit(repository / "sub"))
    assert "which another user owns" in said
    assert f"'git config --global --add safe.directory {repository}'" in said
    # And that command helps.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(repository.parent / "config"))
    git(repository.parent, "config", "--global", "--add", "safe.directory", str(repository))
    assert re.fullmatch("[0-9a-f]{40}", git_commit(repository / "sub"))


# The environment -----------------------------------------------------------------------------------------------------

SHA = "2c3a0b24069af49b3de35b8e8c26765c1dba9ff0"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "FLY_IMAGE_REF"])
def test_each_name_is_looked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in NAMES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, f" {SHA}\n")
    assert environment() == SHA


def test_the_first_name_that_is_set_counts_and_an_empty_one_is_not_set() -> None:
    assert environment({"GITHUB_SHA": "a", "RELEASE_ID": "mine"}) == "mine"
    assert environment({"RELEASE_ID": "", "RENDER_GIT_COMMIT": " ", "GITHUB_SHA": "a"}) == "a"
    # github.com/rust-lang/crates.io/pull/12323: the second of Heroku's is deprecated.
    assert environment({"HEROKU_SLUG_COMMIT": "old", "HEROKU_BUILD_COMMIT": "new"}) == "new"


def test_kamals_name_for_changes_that_are_not_committed_is_an_id() -> None:
    assert environment({"KAMAL_VERSION": f"{SHA}_uncommitted_0123456789abcdef"}).endswith(
        "_uncommitted_0123456789abcdef"
    )


def test_of_a_fly_image_the_deployment_counts() -> None:
    """fly.io/docs/machines/runtime-environment gives the example."""
    tag = "deployment-01H9RK9EYO9PGNBYAKGXSHV0PH"
    assert environment({"FLY_IMAGE_REF": f"registry.fly.io/my-app-name:{tag}"}) == tag
    assert environment({"FLY_IMAGE_REF": f"registry.fly.io/my-app-name:{tag}@sha256:{'a' * 64}"}) == tag


@pytest.mark.parametrize("image", ["registry.fly.io/app:latest", "registry.fly.io/app", "nginx", f"a@sha256:{'a' * 64}",
                                   "registry.fly.io/app:deployment-1"])  # fmt: skip
def test_an_image_whose_name_may_mean_another_tomorrow_is_refused(image: str) -> None:
    said = refused(lambda: environment({"FLY_IMAGE_REF": image}))
    assert "FLY_IMAGE_REF" in said
    assert "registry.fly.io/my-app:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH" in said
    assert "set RELEASE_ID" in said


def test_the_word_for_the_current_release_is_no_id() -> None:
    for word in ("current", "CURRENT", "current.1"):
        assert "'current' stands for the current release in 'manage.py ship'" in refused(
            functools.partial(environment, {"RELEASE_ID": word})
        )


def test_what_cannot_be_an_id_names_the_variable() -> None:
    said = refused(lambda: environment({"RELEASE_ID": "registry.example.org/app:1"}))
    assert "The environment variable RELEASE_ID: 'registry.example.org/app:1'" in said


def test_none_set_lists_what_was_looked_for() -> None:
    said = refused(lambda: environment({"PATH": "/bin"}))
    assert all(name in said for name in NAMES)
    assert "Set RELEASE_ID" in said


# A file, the time, the contents --------------------------------------------------------------------------------------


def test_baked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(lambda: baked_file(tmp_path))
    assert str(tmp_path) in said
    assert "REVISION or release.txt" in said
    (tmp_path / "release.txt").write_text("v2\n")
    assert baked_file(tmp_path) == "v2"
    (tmp_path / "REVISION").write_text(f"{SHA}\r\n")
    assert baked_file(tmp_path) == SHA
    monkeypatch.chdir(tmp_path)
    assert baked_file() == SHA


@pytest.mark.parametrize("body", [b"", b"\n", b"\xff\xfe", b"two words", b"../x", b"a" * 5000])
def test_a_baked_file_with_no_id_in_it(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "REVISION").write_bytes(body)
    assert str(tmp_path / "REVISION") in refused(lambda: baked_file(tmp_path))


def test_a_folder_instead_of_a_baked_file(tmp_path: Path) -> None:
    (tmp_path / "REVISION").mkdir()
    assert "cannot be read" in refused(lambda: baked_file(tmp_path))


def test_timestamp_is_utc_sortable_and_an_id() -> None:
    before = datetime.now(tz=UTC).replace(microsecond=0)
    told = timestamp()
    assert check_release_id(told, "") == told
    moment = datetime.strptime(told, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert before <= moment <= before + timedelta(minutes=5)


def test_the_provided_are_callables_without_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "REVISION").write_text("r1")
    monkeypatch.setenv("RELEASE_ID", "r2")
    assert (baked_file(), environment(), content_digest()) == ("r1", "r2", "")


# Which of them is asked ----------------------------------------------------------------------------------------------


def named() -> str:
    return "by-strategy"


def test_release_id_wins(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert id_to_make("given", named, home) == "given"
    assert id_to_make(None, named, home) == id_to_make(None, f"{__name__}.named", home) == "by-strategy"
    assert id_to_make(None, None, home) == id_to_make(None, content_digest, home) == ""
    assert id_of_process("given", named, home) == ("given", "release_id")
    assert id_of_process(None, f"{__name__}.named", home) == ("by-strategy", f"release_id_strategy {__name__}.named")


@pytest.mark.parametrize("ask", [id_to_make, id_of_process])
def test_an_empty_release_id_is_not_silently_another(ask: Callable[..., object], tmp_path: Path) -> None:
    """As from ``os.environ.get("COMMIT", "")`` where nobody has set it."""
    assert "OPTIONS['release_id']: '' cannot be the id of a release: it is empty" in refused(
        lambda: str(ask("", named, str(tmp_path)))
    )


def test_provided_strategies_look_into_the_home(tmp_path: Path) -> None:
    (tmp_path / "REVISION").write_text("baked")
    path = "shipfiles.release.identity.baked_file"
    assert id_to_make(None, path, str(tmp_path)) == id_to_make(None, baked_file, str(tmp_path)) == "baked"
    assert id_of_process(None, path, str(tmp_path)) == ("baked", f"release_id_strategy {path}")


@pytest.mark.parametrize("strategy", [content_digest, timestamp, "shipfiles.release.identity.timestamp", None, ""])
def test_what_only_publishing_knows_is_not_of_a_process(strategy: object, tmp_path: Path) -> None:
    assert id_of_process(None, strategy, str(tmp_path)) == ("", "")


def raising() -> str:
    raise KeyError("COMMIT")


def returning_nothing() -> str:
    return None


def returning_bytes() -> str:
    return b"abc"


def returning_a_line() -> str:
    return "abc\n"


def returning_empty() -> str:
    return ""


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (raising, "raised KeyError: 'COMMIT'"),
        (returning_nothing, "returned None, and it must return a str"),
        (returning_bytes, "returned b'abc', and it must return a str"),
        (returning_a_line, r"'abc\n' cannot be the id"),
        (returning_empty, "it is empty"),
    ],
)
def test_a_strategy_that_tells_no_id(strategy: Callable[[], str], text: str, tmp_path: Path) -> None:
    for given in (strategy, f"{__name__}.{strategy.__name__}"):
        for ask in (id_to_make, id_of_process):
            said = refused(lambda given=given, ask=ask: ask(None, given, str(tmp_path)))
            assert said.startswith("OPTIONS['release_id_strategy'] ")
            assert f"{__name__}.{strategy.__name__}" in said
            assert text in said


@pytest.mark.parametrize("path", ["nowhere", "no.such.module", "shipfiles.release.identity.nobody", ".", "a."])
def test_a_path_that_leads_nowhere(path: str, tmp_path: Path) -> None:
    said = refused(lambda: id_to_make(None, path, str(tmp_path)))
    assert f"OPTIONS['release_id_strategy'] {path!r}" in said


def test_a_path_to_what_cannot_be_called(tmp_path: Path) -> None:
    assert "cannot be called" in refused(lambda: id_to_make(None, "shipfiles.release.identity.NAMES", str(tmp_path)))
    assert identity.FILES == ("REVISION", "release.txt")


def test_an_id_that_is_none(tmp_path: Path) -> None:
    assert "OPTIONS['release_id']: 'a/b'" in refused(lambda: id_to_make("a/b", None, str(tmp_path)))
