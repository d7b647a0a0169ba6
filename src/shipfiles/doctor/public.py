"""What a browser gets at the public address of a store: asked over HTTP, without credentials."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote, urlsplit

from ..errors import ShipfilesError, fit_to_show

_TIMEOUT = 15.0  # seconds without a byte
_LONGEST_ANSWER = 45.0  # seconds
_MOST = 1 << 20
_LONGEST = 200
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME = frozenset({62, 64})
# Header fields by which the caches of CDNs make themselves known.
_OF_CDNS = (
    "via", "x-cache", "cf-cache-status", "x-served-by", "age", "x-cdn", "x-amz-cf-pop", "x-azure-ref", "x-hw",
)  # fmt: skip


_RUNS = "see that it runs, and is reached from here"


class NotReached(ShipfilesError):
    """Nobody answers at the public address; ``todo`` is what helps."""

    def __init__(self, text: str, todo: str = _RUNS) -> None:
        self.todo = todo
        super().__init__(text)


class _Secure(HTTPConnection):
    """HTTPS for ``name``, whatever the address is that is asked."""

    default_port = 443

    def __init__(self, host: str, port: int | None, name: str) -> None:
        self._name = name
        super().__init__(host, port, timeout=_TIMEOUT)

    def connect(self) -> None:
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self._name)


@dataclass(frozen=True, slots=True)
class Page:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case; of several with one name, joined."""
    body: bytes

    def shown(self, name: str) -> str:
        """The value of a header field as it can be shown; empty without one."""
        return shown(self.headers.get(name, ""))


Fetch = Callable[[str, Mapping[str, str]], Page]
"""Ask for a URL with header fields. Raises `NotReached`."""


def shown(text: str) -> str:
    """``text`` of somebody else, short and fit for a terminal."""
    text = fit_to_show(text.replace("\n", " "))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def public_fault(url: str) -> str:
    """Why browsers of other hosts cannot be sent to ``url``; empty if they can."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "it has no host: pages find the files on the site's own"
    if parts.username or parts.password:
        return "it has credentials, which every page would show"
    return "it has a query or a fragment" if parts.query or parts.fragment else ""


def url_of(base: str, key: str) -> str:
    """Where browsers find ``key``."""
    return f"{base.rstrip('/')}/{quote(key)}"


def fetch(url: str, headers: Mapping[str, str], method: str = "GET") -> Page:
    """Ask for ``url``, of at most 1 MiB; redirects are not followed, proxies not used. Raises `NotReached`.

    A path is sent as it is, with its dots. The certificate must be for the host of the field ``Host``, if that is in
    ``headers``.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    made: HTTPConnection
    if parts.scheme == "https":
        made = _Secure(host, parts.port, headers.get("Host", host).strip("[]").rstrip("."))
    else:
        made = HTTPConnection(host, parts.port, timeout=_TIMEOUT)
    late = threading.Event()
    watch = threading.Timer(_LONGEST_ANSWER, _hang_up, (made, late))
    watch.daemon = True
    try:
        made.connect()
        watch.start()
        made.request(method, parts.path or "/", headers={"User-Agent": "shipfiles", "Accept": "*/*", **headers})
        answer = made.getresponse()
        body = answer.read(_MOST)
        found: dict[str, str] = {}
        for name, value in answer.getheaders():
            lower = name.lower()
            found[lower] = f"{found[lower]}, {value}" if lower in found else value
        if not late.is_set():
            return Page(answer.status, found, body)
        error: Exception = TimeoutError()
    except (OSError, HTTPException, ValueError) as raised:
        error = TimeoutError() if late.is_set() else raised
    finally:
        watch.cancel()
        made.close()
    raise NotReached(f"{parts.scheme}://{parts.netloc} does not answer: {shown(_reason(error))}", _todo(error))


def _hang_up(connection: HTTPConnection, late: threading.Event) -> None:
    """Let whoever waits for more of an answer find its end: one that comes byte by byte never times out."""
    late.set()
    with suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "not in time"
    if isinstance(error, socket.gaierror):
        return "no name server knows its name"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _todo(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _OTHER_NAME:
            return (
                "ask by a name that the certificate is for; if the DNS does not know it yet, say it with --server-name"
            )
        return "let the variable SSL_CERT_FILE name the file with the certificate of who signed it"
    if isinstance(error, socket.gaierror):
        return "ask its address instead, https://192.0.2.1, and say the name with --server-name"
    return _RUNS


def cdn_of(page: Page) -> str:
    """The header fields by which a cache in between makes itself known; empty without any."""
    return ", ".join(f"{name}: {page.shown(name)}" for name in _OF_CDNS if name in page.headers)
