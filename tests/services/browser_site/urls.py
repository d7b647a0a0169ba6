"""One view for all pages: ``/three/`` is ``templates/three.html``."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import path

# Import maps must be inline (HTML Standard, "import map"), so the pages that need one allow it by its nonce. Packages
# write style elements and bring images and fonts as data: URLs; nothing else is given way.
STRICT = "default-src 'self'"
NONCE = f"{STRICT}; script-src 'self' 'nonce-{{nonce}}'"
STYLES = "style-src 'self' 'unsafe-inline'"
POLICIES = {
    "own": STRICT,
    "pdf": STRICT,
    "lodash": STRICT,
    "broken": STRICT,
    "bootstrap": f"{STRICT}; img-src 'self' data:",
    "three": f"{NONCE}; {STYLES}; img-src 'self' blob: data:; font-src 'self' data:",
    "addons": f"{NONCE} 'wasm-unsafe-eval'; {STYLES}",
    "monaco": f"{NONCE}; {STYLES}; img-src 'self' data:; worker-src 'self' blob:",
}
THREE = "three/examples/jsm/"
MONACO = "monaco-editor/esm/vs/"
# Not named where they are asked for: this module is in the package of every test's project, whose names are proven.
BUILDS = {
    "three": "three/build/three.module.js",
    "three/webgpu": "three/build/three.webgpu.js",
    "three/tsl": "three/build/three.tsl.js",
}
EMPTY = "pages/empty.mjs"
# These import from another host, or import such a module.
FROM_ELSEWHERE = {f"three/addons/{name}" for name in ("Addons.js", "libs/demuxer_mp4.js", "loaders/TTFLoader.js")}


def three_map() -> dict[str, str]:
    """What three's documentation puts into the page, with the addons named one by one: each has its own hashed name."""
    addons = sorted(
        name for name in staticfiles_storage.hashed_files if name.startswith(THREE) and name.endswith(".js")
    )
    return {
        **{specifier: static(name) for specifier, name in BUILDS.items()},
        **{f"three/addons/{name.removeprefix(THREE)}": static(name) for name in addons},
    }


def monaco_sheets() -> list[str]:
    return sorted(
        name for name in staticfiles_storage.hashed_files if name.startswith(MONACO) and name.endswith(".css")
    )


def monaco_map() -> dict[str, str]:
    """Monaco's modules import style sheets as bundlers understand it; no browser does. The map gives an empty module.

    A key of an import map may be a URL: it stands for every specifier that leads there.
    """
    return {static(sheet): static(EMPTY) for sheet in monaco_sheets()}


CONTEXTS: dict[str, Any] = {
    "three": lambda: {"imports": three_map()},
    "addons": lambda: {"imports": three_map(), "names": sorted(three_map().keys() - FROM_ELSEWHERE)},
    "monaco": lambda: {"imports": monaco_map(), "sheets": monaco_sheets()},
}


def page(request: HttpRequest, name: str) -> HttpResponse:
    if name not in POLICIES:
        raise Http404
    nonce = secrets.token_urlsafe()
    response = render(request, f"{name}.html", {"nonce": nonce, **CONTEXTS.get(name, dict)()})
    response["Content-Security-Policy"] = POLICIES[name].format(nonce=nonce)
    return response


urlpatterns = [path("<slug:name>/", page)]
