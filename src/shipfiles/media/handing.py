"""Files that the application lets somebody else send: nginx, Caddy, Apache, or the store itself."""

from __future__ import annotations

import os
import time

from ..errors import ConfigError
from ..http.headers import Header, checked, other_headers
from ..media_types import is_packed
from ..paths import url_quote
from ..serve.respond import Request
from ..serve.streamed import Delivery
from ..stores.local import LocalStore
from ..stores.store import Signs, Store
from .config import MediaConfig
from .delivery import AS_IS, METHODS, OTHERS, Place, Wanted, deliver, headers_of, key_of, tag_of
from .disk import status_inside
from .expiry import grant as grant_now


def hand_over(place: Place, name: str, request: Request, wanted: Wanted = AS_IS) -> Delivery | None:
    """As `deliver`, by the way that OPTIONS["delivery"] names. Raises `ConfigError` if the store knows no such way."""
    method, mechanism, store = request.method, place.config.delivery.mechanism, place.store
    if mechanism == "stream" or method not in METHODS:
        return deliver(place, name, request, wanted)
    key = key_of(place, name)
    if key is None:
        return None
    more: list[Header] = []
    if isinstance(store, LocalStore):
        status = status_inside(store.root, store.path(key), place.closed)
        if status is None:
            return None
        # Else Django's ConditionalGetMiddleware makes one of the empty body. nginx has one of its own.
        more = [("ETag", tag_of(status))]
    if mechanism == "redirect":
        return _redirected(store, place.config, name, key, method, wanted)
    if mechanism == "x-accel-redirect":
        # nginx and Caddy take it for the path of a URL.
        field = "X-Accel-Redirect", place.config.delivery.internal_url.rstrip("/") + "/" + url_quote(key)
    elif isinstance(store, LocalStore):
        path = store.path(key)
        # mod_xsendfile takes the bytes as they are up to 0.12, and since then for what they stand for if they are
        # percent-encoded. A space at the end is no part of a field (RFC 9110 section 5.5). And it takes
        # Content-Encoding away.
        if "%" in path or path != path.strip() or is_packed(name):
            return deliver(place, name, request, wanted)
        field = "X-Sendfile", os.fsencode(path).decode("latin-1")
    else:
        raise ConfigError(
            f"OPTIONS['delivery']: x-sendfile is for files on this machine, and those of {store} are not. Take "
            "'redirect' or 'stream'."
        )
    headers = [*headers_of(place.config, name, b"", wanted), *more, field, ("Content-Length", "0")]
    return Delivery(200, list(checked(tuple(headers))), None if method == "HEAD" else b"")


def _redirected(store: Store, config: MediaConfig, name: str, key: str, method: str, wanted: Wanted) -> Delivery:
    if not isinstance(store, Signs):
        raise ConfigError(
            f"OPTIONS['delivery']: 'redirect' needs a store that signs URLs, and {store} does not. Take 'stream', "
            "'x-accel-redirect' or 'x-sendfile'."
        )
    now = time.time()
    # What we would not show in the site's origin the bucket shall not show either, whatever the object says of itself.
    disposition = dict(headers_of(config, name, b"", wanted)).get("Content-Disposition", "")
    # A URL that is signed for GET is none for HEAD in a bucket, which signs the method.
    grant = grant_now(
        config.signed, now, method="HEAD" if method == "HEAD" else "GET",
        disposition=disposition, content_type=wanted.content_type,
    )  # fmt: skip
    # A browser that keeps the redirect follows it as long as the URL works, and no longer.
    lasts = max(grant.expires - int(now) - 1, 0)
    headers = [
        *(field for field in other_headers(OTHERS) if field[0] != "Cache-Control"),
        ("Cache-Control", f"private, max-age={lasts}"),
        ("Location", store.signed_url(key, grant)),
        ("Content-Length", "0"),
    ]
    return Delivery(302, list(checked(tuple(headers))), None if method == "HEAD" else b"")
