"""What a server process runs: pages of one release's code, which name the static files that it needs."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.template import engines
from django.templatetags.static import static
from django.urls import path

from tests.services.drawn_page import html

PAGE = """{% load static %}<!doctype html><title>{{ generation }}</title>
{% for name in names %}<link href="{% static name %}">
{% endfor %}"""


def page(request, number):
    names = settings.SITE["pages"][number]
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"generation": settings.SITE["generation"], "names": names}))


def drawn(request):
    return HttpResponse(html(static))


urlpatterns = [path("page/<int:number>", page), path("drawn", drawn)]


if os.environ.get("ROLLING_AROUND"):
    from shipfiles.serve.asgi import StaticApp as AsyncStaticApp
    from shipfiles.serve.wsgi import StaticApp

    wsgi, asgi = StaticApp(get_wsgi_application()), AsyncStaticApp(get_asgi_application())
else:
    wsgi, asgi = get_wsgi_application(), get_asgi_application()
