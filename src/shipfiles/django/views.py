"""Views that deliver uploads: to whom a function lets, and to who has a signed link.

::

    from shipfiles.django.views import owner_of, protected

    path("media/<path:name>", protected(owner_of(Invoice, "file", "customer")))
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.apps import apps
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.core.files.storage import Storage
from django.core.handlers.exception import response_for_exception
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.cache import add_never_cache_headers

from ..media.delivery import AS_IS, METHODS, Wanted, for_one, refused
from ..media.handing import hand_over
from ..media.safety import attachment
from ..media.serving import respond_link
from ..paths import path_fault
from ..serve.streamed import Delivery
from ..serve.waiting import delivered_soon
from .media_places import media_storage, place
from .responses import asked, to_django

MaySee = Callable[[HttpRequest, str], bool] | Callable[[HttpRequest, str], Awaitable[bool]]
"""Given the request and the name of a file in its storage: whether this visitor may have it. ``async`` or not."""

View = Callable[..., Any]


def logged_in(request: HttpRequest, _name: str) -> bool:
    """For `protected`: whoever is logged in may see every file."""
    return _user(request) is not None


def staff(request: HttpRequest, _name: str) -> bool:
    """For `protected`: staff may see every file, nobody else any."""
    user = _user(request)
    return user is not None and bool(user.is_staff)


def owner_of(model: type[Model] | str, file_field: str, owner_field: str) -> Callable[[HttpRequest, str], bool]:
    """For `protected`: who is the ``owner_field`` of an object of ``model`` may see the file in its ``file_field``.

    ``model`` is a model or its name, ``"shop.Invoice"``; ``owner_field`` leads to the user, also over others:
    ``"order__customer"``. A file that no object has is nobody's.
    """

    def may_see(request: HttpRequest, name: str) -> bool:
        user = _user(request)
        if user is None:
            return False
        found = _model(model)._default_manager.filter(**{file_field: name, owner_field: user})
        return name in map(str, found.values_list(file_field, flat=True))

    return may_see


def permitted(
    model: type[Model] | str, file_field: str, permission: str | Callable[[HttpRequest, Any], bool]
) -> Callable[[HttpRequest, str], bool]:
    """For `protected`: who has ``permission`` for an object of ``model`` may see the file in its ``file_field``.

    ``permission`` is what ``user.has_perm(permission, object)`` is asked, which needs an authentication backend that
    knows of objects (Django's own has them for superusers alone), or a function that gets the request and the object.
    Of several objects with the file, one is enough. A file that no object has is nobody's.
    """

    def may_see(request: HttpRequest, name: str) -> bool:
        user = _user(request)
        for found in _model(model)._default_manager.filter(**{file_field: name}).iterator():
            # Databases may compare otherwise: without case, or without spaces at the end.
            if str(getattr(found, file_field)) != name:
                continue
            if isinstance(permission, str):
                if user is not None and user.has_perm(permission, found):
                    return True
            elif _said(permission(request, found), permission):
                return True
        return False

    return may_see


def protected(
    may_see: MaySee,
    storage: str | Storage = "default",
    *,
    refusal: Literal[403, 404] = 404,
    login: bool | str = False,
    as_attachment: bool = False,
) -> View:
    """A view of the file ``name`` in ``storage``, an alias, for whom ``may_see(request, name)`` lets.

    It is handed over as OPTIONS["delivery"] says. ``may_see`` must return ``True`` or ``False``; anything else is an
    error, so that no forgotten ``await`` or call opens a file. It is asked before anybody looks whether there is a
    file, and about the name that is delivered: one that has another spelling is not found.

    Whom it does not let gets ``refusal``: 404, the default, tells nobody which files there are, 403 does. With
    ``login`` who is not logged in is sent to LOGIN_URL instead, or to the URL that it names. ``as_attachment`` has
    browsers save the file under its name.
    """
    if refusal not in (403, 404):
        raise ValueError(f"protected(): refusal must be 403 or 404, not {refusal!r}.")
    door = _Door(storage, refusal, login, as_attachment)

    def view(request: HttpRequest, name: str) -> HttpResponseBase:
        if door.is_odd(request, name):
            return door.odd(request)
        if _said(may_see(request, name), may_see):
            return _answered(request, door.delivery(request, name))
        return door.denied(request, is_anonymous=_user(request) is None)

    async def async_view(request: HttpRequest, name: str) -> HttpResponseBase:
        # Pages of the project, for what there is not, are made where Django makes them.
        if door.is_odd(request, name):
            return await sync_to_async(door.odd)(request)
        if _said(await cast("Awaitable[bool]", may_see(request, name)), may_see):
            delivery = await delivered_soon(door.delivery, request, name)
            return await sync_to_async(_answered)(request, None) if delivery is None else _answered(request, delivery)
        return await sync_to_async(door.denied)(request, is_anonymous=bool(login) and await _is_anonymous(request))

    return _any_method(async_view if _is_async(may_see) else view)


@dataclass(frozen=True, slots=True)
class _Door:
    """What `protected` was given."""

    storage: str | Storage
    refusal: int
    login: bool | str
    as_attachment: bool

    def is_odd(self, request: HttpRequest, name: str) -> bool:
        """Whether nobody need be asked for permission."""
        return request.method not in METHODS or bool(path_fault(name))

    def odd(self, request: HttpRequest) -> HttpResponseBase:
        """The answer then."""
        method = request.method or ""
        return _refusal(request, 404) if method in METHODS else to_django(refused(405, method), request)

    def delivery(self, request: HttpRequest, name: str) -> Delivery | None:
        """The file for who may see it; ``None`` if there is none."""
        wanted = Wanted(attachment(name)) if self.as_attachment else AS_IS
        return hand_over(for_one(place(media_storage(self.storage))), name, asked(request), wanted)

    def denied(self, request: HttpRequest, *, is_anonymous: bool) -> HttpResponseBase:
        """The answer to who may not see it."""
        if not (self.login and is_anonymous):
            return _refusal(request, self.refusal)
        where = settings.LOGIN_URL if self.login is True else self.login
        response = HttpResponseRedirect(_with_next(resolve_url(where), request.get_full_path()))
        add_never_cache_headers(response)
        return response


def signed(storage: str | Storage = "default") -> View:
    """A view of the file ``name`` in ``storage``, an alias, for who has a link that ``url()`` of it made.

    For storages of ``access`` ``signed`` whose links are our own: files on this machine, in memory or on a server over
    SSH. Belongs at their base URL: ``path("media/<path:name>", signed())``. Who has no link, or one that was altered or
    has expired, gets 403. With OPTIONS["serve"] it is not needed.
    """

    def view(request: HttpRequest, name: str) -> HttpResponseBase:
        return _answered(request, respond_link(place(media_storage(storage)), name, asked(request), by=hand_over))

    # The link is what lets somebody in, also where LoginRequiredMiddleware is installed.
    view.login_required = False  # type: ignore[attr-defined]
    return _any_method(view)


def _any_method(view: View) -> View:
    """``view`` without a check of tokens: it changes nothing, and itself answers other methods than GET and HEAD."""
    view.csrf_exempt = True  # type: ignore[attr-defined]
    return view


def _is_async(may_see: Callable[..., object]) -> bool:
    return iscoroutinefunction(may_see) or iscoroutinefunction(type(may_see).__call__)


def _with_next(login_url: str, url: str) -> str:
    """``login_url`` as Django's login view wants it: it is told where to go on. ``url`` begins with one slash."""
    parts = urlsplit(login_url)
    query = QueryDict(parts.query, mutable=True)
    query[REDIRECT_FIELD_NAME] = url
    return parts._replace(query=query.urlencode(safe="/")).geturl()


def _said(answer: object, who: object) -> bool:
    if isinstance(answer, bool):
        return answer
    if inspect.iscoroutine(answer):
        answer.close()
    raise TypeError(
        f"{getattr(who, '__qualname__', who)} must say True or False about a file, and returned a "
        f"{type(answer).__qualname__}. Nothing was delivered."
    )


def _user(request: HttpRequest) -> Any:
    """Who is logged in, ``None`` if nobody is."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


async def _is_anonymous(request: HttpRequest) -> bool:
    ask = getattr(request, "auser", None)
    return ask is None or not (await ask()).is_authenticated


def _model(given: type[Model] | str) -> type[Model]:
    return apps.get_model(given) if isinstance(given, str) else given


def _answered(request: HttpRequest, delivery: Delivery | None) -> HttpResponseBase:
    if delivery is None:
        return _refusal(request, 404)
    if delivery.status == 206:
        # GZipMiddleware would compress the part, which then is none of what Content-Range counts.
        request.META["HTTP_ACCEPT_ENCODING"] = "identity"
    return to_django(delivery, request)


def _refusal(request: HttpRequest, status: int) -> HttpResponseBase:
    """The project's own page; the same for what there is not and, by default, for what somebody may not see."""
    error = PermissionDenied() if status == 403 else Http404()
    response = response_for_exception(request, error)
    # RFC 9110 section 15.5.5: caches may keep a 404 on their own, and then for those who may see the file.
    add_never_cache_headers(response)
    return response
