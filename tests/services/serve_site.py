"""What the real servers run: the folder in SITE_ROOT, served in each way that there is."""

from __future__ import annotations

import os

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt

from shipfiles.config import ServeConfig
from shipfiles.serve import asgi, wsgi
from shipfiles.testing import APPLICATION, OPTIONS
from tests.services.bare_site import hello


@csrf_exempt
def view(request):
    return HttpResponse(APPLICATION)


def handler404(request, exception):
    return HttpResponse(APPLICATION, status=404)


urlpatterns = [re_path("^(?!(?:.*/)?lost/)", view)]

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="x" * 50,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "shipfiles.django.middleware.ShipfilesMiddleware",
    ],
    SECURE_SSL_REDIRECT=bool(os.environ.get("SITE_REDIRECTS")),
    STATIC_URL="/static/",
    STATIC_ROOT=os.environ["SITE_ROOT"],
    STORAGES={
        "staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"serve": dict(OPTIONS)}},
    },
)
django.setup()

middleware_wsgi = WSGIHandler()
middleware_asgi = ASGIHandler()


async def async_hello(scope, receive, send):
    if scope["type"] == "http":
        status = 404 if "/lost/" in scope["path"] else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": APPLICATION})
    elif scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


# The first takes its table from Django, the second from the folder: both are documented.
app_wsgi = wsgi.StaticApp(hello)
app_asgi = asgi.StaticApp(async_hello, root=os.environ["SITE_ROOT"], config=ServeConfig(**OPTIONS))
