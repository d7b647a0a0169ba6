"""What WhiteNoise's settings mean here, for a project that replaces its middleware and storage and nothing else.

Its documentation of version 6.12 says what they mean there. Whatever OPTIONS say counts more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from wsgiref.headers import Headers

from ..config import ServeConfig
from ..errors import ConfigError
from ..http.added import header_function
from ..http.headers import immutable_cache_control

PREFIX = "WHITENOISE_"

IMMUTABLE_TEST = PREFIX + "IMMUTABLE_FILE_TEST"
"""The only setting that is heeded and has no option of its own."""

STORAGES = "STORAGES['staticfiles']['OPTIONS']"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting of WhiteNoise means here."""

    setting: str
    option: tuple[str, ...] = ()
    """The place in OPTIONS for which it is a fall-back; empty for none."""
    heeded: bool = False
    """Whether it is heeded though no option means the same."""
    value: Any = None
    """What would stand there."""
    same: bool = False
    """Whether it asks for what happens without it."""
    why: str = ""
    """Why it is not heeded, where it asks for something else and is no fall-back."""
    instead: str = ""
    """What to do: always where it is not heeded, sometimes for a better option than the nearest."""


class _NotHeeded(Exception):
    def __init__(self, why: str, instead: str) -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


class _Same(Exception):
    """The setting asks for what happens without it."""


def place(option: tuple[str, ...]) -> str:
    """``option`` as it is reached from the settings."""
    return STORAGES + "".join(f"[{key!r}]" for key in option)


def meanings(settings: Mapping[str, Any], *, debug: bool) -> list[Meaning]:
    """What each of WhiteNoise's settings among ``settings`` means here, with ``DEBUG`` on or off, by name.

    What is no setting of WhiteNoise but begins like one is among them: nothing would ever read it.
    """
    return [_meaning(name, settings[name], debug) for name in sorted(settings) if name.startswith(PREFIX)]


def _meaning(name: str, value: Any, debug: bool) -> Meaning:
    known = _READERS.get(name.removeprefix(PREFIX))
    if known is None:
        return Meaning(name, why="WhiteNoise 6 has no such setting", instead="Remove it, or correct its name.")
    option, reader, instead = known
    try:
        return Meaning(name, option, value=reader(value, debug), heeded=not option, instead=instead)
    except _Same:
        return Meaning(name, same=True)
    except _NotHeeded as refused:
        return Meaning(name, why=refused.why, instead=refused.instead)


def fall_back(given: Mapping[str, Any], meant: Meaning) -> dict[str, Any]:
    """The options ``given`` with that of ``meant``, if it has one and they do not say it themselves."""
    return (
        dict(given) if not meant.option or is_given(given, meant.option) else _added(given, meant.option, meant.value)
    )


def is_given(given: Mapping[str, Any], option: tuple[str, ...]) -> bool:
    """Whether the options ``given`` themselves say ``option``: a section that is no mapping says all of its own."""
    first, *rest = option
    if first not in given:
        return False
    inner = given[first]
    return not rest or not isinstance(inner, Mapping) or is_given(inner, tuple(rest))


