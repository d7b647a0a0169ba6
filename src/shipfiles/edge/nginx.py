"""nginx's configuration: what answers as we do, with what every build of nginx 1.22 and newer has.

The text holds for every release, so nothing is reloaded when one is published, activated or pruned: files are known by
the form of their names, and which of their variants are there nginx sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ..errors import ConfigError
from .media_nginx import blocks
from .nginx_cache import cache_path, cached_locations
from .nginx_codings import maps_of_codings
from .nginx_files import file_locations, file_maps, method_location, method_maps, other_location
from .nginx_root import MISSING, proxied, root_locations, root_maps, upstream, upstream_of
from .nginx_site import Site, variables_of
from .nginx_text import quoted
from .nginx_words import indented
from .notes import notes
from .policy import EdgePolicy

_HEAD = """\
# Written by `ship config nginx`. It stays the same from release to release: nothing has to be reloaded for one.
# It belongs into nginx's http block, as /etc/nginx/conf.d/shipfiles.conf. For nginx 1.22 and newer, without modules
# of others.
"""

_HOST = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_LISTEN = re.compile(r"(?:(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]|\*|[A-Za-z0-9.-]+):)?[0-9]{1,5}")


def configuration(policy: EdgePolicy) -> str:
    """The text for ``policy``: maps and one server, for nginx's http block.

    Raises `ConfigError` for what nginx's language cannot say.
    """
    site = None if policy.static is None or policy.mode == "proxy" else Site.of_policy(policy, policy.static)
    lines = [*_HEAD.splitlines(), *(f"# {line}" for line in notes(policy, "nginx"))]
    for part in (*_maps(policy, site), upstream(policy, variables_of(policy)), _plain_server(policy)):
        if found := [*part]:
            lines += ["", *found]
    lines += ["", "server {", *indented(_server(policy, site)), "}"]
    return "\n".join(lines) + "\n"


def _maps(policy: EdgePolicy, site: Site | None) -> Iterator[Iterable[str]]:
    if site is None:
        if policy.static is not None:
            yield cache_path(variables_of(policy))
        return
    yield maps_of_codings(site.static.codings, site.of)
    yield file_maps(site)
    yield method_maps(site)
    yield root_maps(site)


def _server(policy: EdgePolicy, site: Site | None) -> Iterator[str]:
    yield from _listen(policy)
    yield f"server_name {_host(policy.host)};"
    if policy.certificate is not None:
        certificate, key = policy.certificate
        yield f"ssl_certificate {quoted(certificate, 'the certificate')};"
        yield f"ssl_certificate_key {quoted(key, 'its key')};"
        yield "ssl_protocols TLSv1.2 TLSv1.3;"
        yield f"ssl_session_cache shared:{variables_of(policy)}_tls:10m;"
    if policy.max_upload:
        yield f"client_max_body_size {policy.max_upload};"
    yield "# Two slashes are not one, and redirects stay with the host and scheme that the browser knows."
    yield "merge_slashes off;"
    yield "absolute_redirect off;"
    if site is None and policy.static is not None:
        yield ""
        yield from cached_locations(policy, policy.static, variables_of(policy))
    elif site is None:
        yield ""
        yield "location / {"
        asked = upstream_of(policy)
        yield from indented(proxied(policy, variables_of(policy)) if asked else ["return 404;"])
        yield "}"
    else:
        if site.static.serve.single_page:
            yield 'set $ship_instead "";'
        yield ""
        yield from file_locations(site, MISSING if upstream_of(policy) else "")
        yield from other_location(site)
        yield from method_location(site)
        yield from root_locations(site)
    handed_on = [*proxied(policy, variables_of(policy))] if upstream_of(policy) else []
    yield from blocks(policy, handed_on).splitlines()


def _listen(policy: EdgePolicy) -> Iterator[str]:
    if policy.listen and _LISTEN.fullmatch(policy.listen) is None:
        raise ConfigError(f"{policy.listen!r} is no address and port to listen at, such as '127.0.0.1:8080' or '8080'.")
    # Where no host is named, it answers for all that no other server does.
    more = ("" if policy.host else " default_server") + (" ssl http2" if policy.certificate else "")
    if policy.listen:
        yield f"listen {policy.listen}{more};"
    else:
        port = "443" if policy.certificate else "80"
        yield f"listen {port}{more};"
        yield f"listen [::]:{port}{more};"


def _plain_server(policy: EdgePolicy) -> Iterator[str]:
    """What sends browsers from HTTP to HTTPS."""
    if policy.certificate is None or policy.listen:
        return
    more = "" if policy.host else " default_server"
    yield "server {"
    yield f"    listen 80{more};"
    yield f"    listen [::]:80{more};"
    yield f"    server_name {_host(policy.host)};"
    yield "    return 301 https://$host$request_uri;"
    yield "}"


def _host(host: str) -> str:
    if host and _HOST.fullmatch(host) is None:
        raise ConfigError(f"{host!r} is no name of a host, such as 'www.example.com'.")
    return host or "_"
