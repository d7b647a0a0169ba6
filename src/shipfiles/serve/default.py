"""Where the applications of this process find the table of static files if they are not given one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..errors import ConfigError

if TYPE_CHECKING:
    from .respond import Request
    from .streamed import Delivery
    from .table import Table


class Uploads(Protocol):
    """Files that come while the process runs, asked for once the static files have none."""

    def find(self, request: Request, /) -> Delivery | None:
        """The answer to ``request``; ``None`` if it is not theirs."""

    def covers(self, request: Request, /) -> bool:
        """Whether the address is one of uploads, though there is none: no page of the options answers there."""

    def may_wait(self, request: Request, /) -> bool:
        """Whether to find that may take longer than an event loop should be kept."""


_provider: Callable[[], Table] | None = None
_script_name: Callable[[], str] | None = None
_passed_over: Callable[[], str] | None = None
_root: Callable[[], str] | None = None
_uploads: Callable[[], Uploads | None] | None = None


def set_provider(
    provider: Callable[[], Table] | None,
    script_name: Callable[[], str] | None = None,
    passed_over: Callable[[], str] | None = None,
    root: Callable[[], str] | None = None,
    uploads: Callable[[], Uploads | None] | None = None,
) -> None:
    """Say from where `default_table` takes the table. A framework's package calls this when it is set up.

    ``script_name`` gives the mount point that the framework takes for its own whatever the server says, or nothing;
    ``passed_over`` is what `passed_over_by_lanes` returns, ``root`` what `default_root` returns, and ``uploads`` what
    `default_uploads` returns.
    """
    global _provider, _script_name, _passed_over, _root, _uploads
    _provider = provider
    _script_name = script_name
    _passed_over = passed_over
    _root = root
    _uploads = uploads


def forced_script_name() -> str:
    """The mount point on which the framework in this process insists; empty if it leaves that to the server."""
    return _script_name() if _script_name is not None else ""


def passed_over_by_lanes() -> str:
    """What the framework in this process would do with requests for static files, and a fast lane would not.

    A sentence that says what to do; empty if there is nothing.
    """
    return _passed_over() if _passed_over is not None else ""


def default_root() -> str:
    """The folder of the releases that the options of the framework in this process are for; empty if there is none."""
    return _root() if _root is not None else ""


def default_uploads() -> Uploads | None:
    """The uploads that the framework in this process wants served; ``None`` if there are none."""
    return _uploads() if _uploads is not None else None


def default_table() -> Table:
    """The table of the framework in this process. Raises `ConfigError` if none has been set up."""
    if _provider is None:
        raise ConfigError(
            "Nobody has said which static files to serve. Call get_wsgi_application(), get_asgi_application() or "
            "django.setup() first, with 'shipfiles.django' in INSTALLED_APPS; or pass root= and prefix= to StaticApp."
        )
    return _provider()
