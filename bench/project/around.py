"""A product around Django's application. BENCH_AROUND names it."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings

from .plain import asgi as django_asgi
from .plain import wsgi as django_wsgi

wsgi: Any
asgi: Any

match os.environ["BENCH_AROUND"]:
    case "shipfiles":
        from shipfiles.serve.asgi import StaticApp as StaticAsgi
        from shipfiles.serve.wsgi import StaticApp as StaticWsgi

        wsgi, asgi = StaticWsgi(django_wsgi), StaticAsgi(django_asgi)
    case "whitenoise":
        from whitenoise import WhiteNoise

        wsgi = WhiteNoise(django_wsgi, root=settings.STATIC_ROOT, prefix="static/")
    case "servestatic":
        from servestatic import ServeStatic, ServeStaticASGI

        wsgi = ServeStatic(django_wsgi, root=settings.STATIC_ROOT, prefix="static/")
        asgi = ServeStaticASGI(django_asgi, root=settings.STATIC_ROOT, prefix="static/")
    case other:
        raise SystemExit(f"BENCH_AROUND={other!r} is no product that goes around an application")
