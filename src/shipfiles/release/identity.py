"""What a release is called: strategies that tell the id of the release that this program belongs to.

Each is a callable without arguments that returns a string; so is one of your own. ``OPTIONS["release_id_strategy"]``
is one or the dotted path of one::

    shipfiles.release.identity.content_digest   the default: the id is made from the files
    shipfiles.release.identity.git_commit       the commit that is checked out
    shipfiles.release.identity.environment      an environment variable that the platform sets
    shipfiles.release.identity.baked_file       a file in the image: REVISION or release.txt in BASE_DIR
    shipfiles.release.identity.timestamp        when it is published

A web process asks too, so that it serves the release that was made from its own code. It imports this module, which
therefore imports nothing of publishing.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module

from ..errors import ReleaseIdError, did_you_mean, nearest_names
from ..records import check_release_id

Strategy = Callable[[], str]

# In this order; the first that is set and not empty counts. Of the platforms' names those that are the same when
# collectstatic runs and when the process starts come first.
NAMES = (
    # Yours: what a Dockerfile, an ECS task definition or a Kubernetes manifest sets. ECS itself sets addresses to ask,
    # no name of what runs (docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-environment-variables.html), and
    # Kubernetes sets what the manifest says, for one from the label app.kubernetes.io/version
    # (kubernetes.io/docs/concepts/workloads/pods/downward-api).
    "RELEASE_ID",
    # Heroku, with runtime-dyno-build-metadata or runtime-dyno-metadata; the second is deprecated and was seen to be
    # out of date (devcenter.heroku.com/articles/dyno-metadata). While it builds there is only SOURCE_VERSION
    # (devcenter.heroku.com/articles/buildpack-api).
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "SOURCE_VERSION",
    # Render, while it builds and when it runs (render.com/docs/environment-variables).
    "RENDER_GIT_COMMIT",
    # Railway, while it builds and when it runs, if a push to GitHub began it (docs.railway.com/reference/variables).
    # Not RAILWAY_DEPLOYMENT_ID: an image that was built once may be deployed twice, as after a rollback
    # (docs.railway.com/deployments/deployment-actions).
    "RAILWAY_GIT_COMMIT_SHA",
    # Kamal, in the containers that it starts, not while it builds (github.com/basecamp/kamal,
    # lib/kamal/commands/app.rb).
    "KAMAL_VERSION",
    # Fly, in its machines, not while it builds (fly.io/docs/machines/runtime-environment). Not FLY_MACHINE_VERSION,
    # which is each machine's own and changes with its configuration.
    "FLY_IMAGE_REF",
    # GitHub Actions (docs.github.com/en/actions/reference/workflows-and-actions/variables).
    "GITHUB_SHA",
    # GitLab CI/CD (docs.gitlab.com/ci/variables/predefined_variables).
    "CI_COMMIT_SHA",
)
"""The environment variables that `environment` looks for."""

FILES = ("REVISION", "release.txt")
"""The files that `baked_file` looks for."""

# An image that "fly deploy" has built: registry.fly.io/my-app:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH.
_FLY_DEPLOYMENT = re.compile(r"[^@]+:(deployment-[0-9A-Za-z]{26})(?:@sha256:[0-9a-f]{64})?")
_LONGEST_FILE = 1000
_SECONDS = 30
# What a hook of git's own sets: it names another repository than the folder's.
_OTHER_REPOSITORY = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE",
)  # fmt: skip
_OTHERWISE = "Or tell the id in another way: release_id, or another release_id_strategy"


def content_digest() -> str:
    """Nothing: the id is made from the manifest, so that the same files have the same id."""
    return ""


def timestamp() -> str:
    """When it is asked for, in UTC: ``20261121T120459Z``. In the order of time when sorted by name.

    Each run of collectstatic makes a release, whether anything has changed or not.
    """
    return datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%SZ")


def git_commit(folder: str | os.PathLike[str] | None = None) -> str:
    """The commit that is checked out, in full. ``folder`` lies in the repository; default: ``BASE_DIR``, else the
    current folder.

    Changes that are not committed change nothing about it: if they change files, `ReleaseTaken` says that the id
    belongs to others. Raises `ReleaseIdError`.
    """
    place = os.path.abspath(folder or os.getcwd())
    environment_ = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    environment_["LC_ALL"] = "C"  # its messages are read below
    command = ["git", "-C", place, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"]
    try:
        run = subprocess.run(  # noqa: S603 - our own words, and a folder that the settings name
            command, capture_output=True, env=environment_, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError:
        raise _untold("git_commit", "git is not installed here. Install it") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _untold("git_commit", f"git cannot be run: {error}. Correct that") from None
    commit, said = run.stdout.decode("ascii", "replace").strip(), run.stderr.decode("utf-8", "replace").strip()
    if run.returncode == 0 and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        return commit
    if "dubious ownership" in said or "is owned by someone else" in said:
        named = re.search(r"safe\.directory (\S.*)", said)
        trust = f"'git config --global --add safe.directory {named[1] if named else place}' as the user of this process"
        raise _untold("git_commit", f"git refuses the repository of {place}, which another user owns. Run {trust}")
    if "not a git repository" in said:
        what = f"{place} is in no git repository; an image often has none. Run where there is one"
        raise _untold("git_commit", what)
    if not said:
        raise _untold("git_commit", f"in the repository of {place} HEAD is no commit: none was made yet. Make one")
    raise _untold("git_commit", f"git says: {' '.join(said.split())}. Correct that")


def is_git_commit(strategy: str | Strategy | None) -> bool:
    """Whether ``strategy`` is `git_commit` or its dotted path."""
    return strategy is not None and load_strategy(strategy) is git_commit


def uncommitted(folder: str) -> frozenset[str]:
    """The real paths of files in the repository of ``folder`` that are not as in the commit; new folders end with a
    slash. Empty if git does not tell.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    # Porcelain v1 with -z: two letters, a space, the path, NUL; of what was renamed the old path follows.
    status = _git(folder, "status", "--porcelain", "-z", "--no-renames") if top else b""
    root = os.path.realpath(os.fsdecode(top.rstrip(b"\n")))
    return frozenset(f"{root}/{os.fsdecode(entry[3:])}" for entry in status.split(b"\0") if entry[3:])


