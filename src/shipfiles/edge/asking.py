"""The one place that knows urllib3, which speaks with the servers of CDNs and with caches.

It is loaded when a purger first purges. Certificates are checked, redirects are not followed, since credentials would
go along, and what is said of a failure holds no credentials. A request is repeated if nobody answered, or with one of
`AGAIN`; all that are made here may be repeated. What a server asks with Retry-After is obeyed within the time limit.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import ConfigError, PurgeError, printable
from .batches import Done, Refused, each_batch
from .patience import Patience
from .purger import Purged

_TARGET = re.compile(r"/[!-~]*")
_HOST = re.compile(r"[0-9A-Za-z.:_\[\]-]+")
_DOTS = re.compile(r"(?:/|%2f)(?:\.|%2e){1,2}(?:[/?]|%2f|\Z)", re.IGNORECASE)
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""The answers after which a request is made again."""
_CONNECT = 5.0
_READ = 20.0
_LONGEST_BODY = 1 << 20
_LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """Names are found in any case."""
    body: bytes
    """At most its first MiB."""

    def json(self) -> Any:
        """The body as JSON; ``None`` if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def check_installed(module: str, extra: str, what: str) -> None:
    """Raise `ConfigError` unless ``module`` is installed, which ``what`` needs and ``extra`` brings."""
    if find_spec(module) is None:
        raise ConfigError(
            f"Purging {what} needs {module}, which is not installed. Run: pip install 'shipfiles[{extra}]'."
        )


def check_api(url: str, option: str = "endpoint_url") -> None:
    """Raise `ConfigError` unless ``url`` can be the address of an API that is told credentials: with https, or on this
    machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigError(f"{option} is no URL.") from None
    if parts.username or parts.password:
        raise ConfigError(f"{option} must not hold credentials.")
    if not is_http(url) or parts.query or parts.fragment:
        raise ConfigError(f"{option} must be the address of an API, such as 'https://api.example.com'.")
    if parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise ConfigError(f"{option} must begin with https://: credentials are sent there.")


