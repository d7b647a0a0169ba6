"""The wrong `StaticApp` around an application: an error when it is made, and none for what may be right.

PEP 3333: an application is called with ``environ`` and ``start_response``. ASGI 3.0: with ``scope``, ``receive`` and
``send``, and what it returns is awaited.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from shipfiles.errors import ConfigError
from shipfiles.manifest import Manifest
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.table import FileTable

TABLE = FileTable(Manifest({}), "", "/static/")


def sync_two(environ: Any, start_response: Any) -> list[bytes]:
    return []


def sync_three(scope: Any, receive: Any, send: Any) -> Any:
    """ASGI: what it returns is awaited."""


async def async_three(scope: Any, receive: Any, send: Any) -> None: ...


async def async_any(*args: Any) -> None: ...


def sync_any(*args: Any, **kwargs: Any) -> Any: ...


@functools.wraps(async_three)
def adapted(environ: Any, start_response: Any) -> list[bytes]:
    """An adapter to WSGI, which says what it is made of."""
    return []


class Both:
    """Some frameworks have such applications."""

    def __call__(self, *args: Any) -> Any: ...


class Iterated:
    """PEP 3333 has such an application: its class is called, and iterated over."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...


class Awaited:
    """And Starlette such endpoints: its class is called, and awaited."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...


def double(scope: Any) -> Any:
    """ASGI 2.0."""


WSGI = [
    sync_two, adapted, Iterated, WSGIHandler.__call__.__get__(object()), object.__new__(WSGIHandler),
    functools.partial(sync_three, None), wsgi.StaticApp(sync_two, table=TABLE),
]  # fmt: skip
ASGI = [
    sync_three, async_three, async_any, Awaited, object.__new__(ASGIHandler), functools.partial(async_three),
    asgi.StaticApp(async_three, table=TABLE),
]  # fmt: skip
EITHER = [sync_any, Both(), double, dict, None]


def name(application: object) -> str:
    return getattr(application, "__name__", type(application).__name__)


@pytest.mark.parametrize("application", WSGI, ids=name)
def test_a_wsgi_application(application: Callable[..., Any]) -> None:
    assert wsgi.StaticApp(application, table=TABLE).application is application
    with pytest.raises(ConfigError, match=r"asgi\.StaticApp goes around ASGI .*Take shipfiles\.serve\.wsgi\.StaticApp"):
        asgi.StaticApp(application, table=TABLE)


@pytest.mark.parametrize("application", ASGI, ids=name)
def test_an_asgi_application(application: Callable[..., Any]) -> None:
    assert asgi.StaticApp(application, table=TABLE).application is application
    with pytest.raises(ConfigError, match=r"wsgi\.StaticApp goes around WSGI .*Take shipfiles\.serve\.asgi\.StaticApp"):
        wsgi.StaticApp(application, table=TABLE)


@pytest.mark.parametrize("application", EITHER, ids=name)
def test_what_nobody_can_tell_is_taken(application: Callable[..., Any]) -> None:
    wsgi.StaticApp(application, table=TABLE)
    asgi.StaticApp(application, table=TABLE)


def test_the_error_names_the_application() -> None:
    with pytest.raises(ConfigError, match="WSGIHandler is one for WSGI"):
        asgi.StaticApp(object.__new__(WSGIHandler), table=TABLE)
    with pytest.raises(ConfigError, match="async_three is one for ASGI"):
        wsgi.StaticApp(async_three, table=TABLE)
