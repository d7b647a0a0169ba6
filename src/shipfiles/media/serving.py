"""Uploads below a prefix of URLs, for everybody or for who has a link."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..errors import LinkRefused
from ..paths import path_fault
from ..serve.respond import Request
from ..serve.streamed import Delivery
from ..stores.store import Grant
from .delivery import METHODS, Place, Wanted, deliver, refused
from .links import check_link


def respond_media(places: Sequence[Place], request: Request, now: Callable[[], float] = time.time) -> Delivery | None:
    """The answer of the first of ``places`` whose prefix fits; ``None`` if the application is to answer.

    Those of ``access`` ``signed`` answer to good links alone; those that are ``private`` never do.
    """
    path = request.path
    place = None if path is None else place_at(places, path)
    if place is None or path is None:
        return None
    name = path[len(place.prefix) :]
    if place.config.access == "signed":
        return respond_link(place, name, request, now)
    # Folders are full of what nobody meant to publish: only a link or a view can name that.
    if any(part.startswith(".") for part in name.split("/")):
        return None
    if request.method in METHODS:
        return deliver(place, name, request)
    # Where there is no file, the application may have something that is changed.
    there = deliver(place, name, request._replace(method="HEAD", header=_unconditionally))
    return refused(405, request.method) if there is not None and there.status == 200 else there


def place_at(places: Sequence[Place], path: str) -> Place | None:
    """The first of ``places`` below whose prefix ``path`` is, if it answers requests."""
    for place in places:
        if path.startswith(place.prefix) and len(path) > len(place.prefix):
            return None if place.config.access == "private" else place
    return None


def respond_link(
    place: Place, name: str, request: Request, now: Callable[[], float] = time.time,
    by: Callable[[Place, str, Request, Wanted], Delivery | None] = deliver,
) -> Delivery | None:  # fmt: skip
    """The file ``name`` for who has a good link to it, and 403 for anybody else; ``None`` if there is none.

    ``by`` is the way, `deliver` or `hand_over`.
    """
    method = request.method
    if method not in METHODS:
        return refused(405, method)
    if path_fault(name):
        return refused(404, method)
    try:
        grant = check_link(place.link_path(name), request.query, method, place.keys(), now())
    except LinkRefused:
        # Not why: who has no good link learns nothing.
        return refused(403, method)
    return by(place, name, request, _wanted(grant, now()))


def _unconditionally(_field: str) -> None:
    return None


def _wanted(grant: Grant, now: float) -> Wanted:
    return Wanted(grant.content_disposition, grant.content_type, max(grant.expires - int(now), 0))