def is_http(url: str) -> bool:
    """Whether ``url``, which can be split, begins with a scheme and a host that can be asked, and has no blanks."""
    parts = urlsplit(url)
    return (
        parts.scheme in ("http", "https")
        and bool(_HOST.fullmatch(parts.netloc))
        and url.isprintable()
        and " " not in url
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def from_environment(given: str | None, names: Sequence[str], option: str) -> str:
    """The secret ``given``, or that in the environment under the first of ``names`` that is set there.

    Raises `Refused` if there is none, or if it cannot stand in a header field.
    """
    found = given or next((value for name in names if (value := os.environ.get(name))), "")
    if not found:
        raise Refused(f"there is no token: give {option}, or set {names[0]} in the environment", for_all=True)
    # Many a file with a secret ends with a newline.
    found = found.strip()
    if not (found.isascii() and found.isprintable() and found):
        raise Refused(f"the token cannot be one: {option} has characters that no token has", for_all=True)
    return found


def parted(url: str) -> tuple[str, str]:
    """The host of ``url``, with its port, and the path with the query: as a browser asks for it, byte for byte.

    Raises `Refused` for what no browser asks for: the segments ``.`` and ``..`` would make it another request.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Refused(f"{printable(url)} is no URL") from None
    target = _target(url)
    if not _HOST.fullmatch(parts.netloc) or not _TARGET.fullmatch(target) or _DOTS.search(target.partition("?")[0]):
        raise Refused(f"{printable(parts.path)} is not asked for by any browser, on a host like that")
    return parts.netloc, target


def _target(url: str) -> str:
    """Path and query."""
    rest = url.partition("#")[0].partition("://")[2]
    start = min((at for char in "/?" if (at := rest.find(char)) >= 0), default=len(rest))
    return rest[start:] if rest[start : start + 1] == "/" else f"/{rest[start:]}"


def _exactly(kind: Any, target: threading.local) -> Any:
    """Connections of the class ``kind`` that ask for the ``target`` of the thread, as it is written.

    urllib3 would write it anew: with percent signs for brackets, in upper case, without a second slash. A cache knows
    a file by the bytes that were asked for.
    """

    def putrequest(self: Any, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        host = "" if url.startswith("/") else url.removesuffix("/")
        return kind.putrequest(self, method, f"{host}{target.path}", *arguments, **options)

    return type(kind.__name__, (kind,), {"putrequest": putrequest})


class Asker:
    """Who asks, for one purge: keeps connections, counts requests, and hides ``secrets`` in what is said."""

    def __init__(
        self,
        patience: Patience,
        headers: Mapping[str, str],
        secrets: Sequence[str] = (),
        *,
        connections: int = 1,
        proxied: bool = True,
    ) -> None:
        self.requests = 0
        """How many were made."""
        self.patience = patience
        self._headers = {"User-Agent": "shipfiles", "Accept": "*/*", **headers}
        self._secrets = [secret for secret in secrets if secret]
        self._urllib3: Any = import_module("urllib3")
        self._target = threading.local()
        self._kinds = {
            scheme: type(kind.__name__, (kind,), {"ConnectionCls": _exactly(kind.ConnectionCls, self._target)})
            for scheme, kind in (
                ("http", self._urllib3.HTTPConnectionPool),
                ("https", self._urllib3.HTTPSConnectionPool),
            )
        }
        self._options = {"maxsize": connections, "retries": False, "cert_reqs": "CERT_REQUIRED"}
        self._proxied = proxied
        self._pools: dict[str, Any] = {}
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for pool in self._pools.values():
            pool.clear()

    def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """The answer that ``url`` gives in the end, with whatever status but those of `AGAIN`. Raises `Refused`."""
        attempt = 0
        while True:
            attempt += 1
            reply: Reply | None = None
            asked: float | None = None
            if not self.patience.left:
                raise Refused(self.patience.over, for_all=True)
            try:
                reply = self._once(method, url, headers or {}, body)
            except self._urllib3.exceptions.HTTPError as error:
                what, repeat = self._fault(error, url)
                if not repeat:
                    raise Refused(what, for_all=True) from None
            else:
                if reply.status not in AGAIN:
                    self._check_direct(reply, url)
                    return reply
                what = f"{_server(url)} answered {self.said(reply)}"
                # Who asks for no wait has not said when it helps.
                asked = retry_after(reply.headers) or None
            if not self.patience.wait(attempt, asked):
                if asked is not None:
                    what += f" and asks to wait {asked:.0f} s, which the time limit does not allow"
                elif attempt > 1:
                    what += f", {attempt} times"
                raise Refused(what, status=reply.status if reply else 0, for_all=True)

    def said(self, reply: Reply, text: str = "") -> str:
        """Status and reason of ``reply``, and what ``text`` of it says: fit to be shown."""
        found = f"{reply.status} {reply.reason}".strip()
        return self.hidden(f"{found}: {text}" if text else found)

    def hidden(self, text: str) -> str:
        """``text``, which others wrote, fit to be shown: short, printable, without secrets."""
        for secret in self._secrets:
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, "...")
        text = " ".join(text.split())
        return printable(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}...")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        with self._guard:
            self.requests += 1
            pool = self._pool(url)
        left = max(0.001, self.patience.left)
        parts = urlsplit(url)
        self._target.path = _target(url)
        response = pool.request(
            method, f"{parts.scheme}://{parts.netloc}/", headers={**self._headers, **headers}, body=body or None,
            redirect=False, retries=False, preload_content=False,
            timeout=self._urllib3.Timeout(connect=min(_CONNECT, left), read=min(_READ, left)),
        )  # fmt: skip
        found = bytearray()
        try:
            while (
                len(found) < _LONGEST_BODY
                and self.patience.left
                and (chunk := response.read(1 << 16, decode_content=False))
            ):
                found += chunk
            complete = len(found) < _LONGEST_BODY and self.patience.left
        except BaseException:
            response.close()
            raise
        if complete:
            response.release_conn()
        else:
            response.close()
        return Reply(response.status, response.reason or "", response.headers, bytes(found[:_LONGEST_BODY]))

    def _pool(self, url: str) -> Any:
        """What keeps the connections on the way to ``url``: directly, or by the proxy that the environment names."""
        parts = urlsplit(url)
        proxy = ""
        if self._proxied and not proxy_bypass(parts.hostname or ""):
            proxies = getproxies()
            proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
        if proxy not in self._pools:
            made = self._by_proxy(proxy) if proxy else self._urllib3.PoolManager(**self._options)
            made.pool_classes_by_scheme = self._kinds
            self._pools[proxy] = made
        return self._pools[proxy]

    def _by_proxy(self, proxy: str) -> Any:
        try:
            parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            _ = parts.port
        except ValueError:
            raise Refused("the proxy in the environment is no URL", for_all=True) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused("the proxy in the environment is none of HTTP", for_all=True)
        headers = {}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._secrets += [login, parts.password or login]
            headers = self._urllib3.util.make_headers(proxy_basic_auth=login)
        address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        return self._urllib3.ProxyManager(address, proxy_headers=headers, **self._options)

    def _check_direct(self, reply: Reply, url: str) -> None:
        if 300 <= reply.status < 400:
            raise Refused(
                f"{_server(url)} answered {self.said(reply)}: redirects are not followed, since credentials would go "
                "along",
                status=reply.status,
                for_all=True,
            )

    def _fault(self, error: Any, url: str) -> tuple[str, bool]:
        """What ``error`` means, and whether to ask again helps. Its text is not shown: it may hold anything."""
        kinds, server = self._urllib3.exceptions, _server(url)
        if isinstance(error, kinds.ProxyError):
            return f"the proxy on the way to {server} cannot be reached, or does not let through", True
        if isinstance(error, kinds.SSLError):
            cause = next((arg for arg in error.args if getattr(arg, "verify_message", "")), None)
            why = f": {self.hidden(cause.verify_message)}" if cause is not None else ""
            return f"{server} has no certificate that can be trusted, or no encryption that is safe{why}", False
        if isinstance(error, kinds.NameResolutionError):
            return f"{server} has no address that the name service knows", True
        if isinstance(error, kinds.ReadTimeoutError):
            return f"{server} did not answer in time", True
        if isinstance(error, kinds.ConnectTimeoutError | kinds.NewConnectionError):
            return f"{server} cannot be reached", True
        if isinstance(error, kinds.LocationValueError):
            return f"{server} is no address", False
        return f"{server} broke off, or its answer is none of HTTP", True


def everything(purger: object, patience: Patience, opened: Callable[[], Asker], do: Callable[[Asker], Done]) -> Purged:
    """What comes of one request, ``do``, for all that a cache has: in time, however slowly the answer comes.

    Raises `PurgeError`.
    """
    try:
        with opened() as asker:
            found = each_batch([("everything",)], lambda _all: do(asker), patience)
            requests = asker.requests
    except Refused as error:
        found, requests = Done(left={"everything": error.what}), 0
    if found.left:
        raise PurgeError(str(purger), f"{'; '.join(found.left.values())}. It may still have everything")
    return Purged(requests, tuple(found.ids))


def _server(url: str) -> str:
    return printable(urlsplit(url).netloc.rpartition("@")[2])


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait (RFC 9110, 10.2.3), ``None`` if it asks for nothing that can be read.

    Fastly tells in a field of its own when its limit ends: https://www.fastly.com/documentation/reference/api/
    """
    text = (headers.get("Retry-After") or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    if text:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())
    reset = (headers.get("Fastly-RateLimit-Reset") or "").strip()
    if reset.isascii() and reset.isdigit() and (headers.get("Fastly-RateLimit-Remaining") or "").strip() == "0":
        return max(0.0, float(reset[:12]) - time.time())
    return None