def _added(given: Mapping[str, Any], option: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = option
    return {**given, first: _added(given.get(first, {}), tuple(rest), value) if rest else value}


@dataclass(frozen=True, slots=True)
class ImmutableToo:
    """Stands for ``serve.add_headers``: what a project's test calls immutable is cached for ever, beside our own."""

    test: Callable[[str, str], object]
    config: ServeConfig
    """Without this, with the project's own ``add_headers``."""

    def __call__(self, headers: Headers, path: str, url: str) -> None:
        """What WhiteNoise does: the test first, then the function, which may change what came of it."""
        if self.test(path, url):
            headers["Cache-Control"] = immutable_cache_control(self.config)
        # Imported now: where the options are read, the project's modules may not be ready.
        if add := header_function(self.config):
            add(headers, path, url)


def with_immutable_test(config: ServeConfig, test: Any) -> ServeConfig:
    """``config``, and what WHITENOISE_IMMUTABLE_FILE_TEST calls immutable: a callable of the file's path and its URL's,
    or a regular expression that is searched in the latter. Raises `ConfigError` if it is neither.
    """
    if not callable(test):
        if not isinstance(test, (str, re.Pattern)):
            raise ConfigError(f"{IMMUTABLE_TEST} must be a callable or a regular expression, not {test!r}")
        try:
            pattern = re.compile(test)
        except re.error as error:
            raise ConfigError(f"{IMMUTABLE_TEST} {test!r} is no regular expression: {error}") from None
        test = _Searched(pattern)
    return replace(config, add_headers=ImmutableToo(test, config))


def without_immutable_test(config: ServeConfig) -> ServeConfig:
    """What `with_immutable_test` was given; ``config`` itself if it does not come from there."""
    return config.add_headers.config if isinstance(config.add_headers, ImmutableToo) else config


@dataclass(frozen=True, slots=True)
class _Searched:
    pattern: re.Pattern[str]

    def __call__(self, _path: str, url: str) -> bool:
        return self.pattern.search(url) is not None


# The readers: WhiteNoise's value and DEBUG → ours.


def _as_is(value: Any, debug: bool) -> Any:
    del debug
    if value is None:
        raise _Same
    return value


def _folder(value: Any, debug: bool) -> Any:
    del debug
    if not value:
        raise _Same
    # Relative to the current folder there, to BASE_DIR here.
    return os.path.abspath(value) if isinstance(value, (str, os.PathLike)) else value


def _index_file(value: Any, debug: bool) -> Any:
    del debug
    if value is True:
        return "index.html"
    if not isinstance(value, str) or not value:
        raise _Same
    return value


def _max_age(value: Any, debug: bool) -> Any:
    del debug
    if value is None:
        # RFC 9111 section 4.2.2.
        raise _NotHeeded(
            "None means no Cache-Control at all there, and caches would guess a lifetime; files under plain names keep "
            "that of OPTIONS['serve']['max_age']",
            f"Write {place(('serve', 'max_age'))} = 0 to have browsers ask each time, or a number of seconds, and "
            "remove it.",
        )
    return value


def _switch(value: Any, debug: bool) -> bool:
    del debug
    return bool(value)


def _strict(value: Any, debug: bool) -> bool:
    del debug
    if value is None:
        raise _Same
    return bool(value)


def _prefix(value: Any, debug: bool) -> str:
    del debug
    bare = str(value or "").strip("/")
    return f"/{bare}/" if bare else "/"


def _use_finders(value: Any, debug: bool) -> Any:
    if bool(value) == debug:
        raise _Same
    if value:
        raise _NotHeeded(
            "without DEBUG only what collectstatic has collected is served: a release has hashed names, compressed "
            "files and proven references, the sources have none of that",
            "Run collectstatic when you deploy, and remove it. In tests {% static %} works without.",
        )
    raise _NotHeeded(
        "with DEBUG the finders' files are served, so that an edit shows at once",
        "Remove it. To see what a release serves, set DEBUG = False.",
    )


def _autorefresh(value: Any, debug: bool) -> Any:
    if bool(value) == debug:
        raise _Same
    if value:
        return True
    raise _NotHeeded(
        "with DEBUG every request looks at the disk, so that an edit shows at once",
        "Remove it. To see what a release serves, set DEBUG = False.",
    )


def _keep_only_hashed(value: Any, debug: bool) -> Any:
    del debug
    if not value:
        raise _Same
    raise _NotHeeded(
        "files are published under their plain names too: stock Django, web servers and whoever names a file without a "
        "hash (a service worker, a mail, an older page) find them there",
        "Remove it. Plain names have a lifetime of OPTIONS['serve']['max_age'], and what no release needs any more is "
        "removed by 'manage.py ship prune'.",
    )


_IMMUTABLE_BY_NAME = (
    "It is asked for every file, and not with DEBUG. The release's own hashed names and those that a bundler has made "
    "are immutable without it: try to remove it. For others, write patterns of their logical paths in "
    f"{place(('rewrite', 'bundled_names'))}."
)

_Reader = Callable[[Any, bool], Any]

_READERS: Mapping[str, tuple[tuple[str, ...], _Reader, str]] = {
    "ADD_HEADERS_FUNCTION": (
        ("serve", "add_headers"), _as_is,
        "OPTIONS['serve']['headers'] has headers by pattern, without a function.",
    ),
    "ALLOW_ALL_ORIGINS": (("serve", "allow_all_origins"), _switch, ""),
    "AUTOREFRESH": (
        ("serve", "follow_current"), _autorefresh,
        "A process goes over to each release that collectstatic makes; without DEBUG it looks at nothing else.",
    ),
    "CHARSET": (("serve", "charset"), _as_is, ""),
    "IMMUTABLE_FILE_TEST": ((), _as_is, _IMMUTABLE_BY_NAME),
    "INDEX_FILE": (("serve", "index_file"), _index_file, ""),
    "KEEP_ONLY_HASHED_FILES": ((), _keep_only_hashed, ""),
    "MANIFEST_STRICT": (("manifest_strict",), _strict, ""),
    "MAX_AGE": (("serve", "max_age"), _max_age, ""),
    "MIMETYPES": (("serve", "media_types"), _as_is, ""),
    "ROOT": (("serve", "root_folder"), _folder, "Its files belong to the release: run collectstatic."),
    "SKIP_COMPRESS_EXTENSIONS": (
        ("compress", "skip_extensions"), _as_is,
        "Images, fonts and archives that are compressed in themselves need not be in it.",
    ),
    "STATIC_PREFIX": (("served_prefix",), _prefix, ""),
    "USE_FINDERS": ((), _use_finders, ""),
}  # fmt: skip