def _git(folder: str, *arguments: str) -> bytes:
    """What git says; nothing if it fails."""
    # Without locks, for what only looks.
    environment_ = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    environment_["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        run = subprocess.run(  # noqa: S603 - our own words, and a folder that the settings name
            ["git", "-C", folder, *arguments],  # noqa: S607 - whichever git people have
            capture_output=True, env=environment_, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return run.stdout if run.returncode == 0 else b""


def environment(variables: Mapping[str, str] | None = None) -> str:
    """The value of the first of the variables `NAMES` that is set.

    Of FLY_IMAGE_REF, an image's reference with slashes, the tag that ``fly deploy`` gives each image:
    ``deployment-01H9RK9EYO9PGNBYAKGXSHV0PH``. Of all others the value as it is. ``variables`` are those of this process
    by default. Raises `ReleaseIdError`.
    """
    variables = os.environ if variables is None else variables
    for name in NAMES:
        value = variables.get(name, "").strip()
        if not value:
            continue
        if name == "FLY_IMAGE_REF":
            built = _FLY_DEPLOYMENT.fullmatch(value)
            if built is None:
                raise ReleaseIdError(f"The environment variable {name}", value, _NO_FLY_DEPLOYMENT)
            value = built[1]
        return check_release_id(value, f"The environment variable {name}")
    raise _untold("environment", f"none of {', '.join(NAMES)} is set. Set RELEASE_ID")


_NO_FLY_DEPLOYMENT = (
    "expected is what 'fly deploy' makes, like registry.fly.io/my-app:deployment-01H9RK9EYO9PGNBYAKGXSHV0PH, since "
    "only such a tag names one image for ever; set RELEASE_ID"
)


def baked_file(folder: str | os.PathLike[str] | None = None) -> str:
    """What stands in the first of the files `FILES` that ``folder`` has; default: ``BASE_DIR``, else the current one.

    White space around it does not count. Raises `ReleaseIdError`.
    """
    place = os.path.abspath(folder or os.getcwd())
    for name in FILES:
        path = os.path.join(place, name)
        try:
            with open(path, "rb") as file:
                text = file.read(_LONGEST_FILE).decode().strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _untold("baked_file", f"{path} cannot be read: {error}. Correct that") from None
        return check_release_id(text, path)
    write = f"Write one when the image is built ('git rev-parse HEAD > {FILES[0]}')"
    raise _untold("baked_file", f"{place} has no file {' or '.join(FILES)}. {write}")


_STRATEGIES: tuple[Callable[..., str], ...] = (content_digest, git_commit, environment, baked_file, timestamp)
_NEEDS_FOLDER: tuple[Callable[..., str], ...] = (git_commit, baked_file)
_ONLY_WHEN_PUBLISHING: tuple[Callable[..., str], ...] = (content_digest, timestamp)


def id_to_make(release_id: str | None, strategy: str | Strategy | None, home: str) -> str:
    """The id of the release that is to be made; empty if it is to be made from the contents.

    ``release_id`` wins over the ``strategy``; ``home`` is the folder of those that look at files. Raises
    `ReleaseIdError`.
    """
    # An empty one is a variable that was not set, as a rule: it must not silently mean another release.
    if release_id is not None:
        return check_release_id(release_id, "OPTIONS['release_id']")
    return _told_by(load_strategy(strategy), home) if strategy else ""


def id_of_process(release_id: str | None, strategy: str | Strategy | None, home: str) -> tuple[str, str]:
    """The id of the release that belongs to the code of this process, and who says so; both empty if nobody can.

    A strategy that says when or from what a release was made tells only those who make it. Raises `ReleaseIdError`.
    """
    if release_id is not None:
        return check_release_id(release_id, "OPTIONS['release_id']"), "release_id"
    told = load_strategy(strategy) if strategy else content_digest
    if told in _ONLY_WHEN_PUBLISHING:
        return "", ""
    return _told_by(told, home), f"release_id_strategy {_name_of(told)}"


def load_strategy(strategy: str | Strategy) -> Strategy:
    """The callable that the dotted path ``strategy`` names, or itself. Raises `ReleaseIdError`."""
    if not isinstance(strategy, str):
        return strategy
    where = f"OPTIONS['release_id_strategy'] {strategy!r}"
    module, _, name = strategy.rpartition(".")
    if not module:
        what = f"it is no dotted path{_meant(name)} Give the path of a function: package.module.function"
        raise ReleaseIdError(where, None, what)
    try:
        found: Strategy = getattr(import_module(module), name)
    except Exception as error:
        meant = _meant(name) if module == __name__ else "."
        what = f"it cannot be imported ({type(error).__name__}: {error}){meant} Give the dotted path of a function"
        raise ReleaseIdError(where, None, what) from error
    if not callable(found):
        raise ReleaseIdError(where, None, f"it is {found!r}, which cannot be called. Give the path of a function")
    return found


def _meant(name: str) -> str:
    """The end of a sentence on a strategy ``name`` that is not there: which of those here was meant, if any."""
    nearest = nearest_names(name, [strategy.__name__ for strategy in _STRATEGIES])
    return did_you_mean([f"{__name__}.{found}" for found in nearest]) or "."


def _told_by(strategy: Strategy, home: str) -> str:
    """What ``strategy`` tells, certain to be an id; empty for `content_digest`."""
    if strategy is content_digest:
        return ""
    where = f"OPTIONS['release_id_strategy'] {_name_of(strategy)}"
    call: Callable[..., str] = strategy
    try:
        told = call(home) if strategy in _NEEDS_FOLDER else call()
    except ReleaseIdError:
        raise
    except Exception as error:
        what = f"it raised {type(error).__name__}: {error}. Correct it, or set OPTIONS['release_id']"
        raise ReleaseIdError(where, None, what) from error
    if not isinstance(told, str):
        raise ReleaseIdError(where, None, f"it returned {told!r}, and it must return a str")
    return check_release_id(told, where)


def _name_of(strategy: Strategy) -> str:
    return f"{getattr(strategy, '__module__', '')}.{getattr(strategy, '__qualname__', repr(strategy))}".lstrip(".")


def _untold(strategy: str, what: str) -> ReleaseIdError:
    return ReleaseIdError(f"{__name__}.{strategy}", None, f"{what}. {_OTHERWISE}")
