"""One page, so that the site is more than its static files."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def hello(_: HttpRequest) -> HttpResponse:
    """A page."""
    return HttpResponse("hello\n", content_type="text/plain")


urlpatterns = [path("", hello)]
